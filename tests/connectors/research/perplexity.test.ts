import { describe, expect, expectTypeOf, test } from 'vitest'
import type { ResearchAnswer, ResearchQuestion } from '../../../connectors/research/index.ts'
import { perplexityProvider } from '../../../connectors/research/index.ts'
import type { LoggedCall, Sandbox } from '../../../connectors/sandbox/index.ts'
import type * as step from '../../../processors/research/answer.ts'
import { judge } from '../../../processors/research/confidence.ts'
import { researchDefaults } from '../../../processors/research/settings.ts'
import { acme, bodyFailures, call, failures, get, now, patience, sandbox } from '../sandbox/start.ts'

const provider = (to: Sandbox, apiKey = 'pplx-1', timeoutMs = 10_000) =>
  perplexityProvider({
    baseUrl: to.baseUrls.perplexity,
    apiKey,
    mode: 'sandbox',
    timeoutMs,
    rate: null,
    maxBytes: 100_000,
    now: () => now,
  })

test('the client and the step mean the same by a question and an answer', () => {
  expectTypeOf<ResearchQuestion>().toEqualTypeOf<step.ResearchQuestion>()
  expectTypeOf<ResearchAnswer>().toExtend<step.ResearchAnswer>()
})

test('an answer has claims on every field, each with pages that were searched', async () => {
  const outcome = await provider(await sandbox()).call(call('answer'))
  expect(outcome).toMatchObject({ class: 'ok', status: 200, costMicrodollars: 6_000 })
  const { searched, claims } = outcome.output as unknown as ResearchAnswer
  expect(searched).toBe(true)
  expect(new Set(claims.map(({ field }) => field)).size).toBe(5)
  expect(claims.filter(({ field }) => field === 'competitor').length).toBeGreaterThanOrEqual(3)
  for (const claim of claims) expect(claim.sources.length).toBeGreaterThanOrEqual(3)
})

test('only what is asked is answered', async () => {
  const outcome = await provider(await sandbox()).call(call('answer', { ...(acme as object), fields: ['pricing'] }))
  const { claims } = outcome.output as unknown as ResearchAnswer
  expect(claims.map(({ field }) => field)).toEqual(['pricing'])
})

test('a cited page that was not searched is no source', async () => {
  const found = {
    company_info: {
      summary: 's',
      industry: null,
      employees: 1,
      headquarters: null,
      founded: null,
      match: 3,
      sources: ['https://made.up/page', 'https://real.example/a/'],
    },
    competitors: [],
    pricing: null,
    tech_stack: null,
    volume_prediction: null,
  }
  const body = JSON.stringify({
    status: 'completed',
    output: [
      { type: 'search_results', results: [{ url: 'https://www.real.example/a', title: 'Real', date: null }] },
      { type: 'message', content: [{ type: 'output_text', text: JSON.stringify(found) }] },
    ],
  })
  const outcome = await provider(await sandbox({ body })).call(call('answer'))
  expect(outcome.output).toEqual({
    searched: true,
    claims: [
      {
        field: 'company_info',
        value: { summary: 's', industry: null, employees: 1, headquarters: null, founded: null },
        match: 1,
        sources: [{ url: 'https://www.real.example/a', title: 'Real', date: null }],
      },
    ],
  })
})

test('an answer without a search says so, and is not believed', async () => {
  const outcome = await provider(await sandbox({ companies: ['ACME.example'], answer: 'low_confidence' })).call(
    call('answer'),
  )
  const answer = outcome.output as unknown as ResearchAnswer
  expect(answer.searched).toBe(false)
  const evidence = answer.claims.map((claim) => ({ ...claim, provider: 'perplexity', searched: answer.searched }))
  for (const { confidence } of judge(researchDefaults, { domain: 'acme.example' }, 'company_info', evidence))
    expect(confidence).toBeLessThanOrEqual(0.3)
})

test('the plain search reads claims out of pages', async () => {
  const outcome = await provider(await sandbox()).call(call('search'))
  expect(outcome).toMatchObject({ class: 'ok', costMicrodollars: 5_000 })
  const { claims } = outcome.output as unknown as ResearchAnswer
  expect(new Set(claims.map(({ field }) => field))).toEqual(
    new Set(['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction']),
  )
})

test('it asks for a forced search and a checked shape', async () => {
  const to = await sandbox({ contains: '"tool_choice":"required"', body: '{"status":"completed","output":[]}' })
  expect((await provider(to).call(call('answer'))).error).toContain('unreadable_answer')
})

describe.each(['answer', 'search'])('%s: what goes wrong is an outcome', (operation) => {
  test.each([...failures, ...bodyFailures])('%s', async (_, rule, expected) => {
    const to = await sandbox({ ...rule, operation, times: 1 })
    const outcome = await provider(to, 'pplx-1', patience(rule)).call(call(operation))
    expect(outcome).toMatchObject({ ...expected, output: null })
    expect(outcome.error).toMatch(/^perplexity /)
    expect((await provider(to).call(call(operation))).class).toBe('ok')
    const { total } = await get<{ total: number; calls: LoggedCall[] }>(`${to.url}/sandbox/calls?provider=perplexity`)
    expect(total).toBe(2) // it tries once: retries are not the client's
  })
})

test('a response that failed inside a 200 is a failure', async () => {
  const outcome = await provider(await sandbox({ answer: 'failed' })).call(call('answer'))
  expect(outcome).toMatchObject({ class: 'retry', status: 200, output: null })
})

test('a used up quota is told from a rate limit', async () => {
  const body = '{"error":{"type":"insufficient_quota","message":"for ada@acme.example"}}'
  const outcome = await provider(await sandbox({ status: 429, body })).call(call('answer'))
  expect(outcome).toMatchObject({ class: 'quota', status: 429 })
  expect(outcome.error).not.toContain('ada@')
})

test('a refused key, a closed port, a call that is given up, a request that is none', async () => {
  const to = await sandbox({ delay_ms: 1_000, contains: 'Slow' })
  expect(await provider(to, '').call(call('answer'))).toMatchObject({ class: 'auth', status: 401 })
  const nobody = perplexityProvider({
    baseUrl: 'http://127.0.0.1:9',
    apiKey: 'k',
    mode: 'live',
    timeoutMs: 300,
    rate: null,
  })
  expect(await nobody.call(call('answer'))).toMatchObject({ class: 'retry', status: 0 })
  const given = new AbortController()
  const slow = provider(to).call(
    call(
      'answer',
      { company_name: 'Slow', domain: null, industry: null, fields: ['pricing'] },
      { signal: given.signal },
    ),
  )
  given.abort()
  expect(await slow).toMatchObject({ class: 'retry', status: 0 })
  expect(await provider(to).call(call('answer', { hello: 'world' }))).toMatchObject({ class: 'invalid', status: 0 })
  expect(await provider(to).call(call('dance'))).toMatchObject({ class: 'invalid', status: 0 })
})
