/** One call to a language model, against the stand-ins of both vendors. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LlmOutcome, SpendLedger } from '../../../connectors/llm/index.ts'
import { LlmSettingsError, createLlm, dayOf, flatPrice, memoryLedger } from '../../../connectors/llm/index.ts'
import type { LoggedCall, Sandbox } from '../../../connectors/sandbox/index.ts'
import { bodyFailures, failures, get, patience, sandbox } from '../sandbox/start.ts'
import { city, models, modelsOf, question, scripted, tenantA, tenantB } from './start.ts'

const asked = async (to: Sandbox): Promise<string[]> => {
  const { calls } = await get<{ calls: LoggedCall[] }>(`${to.url}/sandbox/calls`)
  return calls.map(({ provider }) => provider)
}
const words = (outcome: LlmOutcome) => [outcome.class, outcome.vendor]

describe('which vendor is asked', () => {
  test('M1: OpenAI for the first two attempts, then Anthropic; or as many as are told', async () => {
    const to = await sandbox()
    for (const attempt of [1, 2, 3, 9])
      expect((await models(to).complete(question({ attempt }))).vendor).toBe(attempt <= 2 ? 'openai' : 'anthropic')
    expect((await models(to, { primaryAttempts: 0 }).complete(question())).vendor).toBe('anthropic')
    expect(await asked(to)).toEqual(['openai', 'openai', 'anthropic', 'anthropic', 'anthropic'])
  })

  test('the only one there is, whatever the attempt', async () => {
    const to = await sandbox()
    expect((await models(to, { anthropic: null }).complete(question({ attempt: 5 }))).vendor).toBe('openai')
    expect((await models(to, { openai: null }).complete(question())).vendor).toBe('anthropic')
  })

  test('a burst of 5xx opens the breaker: the other is asked at once, and a probe after 30 s brings the first back', async () => {
    const to = await sandbox({ provider: 'openai', status: 503, times: 20 })
    let now = 1_000_000
    const llm = models(to, { now: () => now })
    for (let n = 0; n < 20; n++) expect(words(await llm.complete(question()))).toEqual(['retry', 'openai'])
    expect(words(await llm.complete(question()))).toEqual(['ok', 'anthropic'])
    now += 29_999
    expect(words(await llm.complete(question()))).toEqual(['ok', 'anthropic'])
    now += 1
    expect(words(await llm.complete(question()))).toEqual(['ok', 'openai'])
    expect(words(await llm.complete(question()))).toEqual(['ok', 'openai'])
    expect((await asked(to)).filter((provider) => provider === 'openai')).toHaveLength(22)
  })

  test('with both breakers open nobody is asked, and the wait is told', async () => {
    const to = await sandbox({ status: 529 })
    let now = 1_000_000
    const llm = models(to, { now: () => now })
    for (const attempt of [1, 3]) {
      for (let n = 0; n < 20; n++) await llm.complete(question({ attempt }))
      now += 5_000
    }
    const outcome = await llm.complete(question())
    expect(outcome).toMatchObject({ class: 'retry', status: 0, vendor: null, retryAfterMs: 20_000 })
    expect(await asked(to)).toHaveLength(40)
  })

  test.each([
    ['answers that are wrong', { answer: 'wrong_shape' }, { schema: city }, 'retry'],
    ['requests that are refused', { status: 400 }, {}, 'invalid'],
    ['callers that give up', { delay_ms: 60_000 }, { signal: AbortSignal.abort() }, 'retry'],
  ] as const)('%s open nothing', async (_, rule, more, of) => {
    const to = await sandbox({ ...rule, times: 20 })
    const llm = models(to)
    for (let n = 0; n < 20; n++) expect(words(await llm.complete(question(more)))).toEqual([of, 'openai'])
    await fetch(`${to.url}/sandbox/script`, { method: 'DELETE' })
    expect(words(await llm.complete(question()))).toEqual(['ok', 'openai'])
  })

  test.each([401, 402, 429])('a vendor that answers %i to everything is left for the other', async (status) => {
    const llm = models(await sandbox({ provider: 'openai', status }))
    for (let n = 0; n < 20; n++) await llm.complete(question())
    expect(words(await llm.complete(question()))).toEqual(['ok', 'anthropic'])
  })
})

describe.each([
  ['openai', 1],
  ['anthropic', 3],
] as const)('%s: what goes wrong is an outcome, and is tried once', (vendor, attempt) => {
  test.each([...failures, ...bodyFailures])('%s', async (_, rule, expected) => {
    const to = await sandbox({ ...rule, times: 1 })
    const timed = (baseUrl: string) => ({ baseUrl, apiKey: 'key', timeoutMs: patience(rule) })
    const llm = models(to, {
      openai: { ...timed(to.baseUrls.openai), model: 'gpt-6-luna' },
      anthropic: { ...timed(to.baseUrls.anthropic), model: 'claude-sonnet-5-5' },
      maxBytes: 100_000,
    })
    const outcome = await llm.complete(question({ attempt }))
    expect(outcome).toMatchObject({ ...expected, vendor, text: '', toolCalls: [], costMicrodollars: 0 })
    expect(outcome.error).toMatch(new RegExp(`^${vendor} `))
    expect((await llm.complete(question({ attempt }))).class).toBe('ok')
    expect(await asked(to)).toEqual([vendor, vendor])
  })

  test('a body that begins and does not end is left when its time is up', async () => {
    const server = createServer((_, response) => void response.writeHead(200).write('{"id":'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const llm = createLlm({
      openai: { baseUrl, apiKey: 'k', model: 'gpt-6-luna', timeoutMs: 300 },
      anthropic: { baseUrl, apiKey: 'k', model: 'claude-sonnet-5-5', timeoutMs: 300 },
      budget: null,
      now: () => 0,
    })
    const outcome = await llm.complete(question({ attempt }))
    expect(outcome).toMatchObject({ class: 'retry', status: 200, error: `${vendor} gave no whole answer in time` })
  })

  test('a caller that gives up is left at once', async () => {
    const to = await sandbox({ delay_ms: 60_000 })
    const signal = AbortSignal.timeout(100)
    expect(await models(to).complete(question({ attempt, signal }))).toMatchObject({ class: 'retry', status: 0 })
  })

  test('an answer of the schema, the refusal of one, one that breaks off and one of another shape', async () => {
    const to = await sandbox(
      { answer: 'refusal', times: 1 },
      { answer: 'malformed_json', times: 1 },
      { answer: 'wrong_shape', times: 1 },
    )
    const request = question({ attempt, schema: city, messages: [{ role: 'user', content: '{"city":"Bern"}' }] })
    const outcomes: LlmOutcome[] = []
    for (let n = 0; n < 4; n++) outcomes.push(await models(to).complete(request))
    expect(outcomes.map((outcome) => outcome.class)).toEqual(['invalid', 'retry', 'retry', 'ok'])
    expect(outcomes.map((outcome) => 'json' in outcome)).toEqual([false, false, false, true])
    expect(outcomes[0]?.error).toContain('refused')
    expect(outcomes[1]?.error).toContain('no JSON')
    expect(outcomes[2]?.error).toContain('it breaks "required"')
    expect(outcomes[3]?.json).toEqual({ city: 'Bern', people: 18 })
    for (const { costMicrodollars } of outcomes) expect(costMicrodollars).toBeGreaterThan(0) // all were paid
  })
})

test('a vendor that cannot be reached', async () => {
  const gone = 'http://127.0.0.1:9'
  const outcome = await modelsOf({ openai: gone, anthropic: gone }).complete(question())
  expect(outcome).toMatchObject({ class: 'retry', status: 0, vendor: 'openai' })
})

describe('the budget', () => {
  const now = Date.parse('2026-03-04T23:00:00Z')
  const start = async (tenantDailyMicrodollars: number, ledger: SpendLedger = memoryLedger()) => {
    const to = await sandbox()
    let at = now
    const llm = models(to, { budget: { ledger, tenantDailyMicrodollars }, now: () => at })
    return { to, ledger, llm, on: (ms: number) => void (at = ms) }
  }

  test('M2: over budget nobody is asked; the other tenant, and the next day, are', async () => {
    const { to, ledger, llm, on } = await start(1_000)
    const first = await llm.complete(question({ maxOutputTokens: 1_800 })) // at most 900 for output, and some for input
    expect(first.class).toBe('ok')
    expect(await ledger.spent(tenantA, '2026-03-04')).toBe(first.costMicrodollars)
    await ledger.reserve({ tenantId: tenantA, day: '2026-03-04', microdollars: 900 - first.costMicrodollars }, 1_000)
    const refused = await llm.complete(question({ maxOutputTokens: 200 }))
    expect(refused).toMatchObject({ class: 'quota', status: 0, vendor: null, costMicrodollars: 0 })
    expect(refused.error).toContain('budget')
    expect(await asked(to)).toHaveLength(1)
    expect((await llm.complete(question({ maxOutputTokens: 200, tenantId: tenantB }))).class).toBe('ok')
    on(Date.parse('2026-03-05T00:00:00Z'))
    expect((await llm.complete(question({ maxOutputTokens: 200 }))).class).toBe('ok')
    expect(await ledger.spent(tenantA, '2026-03-04')).toBe(900)
  })

  test('its days go by business time where that is another, all else by the clock', async () => {
    const ledger = memoryLedger()
    const [time, day] = [now + 30 * 86_400_000, '2026-04-03']
    const budget = { ledger, tenantDailyMicrodollars: 1_000 }
    const llm = models(await sandbox(), { budget, now: () => now, time: () => time })
    await ledger.reserve({ tenantId: tenantA, day: dayOf(now), microdollars: 1_000 }, 1_000)
    const { costMicrodollars } = await llm.complete(question({ maxOutputTokens: 200 }))
    expect(costMicrodollars).toBeGreaterThan(0)
    expect(await ledger.spent(tenantA, day)).toBe(costMicrodollars)
    await ledger.reserve({ tenantId: tenantB, day, microdollars: 1_000 }, 1_000)
    expect(await llm.complete(question({ maxOutputTokens: 200, tenantId: tenantB }))).toMatchObject({ class: 'quota' })
  })

  test('calls side by side do not exceed it together', async () => {
    const { to, llm } = await start(1_000)
    const many = Array.from({ length: 10 }, () => llm.complete(question({ maxOutputTokens: 700 })))
    const classes = (await Promise.all(many)).map((outcome) => outcome.class)
    expect(classes.filter((of) => of === 'ok')).toHaveLength(2)
    expect(await asked(to)).toHaveLength(2)
  })

  test('a failure costs nothing, an answer that did not come whole may have been paid', async () => {
    const { to, ledger, llm } = await start(1_000_000)
    const spent = () => ledger.spent(tenantA, dayOf(now))
    const tell = (rule: object) =>
      fetch(`${to.url}/sandbox/script`, { method: 'PUT', body: JSON.stringify([{ ...rule, times: 1 }]) })
    for (const rule of [{ status: 500 }, { status: 429 }, { reset: true }]) {
      await tell(rule)
      expect((await llm.complete(question())).class).toBe('retry')
      expect(await spent()).toBe(0)
    }
    await tell({ truncate_at: 20 })
    expect((await llm.complete(question())).class).toBe('retry')
    expect(await spent()).toBeGreaterThan(250) // 500 tokens of output are 250
  })

  test('a ledger that is away is no answer before the call, and costs none after it', async () => {
    const away = (name: string) => Promise.reject(new Error(name))
    const dead = await start(1_000, { reserve: () => away('r'), settle: () => away('s'), spent: () => away('s') })
    expect(await dead.llm.complete(question())).toMatchObject({ class: 'retry', vendor: null })
    expect(await asked(dead.to)).toEqual([])
    const late = await start(1_000, { ...memoryLedger(), settle: () => away('s') })
    expect((await late.llm.complete(question())).class).toBe('ok')
  })
})

describe('settings and requests that cannot work', () => {
  const vendor = { baseUrl: 'http://127.0.0.1:9', apiKey: 'k', model: 'gpt-7', timeoutMs: 100 }
  const settings = { openai: vendor, anthropic: null, budget: null, now: () => 0 }

  test('a model without a price is an error at the start, a vendor too few likewise', () => {
    expect(() => createLlm(settings)).toThrow(
      new LlmSettingsError(`the price of openai's model "gpt-7" is not known; give it`),
    )
    expect(() => createLlm({ ...settings, openai: null })).toThrow(LlmSettingsError)
    const prices = { version: 'mine', models: { 'gpt-7': flatPrice(1, 2) } }
    expect(() => createLlm({ ...settings, prices })).not.toThrow()
  })

  test.each([
    ['no message', { messages: [] }, 'last message'],
    ['a last word of its own', { messages: [{ role: 'assistant', content: 'x' }] }, 'last message'],
    ['an empty message', { messages: [{ role: 'user', content: '' }] }, 'empty'],
    ['no room for an answer', { maxOutputTokens: 0 }, 'maxOutputTokens'],
    ['attempt 0', { attempt: 0 }, 'attempt'],
    [
      'a loose schema',
      { schema: { name: 'a', schema: { type: 'object', properties: { b: {} } } } },
      '"b" of the schema',
    ],
    ['a list as schema', { schema: { name: 'a', schema: { type: 'array', items: {} } } }, 'no schema of an object'],
    ['no schema', { schema: { name: 'a', schema: { type: 'object', properties: { b: { type: 'x' } }, required: ['b'] } } }, 'no JSON schema'], // prettier-ignore
    ['a strange name', { tools: [{ name: 'a b', description: '', parameters: city.schema }] }, 'letters, digits'],
  ] as const)('%s', async (_, more, words) => {
    const { url, seen } = await scripted({ body: {} })
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question(more))
    expect(outcome).toMatchObject({ class: 'invalid', status: 0, vendor: null })
    expect(outcome.error).toContain(words)
    expect(seen).toEqual([])
  })
})

describe('vectors', () => {
  const signal = new AbortController().signal
  const embedding = { model: 'text-embedding-3-large', dimensions: 8 }
  const texts = ['one', 'two']
  const answer = (data: unknown) => ({ body: { object: 'list', model: 'm', data, usage: { prompt_tokens: 1_000 } } })
  const base64 = Buffer.from(Float32Array.of(0.5, -2).buffer).toString('base64')

  test('what is sent, and what comes back in any order and spelling', async () => {
    const { url, seen } = await scripted(
      answer([
        { index: 1, embedding: [1, 2] },
        { index: 0, embedding: base64 },
      ]),
    )
    const llm = modelsOf({ openai: `${url}/v1`, anthropic: url }, { embedding })
    const outcome = await llm.embed({ texts, tenantId: tenantA, signal })
    expect(seen[0]).toMatchObject({ path: '/v1/embeddings', headers: { authorization: 'Bearer sk-openai' } })
    expect(seen[0]?.body).toEqual({ ...embedding, input: texts, encoding_format: 'base64' })
    expect(outcome).toMatchObject({ class: 'ok', vendor: 'openai', model: 'm', costMicrodollars: 130 })
    expect(outcome.vectors).toEqual([Float32Array.of(0.5, -2), Float32Array.of(1, 2)])
  })

  test.each([
    ['one too few', [{ index: 0, embedding: base64 }]],
    ['one twice', [{ index: 0, embedding: base64 }, { index: 0, embedding: base64 }]], // prettier-ignore
    ['of two lengths', [{ index: 0, embedding: base64 }, { index: 1, embedding: [1] }]], // prettier-ignore
    ['no bytes', [{ index: 0, embedding: '' }, { index: 1, embedding: '' }]], // prettier-ignore
  ])('%s cannot be read', async (_, data) => {
    const { url } = await scripted(answer(data))
    const outcome = await modelsOf({ openai: url, anthropic: url }, { embedding }).embed({
      texts,
      tenantId: tenantA,
      signal,
    })
    expect(outcome).toMatchObject({ class: 'retry', status: 200, vectors: [] })
  })

  test('they stand in the budget and behind the breaker, and Anthropic has none', async () => {
    const to = await sandbox({ operation: 'embed', status: 500, times: 20 })
    const ledger = memoryLedger()
    const llm = models(to, { embedding, budget: { ledger, tenantDailyMicrodollars: 3 } })
    const long = { texts: ['x'.repeat(30)], tenantId: tenantA, signal } // its bytes as tokens cost 4
    expect(await llm.embed(long)).toMatchObject({ class: 'quota', vendor: null })
    for (let n = 0; n < 20; n++) expect((await llm.embed({ ...long, texts })).class).toBe('retry')
    expect(await llm.embed({ ...long, texts })).toMatchObject({
      class: 'retry',
      vendor: null,
      retryAfterMs: expect.any(Number) as number,
    })
    expect((await asked(to)).length).toBe(20)
    expect(await models(to, { embedding, openai: null }).embed(long)).toMatchObject({ class: 'invalid', vendor: null })
    expect(await models(to).embed(long)).toMatchObject({ class: 'invalid', vendor: null })
    expect(await models(to, { embedding }).embed({ ...long, texts: [''] })).toMatchObject({ class: 'invalid' })
    expect(() => models(to, { embedding: { model: 'unknown' } })).toThrow(LlmSettingsError)
  })
})
