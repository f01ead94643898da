import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { CallOutcome } from '../../../connectors/effects/port.ts'
import { qrSvg, renderingProvider } from '../../../connectors/rendering/index.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import type { ObjectRef, ObjectStore } from '../../../connectors/storage/index.ts'
import { diskStore, s3Store } from '../../../connectors/storage/index.ts'
import type { Json } from '../../../schemas/index.ts'
import { call, sandbox } from '../sandbox/start.ts'
import { documents, japanese, personalization } from './fixtures.ts'

const json = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json
const nda = json(documents[0])
const demo = json({ demo_id: 'demo-1', version: 1, personalization })

async function onDisk(): Promise<ObjectStore> {
  const root = await mkdtemp(join(tmpdir(), 'rendering-'))
  onTestFinished(() => rm(root, { recursive: true }))
  return diskStore({ root, bucket: 'objects', clock: { now: () => 0 } })
}
/** Whatever the platform gives: here a text that is the same for the same demo. */
const shareLink = (tenantId: string, demoId: string) => {
  const share_token = Buffer.from(`${tenantId}/${demoId}/16-chars`).toString('base64url').slice(0, 22)
  return { share_token, url: `https://app.example/d/${share_token}` }
}
const providerOn = (store: ObjectStore) =>
  renderingProvider({ store, sellerName: 'Lifecycle', shareLink, concurrency: 1, timeoutMs: 10_000 })
const refIn = ({ output }: CallOutcome, name = 'ref') => (output as unknown as Record<string, ObjectRef>)[name]!

test('a document stands where the answer says, with the hash it says, under its tenant', async () => {
  const store = await onDisk()
  const provider = providerOn(store)
  const answers = [
    await provider.call(call('document', nda, { tenantId: 't1' })),
    await provider.call(call('document', json(japanese), { tenantId: 't2' })),
  ]
  for (const [index, answer] of answers.entries()) {
    expect(answer).toMatchObject({ class: 'ok', output: { missing_characters: [] } })
    const ref = refIn(answer)
    expect(Object.keys(ref)).toEqual(['bucket', 'key', 'version_id', 'sha256', 'bytes'])
    expect(ref.key).toMatch(
      new RegExp(`^tenants/t${index + 1}/documents/doc-019${index + 1}-[a-z]+/v1-[0-9a-f]{16}\\.pdf$`),
    )
    const stored = await store.get(ref.key, ref.version_id)
    expect(stored?.content_type).toBe('application/pdf')
    expect(stored?.content.subarray(0, 5).toString()).toBe('%PDF-')
    expect(createHash('sha256').update(stored!.content).digest('hex')).toBe(ref.sha256)
    expect(stored?.content.length).toBe(ref.bytes)
  }
})

test('a demo is a page and a QR code under an address that nobody guesses; its beacons go to that path (5.2.2)', async () => {
  const store = await onDisk()
  const provider = providerOn(store)
  const answer = await provider.call(call('demo', demo, { tenantId: 't1' }))
  const { share_token, url } = answer.output as { share_token: string; url: string }
  expect(share_token).toMatch(/^[A-Za-z0-9_-]{22}$/)
  expect(url).toBe(`https://app.example/d/${share_token}`)
  const page = await store.get(refIn(answer).key)
  expect(page?.content_type).toBe('text/html; charset=utf-8')
  expect(page?.content.toString()).toContain(`data-base="/d/${share_token}"`)
  const qr = await store.get(refIn(answer, 'qr_ref').key)
  expect(qr?.content_type).toBe('image/svg+xml')
  expect(qr?.content.toString()).toBe(await qrSvg(url))
})

test('an address is the same for every version of a demo (5.2.6)', async () => {
  const provider = providerOn(await onDisk())
  const second = await provider.call(
    call('demo', { ...(demo as object), version: 2 } as unknown as Json, { tenantId: 't1' }),
  )
  expect(second.output).toMatchObject(shareLink('t1', 'demo-1'))
})

