/** The stand-ins of language models: useful answers of any schema, short turns of a chat, and what they refuse. */

import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { answerPrompt, classifyPrompt, isGrounded, readClassified, readDraft } from '../../../connectors/agents/demo-chat-prompts.ts' // prettier-ignore
import type { DemoGenerated } from '../../../connectors/agents/demo-content.ts'
import { contentOf } from '../../../connectors/agents/demo-content.ts'
import { industries } from '../../../connectors/sandbox/industries.ts'
import { filled } from '../../../connectors/sandbox/fill-schema.ts'
import { schemaCheck } from '../../../connectors/llm/schema.ts'
import type { JsonSchema, LlmRequest } from '../../../connectors/llm/index.ts'
import type { LoggedCall, Sandbox } from '../../../connectors/sandbox/index.ts'
import { personalizationOf, scriptRequest } from '../../../processors/demo/script.ts'
import { demoDefaults } from '../../../processors/demo/settings.ts'
import type { Json } from '../../../schemas/index.ts'
import { models, question } from '../llm/start.ts'
import { get, sandbox } from './start.ts'

const text = { type: 'string' } as const
const object = (properties: Readonly<Record<string, Json>>): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
})
const list = (items: Json, more: Readonly<Record<string, Json>> = {}): Json => ({ type: 'array', items, ...more })

const demo = {
  name: 'demo',
  schema: object({
    headline: { ...text, maxLength: 90 },
    pain_points: list(object({ text, finding_id: text }), { minItems: 1, maxItems: 3 }),
    steps: list(object({ title: text, text, finding_id: { type: ['string', 'null'] } }), { maxItems: 5 }),
    talk_track: text,
  }),
}
interface Demo {
  headline: string
  pain_points: { text: string; finding_id: string }[]
  steps: { title: string; text: string; finding_id: string | null }[]
  talk_track: string
}
const findings = [
  { finding_id: 'f-volume', finding_type: 'volume_prediction', data: { monthly_conversations: 12_340 } },
  { finding_id: 'f-rival', finding_type: 'competitor', data: { name: 'Rivalry', pricing: { starting_price: 49, unit: 'seat' } } }, // prettier-ignore
  { finding_id: 'f-stack', finding_type: 'tech_stack', data: { technologies: ['Kafka', 'SAP'] } },
]
const ask = async (to: Sandbox, content: unknown, more: Partial<LlmRequest> = {}) => {
  const words = typeof content === 'string' ? content : JSON.stringify(content)
  const messages = [{ role: 'user' as const, content: words }]
  return models(to).complete(question({ maxOutputTokens: 4_000, messages, ...more }))
}
const asks = async (to: Sandbox, more: Partial<LlmRequest> = {}, company: object = {}) =>
  (await ask(to, { company_name: 'Acme', industry: 'Logistics', findings, ...company }, { schema: demo, ...more }))
    .json as unknown as Demo

