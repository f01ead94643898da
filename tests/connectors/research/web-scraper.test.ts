import { describe, expect, test } from 'vitest'
import type { ResearchAnswer } from '../../../connectors/research/index.ts'
import { webScraperProvider } from '../../../connectors/research/index.ts'
import type { LoggedCall, Sandbox, SandboxRule } from '../../../connectors/sandbox/index.ts'
import { bodyFailures, call, failures, get, now, sandbox } from '../sandbox/start.ts'

const provider = (to: Sandbox, timeoutMs = 10_000) =>
  webScraperProvider({
    baseUrl: to.baseUrls.webscraper,
    apiKey: 'token',
    mode: 'sandbox',
    timeoutMs,
    rate: null,
    maxBytes: 100_000,
    pollMs: 10,
    now: () => now,
  })

async function operations(to: Sandbox): Promise<string[]> {
  const { calls } = await get<{ calls: LoggedCall[] }>(`${to.url}/sandbox/calls?provider=webscraper`)
  return calls.map(({ operation }) => operation)
}

const job = (status: string): SandboxRule => ({
  operation: 'job',
  times: 1,
  body: JSON.stringify({ success: true, data: { id: 2, custom_id: 'call-1', status } }),
})

test('a job is made, waited for and read', async () => {
  const to = await sandbox(job('waiting-to-be-scheduled'), job('started'))
  const outcome = await provider(to).call(call('scrape'))
  expect(outcome).toMatchObject({ class: 'ok', status: 200 })
  const { searched, claims } = outcome.output as unknown as ResearchAnswer
  expect(searched).toBe(true)
  expect(new Set(claims.map(({ field }) => field))).toContain('company_info')
  expect(claims.filter(({ field }) => field === 'competitor').length).toBeGreaterThanOrEqual(3)
  expect(await operations(to)).toEqual([
    'sitemaps',
    'create_sitemap',
    'jobs',
    'create_job',
    'job',
    'job',
    'job',
    'rows',
  ])
})

test('a call that comes again finds its job and pays no second one', async () => {
  const to = await sandbox()
  const first = await provider(to).call(call('scrape'))
  expect(await provider(to).call(call('scrape', undefined, { attempt: 2 }))).toEqual(first)
  await provider(to).call(call('scrape', undefined, { callId: 'call-2' }))
  expect((await operations(to)).filter((name) => name === 'create_job')).toHaveLength(2)
  expect((await operations(to)).filter((name) => name === 'create_sitemap')).toHaveLength(1)
})

test('a job that takes longer than the call is told as such, and goes on', async () => {
  const to = await sandbox({ operation: 'job', body: '{"data":{"id":2,"status":"started"}}' })
  expect(await provider(to, 1_000).call(call('scrape'))).toMatchObject({
    class: 'retry',
    error: 'webscraper has not finished the job yet',
  })
  await fetch(`${to.url}/sandbox/script`, { method: 'DELETE' })
  expect(await provider(to).call(call('scrape', undefined, { attempt: 2 }))).toMatchObject({ class: 'ok' })
  expect((await operations(to)).filter((name) => name === 'create_job')).toHaveLength(1)
})

test('a failed job is tried anew, a stopped one is not', async () => {
  const to = await sandbox(job('failed'), job('stopped'), job('shelved'))
  const scrape = (callId: string) => provider(to).call(call('scrape', undefined, { callId }))
  expect(await scrape('a')).toMatchObject({ class: 'retry' })
  expect(await scrape('b')).toMatchObject({ class: 'invalid' })
  expect(await scrape('c')).toMatchObject({ class: 'ok' })
})

test('without a domain there is nothing to read', async () => {
  const to = await sandbox()
  const outcome = await provider(to).call(
    call('scrape', { company_name: 'Acme', domain: null, industry: null, fields: ['pricing'] }),
  )
  expect(outcome).toMatchObject({ class: 'invalid', status: 0 })
  expect(await operations(to)).toEqual([])
})

test('a company the script sends to review yields nothing', async () => {
  const to = await sandbox({ companies: ['acme.example'], answer: 'low_confidence' })
  expect((await provider(to).call(call('scrape'))).output).toEqual({ searched: false, claims: [] })
})

describe.each(['sitemaps', 'jobs', 'create_job', 'job', 'rows'])('%s: what goes wrong is an outcome', (operation) => {
  const some = [failures[0]!, failures[2]!, failures[6]!, failures[10]!, bodyFailures[0]!, bodyFailures[2]!]
  test.each(some)('%s', async (_, rule, expected) => {
    const to = await sandbox({ ...rule, operation, times: 1 })
    expect(await provider(to).call(call('scrape'))).toMatchObject({ ...expected, output: null })
    expect((await provider(to).call(call('scrape'))).class).toBe('ok')
  })
})
