import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { LoggedCall, SandboxRule } from '../../../connectors/sandbox/index.ts'
import { StorageError, putOnce, s3Store } from '../../../connectors/storage/index.ts'
import type { ObjectStore } from '../../../connectors/storage/index.ts'
import { get, sandbox } from '../sandbox/start.ts'

const text = { contentType: 'text/plain' }
const key = 'tenants/t1/a.txt'

function storeAt(endpoint: string, timeoutMs = 10_000): ObjectStore {
  const store = s3Store({
    endpoint,
    region: 'us-east-1',
    bucket: 'acme',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    timeoutMs,
  })
  onTestFinished(() => store.close())
  return store
}

/** A store that is ready, on a sandbox that then fails as told. */
async function failing(rule: SandboxRule, timeoutMs?: number) {
  const to = await sandbox()
  const store = storeAt(to.baseUrls.s3, timeoutMs)
  await store.ready()
  await fetch(`${to.url}/sandbox/script`, { method: 'POST', body: JSON.stringify([{ provider: 's3', ...rule }]) })
  const calls = async () => (await get<{ calls: LoggedCall[] }>(`${to.url}/sandbox/calls?provider=s3`)).calls
  return { store, calls }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  )

test.each<[string, SandboxRule, { reason: string; status: number }, number?]>([
  ['503 SlowDown', { status: 503 }, { reason: 'retry', status: 503 }],
  ['500', { status: 500 }, { reason: 'retry', status: 500 }],
  [
    '409 of a put under way',
    { status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' },
    { reason: 'retry', status: 409 },
  ],
  ['403', { status: 403 }, { reason: 'auth', status: 403 }],
  ['400', { status: 400 }, { reason: 'invalid', status: 400 }],
  [
    '400 of a body that broke on its way',
    { status: 400, body: '<Error><Code>BadDigest</Code></Error>' },
    { reason: 'retry', status: 400 },
  ],
  ['412', { status: 412 }, { reason: 'precondition', status: 412 }],
  ['a reset connection', { reset: true }, { reason: 'retry', status: 0 }],
  ['an answer that never comes', { delay_ms: 3_000 }, { reason: 'retry', status: 0 }, 300],
])('%s is %o after one request (S31)', async (_, rule, wanted, timeoutMs) => {
  const { store, calls } = await failing({ operation: 'put_object', ...rule }, timeoutMs)
  const failure = await failureOf(store.put(key, Buffer.from('x'), text))
  expect(failure).toBeInstanceOf(StorageError)
  expect(failure).toMatchObject(wanted)
  expect((failure as Error).message).toMatch(/^S3 [^\n]+\(put tenants\/t1\/a\.txt\)$/)
  expect((await calls()).filter(({ operation }) => operation === 'put_object')).toHaveLength(1)
})

test('an answer that was lost is found by the next try: one version, for each tenant its own', async () => {
  const { store } = await failing({ operation: 'put_object', truncate_at: 0, times: 1, body: 'x' })
  const other = await store.put('tenants/t2/a.txt', Buffer.from('theirs'), text).catch(() => null)
  const put = await putOnce(store, key, Buffer.from('ours'), text)
  expect(await putOnce(store, key, Buffer.from('ours'), text)).toEqual(put)
  await putOnce(store, 'tenants/t2/a.txt', Buffer.from('theirs'), text)
  expect(other).toBeNull()
  expect(await store.versions('tenants/t2/a.txt')).toHaveLength(1)
  expect(await store.versions(key)).toHaveLength(1)
})

test('a body cut short on its way is trouble, not content', async () => {
  const { store } = await failing({ operation: 'get_object', truncate_at: 10 })
  await store.put(key, Buffer.alloc(1_000, 'x'), text)
  expect(await failureOf(store.get(key))).toMatchObject({ reason: 'retry' })
})

test('other bytes than were put are damaged (S33)', async () => {
  const { store } = await failing({ operation: 'get_object', body: 'y' })
  await store.put(key, Buffer.from('x'), text)
  expect(await failureOf(store.get(key))).toMatchObject({ reason: 'damaged' })
})

const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><html><p>Hello</p></html>' }

test.each<[string, string, (store: ObjectStore) => Promise<unknown>]>([
  ['a put', 'put_object', (store) => store.put(key, Buffer.from('y'), text)],
  ['a get', 'get_object', (store) => store.get(key)],
  ['a head', 'head_object', (store) => store.head(key)],
  ['a list', 'list_versions', (store) => store.versions(key)],
  ['a removal', 'delete_object', (store) => store.remove(key)],
])(
  '%s that a page of something in between answers is asked again, and nothing is believed (S34)',
  async (_, operation, ask) => {
    const { store } = await failing({ operation, ...page, times: 1 })
    if (operation !== 'put_object') await store.put(key, Buffer.from('x'), text)
    expect(await failureOf(ask(store))).toMatchObject({ reason: 'retry' })
    await store.put('tenants/t2/a.txt', Buffer.from('theirs'), text)
    await ask(store)
    expect((await store.get('tenants/t2/a.txt'))?.content.toString()).toBe('theirs')
  },
)

test('versions that a page says are switched on are looked at again (S34)', async () => {
  const to = await sandbox({ provider: 's3', operation: 'put_versioning', ...page, times: 1 })
  const store = storeAt(to.baseUrls.s3)
  expect(await failureOf(store.ready())).toMatchObject({ reason: 'retry' })
  await store.ready()
  expect((await store.put(key, Buffer.from('x'), text)).version_id).not.toBe('')
})

test('the bucket is made and keeps versions before the first put; asked once (S32)', async () => {
  const to = await sandbox()
  const store = storeAt(to.baseUrls.s3)
  await store.put(key, Buffer.from('x'), text)
  await store.put('tenants/t2/a.txt', Buffer.from('x'), text)
  const { calls } = await get<{ calls: LoggedCall[] }>(`${to.url}/sandbox/calls?provider=s3`)
  expect(calls.map(({ operation }) => operation)).toEqual([
    ...['head_bucket', 'create_bucket', 'get_versioning', 'put_versioning', 'get_versioning'],
    ...['put_object', 'put_object'],
  ])
})

test.each([
  ['make the bucket', 'create_bucket'],
  ['switch versions on in', 'put_versioning'],
  ['look for the bucket', 'head_bucket'],
])('one clear line when it may not %s', async (words, operation) => {
  const to = await sandbox({ provider: 's3', operation, status: 403 })
  const failure = await failureOf(storeAt(to.baseUrls.s3).ready())
  expect(failure).toMatchObject({ reason: 'auth', status: 403 })
  expect((failure as Error).message).toMatch(new RegExp(`^S3 answered 403[^\\n]*\\(${words} acme\\)$`))
})

test('a store that was away when first asked is asked again', async () => {
  const to = await sandbox({ provider: 's3', operation: 'head_bucket', status: 503, times: 1 })
  const store = storeAt(to.baseUrls.s3)
  expect(await failureOf(store.ready())).toMatchObject({ reason: 'retry' })
  await store.ready()
})

test('a call that is left ends at once', async () => {
  const { store } = await failing({ operation: 'put_object', delay_ms: 5_000 })
  const left = new AbortController()
  const put = failureOf(store.put(key, Buffer.from('x'), { ...text, signal: left.signal }))
  setTimeout(() => left.abort(), 50)
  const startedAt = performance.now()
  expect(await put).toMatchObject({ reason: 'retry' })
  expect(performance.now() - startedAt).toBeLessThan(4_000)
})

test('what is not S3 at all is said in a line', async () => {
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const failure = await failureOf(
    storeAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).put(key, Buffer.from('x'), text),
  )
  expect(failure).toBeInstanceOf(StorageError)
})