describe('a demo', () => {
  test.each([1, 3])('cites findings that were given, and says what they say (attempt %i)', async (attempt) => {
    const { pain_points: pains, steps, headline, talk_track: talk } = await asks(await sandbox(), { attempt })
    expect(pains.map(({ finding_id: id }) => id)).toEqual(['f-volume', 'f-rival', 'f-stack'])
    expect(pains[0]?.text).toContain('12,340')
    expect(pains[1]?.text).toMatch(/Rivalry.*49 a seat/)
    expect(pains[2]?.text).toContain('Kafka and SAP')
    expect(steps.map(({ finding_id: id }) => id)).toEqual([null, 'f-volume', 'f-rival', 'f-stack'])
    expect(new Set(steps.flatMap((step) => [step.title, step.text])).size).toBe(8)
    for (const said of [headline, talk]) expect(said).toContain('Acme')
    expect(talk).toContain('where a shipment is')
  })

  test('is the same in any sandbox and of either vendor, and another for another industry', async () => {
    const first = await asks(await sandbox())
    expect(await asks(await sandbox(), { attempt: 3 })).toEqual(first)
    const to = await sandbox()
    const talks = new Set<string>()
    for (const { words } of industries) talks.add((await asks(to, {}, { industry: words[0] ?? 'Other' })).talk_track)
    expect(talks.size).toBe(industries.length)
  })

  test("is such that the platform's own generator believes all of it", async () => {
    const to = await sandbox()
    const data = {
      company_info: { summary: `Acme ${'moves freight '.repeat(30)}.`, employees: 1_200, founded: 1999 },
      competitor: { name: 'Rivalry International Freight Holdings', url: null, pricing: { starting_price: 0.5, currency: 'USD', unit: 'month' } }, // prettier-ignore
      pricing: { model: 'usage', starting_price: 1_250.75, currency: 'USD', unit: 'shipment' },
      tech_stack: { technologies: ['A very long name of a system', 'Another long name of a system', 'C'] },
      volume_prediction: { monthly_conversations: 1_234_567, basis: '1200 employees' },
    }
    const given = Object.entries(data).map(([finding_type, of]) => {
      return { finding_id: `id-${finding_type}`, session_id: 's', finding_type, data: of }
    }) as unknown as Parameters<typeof scriptRequest>[2]
    for (const industry of ['Logistics', 'Payments', undefined])
      for (const attempt of [1, 3]) {
        const company = { company_name: 'Acme', ...(industry === undefined ? {} : { industry }) }
        const { messages, schema, maxOutputTokens, system } = scriptRequest(demoDefaults, company, given, null) as unknown as LlmRequest // prettier-ignore
        const { json } = await models(to).complete(
          question({ attempt, system, messages, schema: schema!, maxOutputTokens }),
        )
        const said = json as unknown as Demo & { call_to_action: string }
        const kept = personalizationOf(company, given, json)
        expect(kept.headline).toBe(said.headline)
        expect(kept.pain_points).toEqual(said.pain_points.slice(0, 4))
        expect(kept.steps).toEqual(said.steps)
        expect(kept.call_to_action).toBe(said.call_to_action)
        expect(kept.steps.map(({ finding_id: id }) => id)).toContain('id-pricing')
      }
  })

  test('without findings invents none', async () => {
    const bare = await asks(await sandbox(), {}, { findings: [] })
    expect(bare.steps.filter(({ finding_id: id }) => id !== null)).toEqual([])
  })

  test('speaks of one finding of each type before a second of any', async () => {
    const [volume, rival, stack] = findings
    const more = [
      { ...rival, finding_id: 'f-rival-2' },
      { ...rival, finding_id: 'f-rival-3' },
    ]
    const { pain_points: pains } = await asks(await sandbox(), {}, { findings: [rival, ...more, volume, stack] })
    expect(pains.map(({ finding_id: id }) => id)).toEqual(['f-rival', 'f-volume', 'f-stack'])
  })

  test('scripted: a finding that nobody gave is cited once', async () => {
    const to = await sandbox({ answer: 'invented_finding', companies: ['acme'], times: 2 })
    for (const attempt of [1, 3]) {
      const { pain_points: pains, steps } = await asks(to, { attempt })
      const known = new Set<string | null>([...findings.map(({ finding_id: id }) => id), null])
      const strange = [...pains, ...steps].filter(({ finding_id: id }) => !known.has(id))
      expect(strange).toHaveLength(1)
    }
    expect((await asks(to)).pain_points[0]?.finding_id).toBe('f-volume')
  })
})

describe('any schema', () => {
  const numbers = object({
    score: { type: 'integer', minimum: 3, maximum: 5 },
    share: { type: 'number', minimum: 0, maximum: 1 },
    count: { type: 'integer' },
  })
  test.each<[string, JsonSchema, object, unknown]>([
    [
      'fields of the same name are copied',
      object({ city: text, people: { type: 'number' } }),
      { city: 'Bern', people: 3 },
      { city: 'Bern', people: 3 },
    ],
    ['numbers keep within their bounds', numbers, { count: 7, score: 90 }, { score: 5, share: 0.8, count: 7 }],
    [
      'lists of the same name are walked',
      object({ items: list(object({ id: text, ok: { type: 'boolean' } })) }),
      { items: [{ id: 'a', ok: true }, { id: 'b' }] },
      {
        items: [
          { id: 'a', ok: true },
          { id: 'b', ok: false },
        ],
      },
    ],
    [
      'one of a list of words is chosen',
      object({ tone: { enum: ['formal', 'warm'] } }),
      { wish: 'be warm' },
      { tone: 'warm' },
    ],
    [
      'nothing is null where it may be',
      object({ owner_id: { anyOf: [text, { type: 'null' }] }, due: { type: ['string', 'null'] } }),
      {},
      { owner_id: null, due: null },
    ],
    [
      'a definition elsewhere is found',
      { ...object({ place: { $ref: '#/$defs/place' } }), $defs: { place: object({ city: text }) } },
      { place: { city: 'Bern' } },
      { place: { city: 'Bern' } },
    ],
  ])('%s', async (_, schema, given, value) => {
    const to = await sandbox()
    for (const attempt of [1, 3])
      expect(await ask(to, given, { attempt, schema: { name: 'any', schema } })).toMatchObject({
        class: 'ok',
        json: value,
      })
  })

  test('lengths are kept', () => {
    const short = object({
      title: { ...text, maxLength: 12 },
      text: { ...text, minLength: 400 },
      list: list(text, { minItems: 2 }),
    })
    const value = filled(short, { asked: {}, findings: [], words: '' })
    expect(schemaCheck(short)(value)).toBeNull()
  })
})