test('a call that is made again answers the same, and leaves one version (RN1)', async () => {
  const store = await onDisk()
  const provider = providerOn(store)
  for (const [operation, request] of [
    ['document', nda],
    ['demo', demo],
  ] as const) {
    const first = await provider.call(call(operation, request, { tenantId: 't1' }))
    const again = await provider.call(call(operation, request, { tenantId: 't1', attempt: 2 }))
    expect(again).toEqual(first)
    expect(await store.versions(refIn(first).key)).toHaveLength(1)
    const other = await provider.call(call(operation, request, { tenantId: 't2' }))
    expect(refIn(other).key).not.toBe(refIn(first).key)
  }
})

test('removal puts a marker once, keeps the version, and can be taken back by rendering again', async () => {
  const store = await onDisk()
  const provider = providerOn(store)
  const rendered = await provider.call(call('document', nda, { tenantId: 't1' }))
  const { key, version_id } = refIn(rendered)
  const keys = json({ keys: [key, 'tenants/t1/documents/none/v1-0.pdf'] })
  const removed = await provider.call(call('remove', keys, { tenantId: 't1' }))
  expect(removed).toMatchObject({ class: 'ok', output: { removed: [{ key }, { version_id: null }] } })
  expect(await store.get(key)).toBeNull()
  expect(await store.get(key, version_id)).not.toBeNull()
  expect((await provider.call(call('remove', keys, { tenantId: 't1' }))).output).toMatchObject({
    removed: [{ version_id: null }, {}],
  })
  expect(await store.versions(key)).toHaveLength(2)
  expect(refIn(await provider.call(call('document', nda, { tenantId: 't1' }))).version_id).not.toBe(version_id)
  expect(await store.get(key)).not.toBeNull()
})

test("nobody removes what is another tenant's (RN2)", async () => {
  const store = await onDisk()
  const provider = providerOn(store)
  const { key } = refIn(await provider.call(call('document', nda, { tenantId: 't1' })))
  const own = refIn(await provider.call(call('document', nda, { tenantId: 't2' }))).key
  for (const stranger of [key, key.replace('t1', 't2/../t1'), 'tenants/t22/x', 'x']) {
    const refused = await provider.call(call('remove', json({ keys: [own, stranger] }), { tenantId: 't2' }))
    expect([stranger, refused.class]).toEqual([stranger, 'invalid'])
  }
  expect(await store.get(key)).not.toBeNull()
})

test.each<[string, SandboxRule, Partial<CallOutcome>]>([
  ['away', { status: 503 }, { class: 'retry', status: 503 }],
  ['broken off', { reset: true }, { class: 'retry', status: 0 }],
  ['closed to us', { status: 403 }, { class: 'auth', status: 403 }],
])('a store that is %s is an outcome', async (_, rule, wanted) => {
  const to = await sandbox({ provider: 's3', operation: 'put_object', ...rule })
  const store = s3Store({
    endpoint: to.baseUrls.s3,
    region: 'us-east-1',
    bucket: 'acme',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    timeoutMs: 10_000,
  })
  onTestFinished(() => store.close())
  expect(await providerOn(store).call(call('document', nda))).toMatchObject({ ...wanted, output: null })
})

test.each([
  ['an operation that is none', 'print', nda, 'rendering has no operation "print"'],
  ['an inherited name', 'toString', nda, 'rendering has no operation "toString"'],
  [
    'a document that is none',
    'document',
    {},
    'request.document_type: nothing is given; wanted nda or pricing or proposal or contract',
  ],
  [
    'a version that is none',
    'demo',
    { ...(demo as object), version: 0 },
    'request.version: 0 is given; wanted a whole number from 1 to 1000000',
  ],
  ['no keys', 'remove', {}, 'request.keys: nothing is given; wanted a list of 0 to 1000'],
])('%s is invalid, with one line', async (_, operation, request, error) => {
  const outcome = await providerOn(await onDisk()).call(call(operation, request as Json))
  expect(outcome).toEqual({ class: 'invalid', status: 0, output: null, error })
})
