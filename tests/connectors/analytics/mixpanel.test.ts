import { expect, test } from 'vitest'
import { mixpanelProvider } from '../../../connectors/analytics/index.ts'
import type { AnalyticsEvent, Sandbox, SandboxRule } from '../../../connectors/sandbox/index.ts'
import type { Json } from '../../../schemas/index.ts'
import { bodyFailures, call, failures, get, now, patience, sandbox } from '../sandbox/start.ts'

const provider = (to: Sandbox, more: { credential?: string; projectId?: string; timeoutMs?: number } = {}) =>
  mixpanelProvider({
    baseUrl: to.baseUrls.mixpanel,
    credential: more.credential ?? 'token-a',
    projectId: more.projectId ?? null,
    mode: 'sandbox',
    timeoutMs: more.timeoutMs ?? 10_000,
    now: () => now,
  })

const event = (n: number, more: Readonly<Record<string, Json>> = {}) => ({
  event: 'demo_viewed',
  properties: { time: now - 1_000 + n, distinct_id: `viewer-${String(n)}`, $insert_id: `insert-${String(n)}`, ...more },
})
const imports = (events: readonly Json[]) => call('import', { events: [...events] })
const kept = (to: Sandbox) => get<{ distinct: number; events: AnalyticsEvent[] }>(`${to.url}/sandbox/analytics`)

test('an import that is made again counts once; of two projects each has its own (5.2.8)', async () => {
  const to = await sandbox()
  for (let time = 0; time < 2; time++)
    expect(await provider(to).call(imports([event(1), event(2)]))).toEqual({
      class: 'ok',
      status: 200,
      output: { imported: 2, insert_ids: ['insert-1', 'insert-2'], failed: [] },
      costMicrodollars: 0,
    })
  expect((await kept(to)).distinct).toBe(2)
  await provider(to, { credential: 'token-b' }).call(imports([event(1)]))
  const { distinct, events } = await kept(to)
  expect(distinct).toBe(3)
  expect(events.map(({ account, insert_id }) => [account, insert_id])).toEqual([
    ['token-a', 'insert-1'],
    ['token-a', 'insert-2'],
    ['token-b', 'insert-1'],
  ])
})

test('what it refuses is told, and the rest is taken', async () => {
  const to = await sandbox()
  const bad = [event(2, { distinct_id: 'null' }), event(3, { time: now + 2 * 3_600_000 }), event(4, { time: 5 })]
  const outcome = await provider(to).call(imports([event(1), ...bad, event(5)]))
  expect(outcome).toMatchObject({ class: 'ok', output: { imported: 2, insert_ids: ['insert-1', 'insert-5'] } })
  const { failed } = outcome.output as unknown as { failed: { insert_id: string; field: string; message: string }[] }
  expect(failed.map(({ insert_id, field }) => [insert_id, field])).toEqual([
    ['insert-2', 'properties.distinct_id'],
    ['insert-3', 'properties.time'],
    ['insert-4', 'properties.time'],
  ])
  expect((await kept(to)).distinct).toBe(2)
})

test('many events go in batches of 2,000', async () => {
  const to = await sandbox()
  const outcome = await provider(to).call(imports(Array.from({ length: 4_001 }, (_, n) => event(n))))
  expect(outcome).toMatchObject({ class: 'ok', output: { imported: 4_001 } })
  expect(await get(`${to.url}/sandbox/calls?provider=mixpanel`)).toMatchObject({ total: 3 })
  expect((await kept(to)).distinct).toBe(4_001)
})

test('and none is larger than Mixpanel takes', async () => {
  const to = await sandbox()
  const large = Array.from({ length: 20 }, (_, n) => event(n, { detail: 'x'.repeat(600_000) }))
  expect(await provider(to).call(imports(large))).toMatchObject({ class: 'ok', output: { imported: 20 } })
  expect(await get(`${to.url}/sandbox/calls?provider=mixpanel`)).toMatchObject({ total: 2 })
})

test('the second batch fails: the call fails, and what was taken counts once when it is made again', async () => {
  const events = Array.from({ length: 2_001 }, (_, n) => event(n))
  const to = await sandbox({ provider: 'mixpanel', contains: 'insert-2000"', status: 429, times: 1 })
  expect(await provider(to).call(imports(events))).toMatchObject({ class: 'retry', status: 429 })
  expect((await kept(to)).distinct).toBe(2_000)
  expect(await provider(to).call(imports(events))).toMatchObject({ class: 'ok', output: { imported: 2_001 } })
  expect((await kept(to)).distinct).toBe(2_001)
})

test.each([...failures, ...bodyFailures])('%s', async (_, rule: SandboxRule, outcome) => {
  const to = await sandbox({ ...rule, provider: 'mixpanel' })
  expect(await provider(to, { timeoutMs: patience(rule) }).call(imports([event(1)]))).toMatchObject(outcome)
})

test('a 400 that names nothing is no success, and a request without events is not sent', async () => {
  const to = await sandbox({
    provider: 'mixpanel',
    status: 400,
    body: '{"code":400,"error":"bad","status":"Bad Request"}',
  })
  expect(await provider(to).call(imports([event(1)]))).toMatchObject({ class: 'invalid', status: 400, output: null })
  const asked = [call('import', { events: [] }), call('import', { events: [{ event: 'x' }] }), call('export', {})]
  for (const each of asked) expect(await provider(to).call(each)).toMatchObject({ class: 'invalid', status: 0 })
  expect(await get(`${to.url}/sandbox/calls?provider=mixpanel`)).toMatchObject({ total: 1 })
})

test('the project travels in the address, the credential as Basic; without one it is refused', async () => {
  const to = await sandbox()
  const service = { credential: 'service:secret' }
  expect(await provider(to, service).call(imports([event(1)]))).toMatchObject({ class: 'invalid', status: 400 })
  expect(await provider(to, { ...service, projectId: '7' }).call(imports([event(1)]))).toMatchObject({ class: 'ok' })
  expect((await kept(to)).events[0]?.account).toBe('service')
  const bare = await fetch(`${to.baseUrls.mixpanel}/import?strict=1`, { method: 'POST', body: '[]' })
  expect(bare.status).toBe(401)
})