describe('a turn of a chat', () => {
  const facts = {
    company_name: 'Acme',
    plan: 'Pro',
    passages: [
      { id: 'k1', title: 'Refunds', text: 'A refund is possible within 30 days. Write to us.' },
      { id: 'k2', title: 'Opening hours', text: 'We open at 9. We close at 17.' },
    ],
  }
  const system = `You help.\n\`\`\`facts\n${JSON.stringify(facts)}\n\`\`\``

  test.each([
    ['Can I get a refund?', /"Can I get a refund\?": A refund is possible within 30 days \[k1\]\./],
    ['What are your opening hours?', /We open at 9\. We close at 17 \[k2\]\./],
    ['Which plan do I have?', /plan: Pro\./],
    ['Do you sell whales?', /"Do you sell whales\?".*nothing on that/],
    ['Hello there', /^Hello!.*Acme/],
  ])('%s', async (said, reply) => {
    const to = await sandbox()
    for (const attempt of [1, 3]) {
      const outcome = await ask(to, said, { system, attempt })
      expect(outcome).toMatchObject({ class: 'ok', stop: 'end' })
      expect(outcome.text).toMatch(reply)
    }
  })

  test('in JSON, with what it stands on', async () => {
    const schema = object({ reply: text, citations: list(text), confidence: { type: 'number' } })
    const { json } = await ask(await sandbox(), 'Can I get a refund?', { system, schema: { name: 'turn', schema } })
    expect(json).toMatchObject({ citations: ['k1'], confidence: 0.8 })
  })

  describe('of a demo, by the prompts of the platform', () => {
    const content = contentOf({
      personalization: {
        company_name: 'Acme',
        headline: 'Answers about every shipment',
        pain_points: [
          { text: 'About 12,340 conversations a month ask Acme where a shipment is.', finding_id: 'f-volume' },
          { text: 'Rivalry asks 49 a seat.', finding_id: 'f-rival' },
        ],
        steps: [],
        call_to_action: 'Write to us',
      },
    } as unknown as DemoGenerated)

    test.each([
      ['How many conversations does it handle a month?', 'en', ['f-volume']],
      ['Is there no other price than that of Rivalry?', 'en', ['f-rival']],
      ['Wie viele conversations sind das, und was kann die Demo?', 'de', ['f-volume']],
      ['¿Cuántas conversations con Acme?', 'es', ['f-volume']],
      ['Combien de conversations avec Rivalry ?', 'fr', ['f-rival', 'f-volume']],
      ['Do whales sing?', 'en', []],
    ])('%s', async (said, language, cited) => {
      const to = await sandbox()
      for (const attempt of [1, 3]) {
        const sorted = await ask(to, said, { ...(classifyPrompt as Partial<LlmRequest>), attempt })
        expect(readClassified(sorted.json ?? null)).toMatchObject({ language })
        const answered = await ask(to, said, {
          ...(answerPrompt(content, language, 600) as Partial<LlmRequest>),
          attempt,
        })
        const draft = readDraft(answered.json ?? null)!
        expect(new Set(draft.findings)).toEqual(new Set(cited))
        expect([isGrounded(draft, content), /f-volume|f-rival/.test(draft.text)]).toEqual([cited.length > 0, false])
        if (cited.includes('f-rival')) expect(draft.text).toContain('Rivalry asks 49 a seat')
        if (cited.includes('f-volume')) expect(draft.text).toContain('About 12,340 conversations a month')
      }
    })
  })

  test('a tool is called when the words ask for it, with arguments out of them', async () => {
    const to = await sandbox()
    const tools = [
      { name: 'search_knowledge', description: 'Searches.', parameters: object({ query: text }) },
      { name: 'refund_order', description: 'Refunds.', parameters: object({ order_id: text, amount_cents: { type: 'integer' } }) }, // prettier-ignore
    ]
    for (const attempt of [1, 3]) {
      const calls = async (said: string) =>
        (await ask(to, said, { tools, attempt })).toolCalls.map(({ name, arguments: given }) => [name, given])
      expect(await calls('How do I export?')).toEqual([['search_knowledge', { query: 'How do I export?' }]])
      expect(await calls('Please refund order A-77')).toEqual([
        ['refund_order', { order_id: 'A-77', amount_cents: 77 }],
      ])
      expect(await calls('Thanks a lot.')).toEqual([])
    }
  })

  test('an answer longer than asked for is cut', async () => {
    const outcome = await ask(await sandbox(), 'Can I get a refund?', { system, maxOutputTokens: 16 })
    expect(outcome).toMatchObject({ class: 'ok', stop: 'length', usage: { outputTokens: 16 } })
    expect(outcome.text).toHaveLength(64)
  })
})

test('scripts name operations and companies of these providers too', async () => {
  const to = await sandbox({ provider: 'anthropic', operation: 'message', companies: ['ACME'], status: 529, times: 1 })
  expect((await ask(to, { company_name: 'Other' }, { attempt: 3 })).class).toBe('ok')
  expect((await ask(to, { company_name: 'Acme' }, { attempt: 3 })).status).toBe(529)
  const { calls } = await get<{ calls: LoggedCall[] }>(`${to.url}/sandbox/calls?provider=anthropic`)
  expect(calls.map(({ operation, companies, status }) => [operation, companies, status])).toEqual([
    ['message', ['Other'], 200],
    ['message', ['Acme'], 529],
  ])
})

test("the vendor's own SDK reads the embeddings", async () => {
  const to = await sandbox()
  const client = new OpenAI({ baseURL: to.baseUrls.openai, apiKey: 'key', maxRetries: 0 })
  const model = 'text-embedding-3-small'
  const { data } = await client.embeddings.create({ model, input: ['a fine day', 'a fine day'], dimensions: 64 })
  expect(data.map(({ embedding }) => embedding.length)).toEqual([64, 64])
  expect(data[0]?.embedding).toEqual(data[1]?.embedding)
  const plain = await client.embeddings.create({ model, input: 'a fine day', dimensions: 64, encoding_format: 'float' })
  expect(plain.data[0]?.embedding).toEqual(data[0]?.embedding)
})

describe('what the real ones refuse', () => {
  const open = { type: 'object', properties: { a: text }, required: ['a'] }
  const closed = { ...open, additionalProperties: false }
  const format = (schema: unknown) => ({ text: { format: { type: 'json_schema', name: 'n', strict: true, schema } } })
  const post = async (url: string, headers: Readonly<Record<string, string>>, body: unknown) =>
    (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).status
  const bearer = { authorization: 'Bearer key' }

  test.each<[string, object, number]>([
    ['a plain question', {}, 200],
    ['a strict schema', format(closed), 200],
    ['an open object', format(open), 400],
    ['an optional property', format({ ...closed, required: [] }), 400],
    ['a rule that is not taken', format({ ...closed, properties: { a: { ...text, maxLength: 3 } } }), 400],
    [
      'a property that is called like a rule',
      format({ type: 'object', properties: { maxLength: text }, required: ['maxLength'], additionalProperties: false }),
      200,
    ],
    ['no input', { input: [] }, 400],
    ['an answer to no call', { input: [{ type: 'function_call_output', call_id: 'x', output: '' }] }, 400],
    ['too little room', { max_output_tokens: 5 }, 400],
  ])('OpenAI: %s', async (_, more, status) => {
    const to = await sandbox()
    const body = { model: 'm', input: 'Hello', ...more }
    expect(await post(`${to.baseUrls.openai}/responses`, bearer, body)).toBe(status)
    expect(await post(`${to.baseUrls.openai}/responses`, {}, body)).toBe(401)
  })

  const version = { 'anthropic-version': '2026-10-21' }
  const use = { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'n', input: {} }] }
  const hello = { role: 'user', content: 'Hello' }
  const result = (id: string) => ({ role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: 'x' }] })
  const output = (schema: unknown) => ({ output_config: { format: { type: 'json_schema', schema } } })
  test.each<[string, object, number]>([
    ['a plain question', {}, 200],
    ['a schema', output(closed), 200],
    ['a temperature', { temperature: 1 }, 400],
    ['top_p', { top_p: 1 }, 400],
    ['top_k', { top_k: 1 }, 400],
    ['no max_tokens', { max_tokens: undefined }, 400],
    ['an open object', output(open), 400],
    ['a rule that is not taken', output({ ...closed, properties: { a: { type: 'integer', minimum: 3 } } }), 400],
    ['a last word of its own', { messages: [hello, { role: 'assistant', content: 'x' }] }, 400],
    ['a call that is answered', { messages: [hello, use, result('t')] }, 200],
    ['a call that is not', { messages: [hello, use, hello] }, 400],
    ['an answer to another call', { messages: [hello, use, result('u')] }, 400],
    ['an answer to no call', { messages: [hello, result('t')] }, 400],
  ])('Anthropic: %s', async (_, more, status) => {
    const to = await sandbox()
    const body = { model: 'm', max_tokens: 100, messages: [hello], ...more }
    const url = `${to.baseUrls.anthropic}/v1/messages`
    expect(await post(url, { ...bearer, ...version }, body)).toBe(status)
    expect(await post(url, { 'x-api-key': 'key', ...version }, body)).toBe(status)
    expect(await post(url, version, body)).toBe(401)
    expect(await post(url, bearer, body)).toBe(400)
  })
})
