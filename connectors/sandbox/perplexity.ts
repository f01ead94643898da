/** Perplexity's Agent API and plain search, for practice. */

import type { CompanyAsked, CompanyFacts, Page } from './companies.ts'
import { factsOf } from './companies.ts'
import type { Answer, Asked, StandIn } from './exchange.ts'
import { field, hasBearer, idOf, jsonAnswer, textField } from './exchange.ts'
import type { SandboxRule } from './script.ts'

const operations: Readonly<Record<string, string>> = {
  '/v1/responses': 'answer',
  '/v1/agent': 'answer',
  '/search': 'search',
}

export const perplexity: StandIn = {
  name: 'perplexity',
  recognise(asked) {
    const operation = asked.method === 'POST' ? operations[asked.path] : undefined
    if (operation === undefined) return null
    const { company } = operation === 'answer' ? questionIn(asked.json) : searchIn(asked.json)
    return { operation, companies: [company.domain, company.name].filter((name) => name !== null) }
  },
  answer(operation, asked, told) {
    if (!hasBearer(asked)) return { status: 401, body: this.error(401) }
    if (asked.json === undefined) return { status: 400, body: this.error(400) }
    return operation === 'answer' ? respond(asked, told) : search(asked, told)
  },
  error(status) {
    const types: Readonly<Record<number, string>> = {
      401: 'invalid_api_key',
      402: 'insufficient_quota',
      429: 'rate_limit_exceeded',
    }
    const type = types[status] ?? (status >= 500 ? 'server_error' : 'invalid_request')
    return JSON.stringify({ error: { code: type, type, message: `The sandbox answers ${status}.` } })
  },
}

function respond(asked: Asked, told: SandboxRule['answer']): Answer {
  const { company, fields } = questionIn(asked.json)
  const facts = factsOf(company)
  const id = idOf(asked.body)
  if (told === 'failed') {
    const error = { code: 'server_error', type: 'server_error', message: 'The sandbox failed this response.' }
    return jsonAnswer(200, { id: `resp_${id}`, object: 'response', status: 'failed', output: [], error })
  }
  const unsure = told === 'low_confidence'
  const text = wantsResearch(asked.json)
    ? JSON.stringify(findings(facts, fields, unsure, told === 'few_competitors' ? 2 : Number.POSITIVE_INFINITY))
    : facts.summary
  const results = [...facts.pages, ...facts.competitors.map(competitorPage)]
  const searched = { type: 'search_results', queries: [company.name], results: results.map(searchResult) }
  const message = {
    type: 'message',
    id: `msg_${id}`,
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  }
  return jsonAnswer(200, {
    id: `resp_${id}`,
    object: 'response',
    status: 'completed',
    model: 'sandbox',
    output: unsure ? [message] : [searched, message],
    usage: {
      input_tokens: 400,
      output_tokens: 600,
      total_tokens: 1_000,
      cost: { input_cost: 0.0004, output_cost: 0.0006, tool_calls_cost: 0.005, total_cost: 0.006, currency: 'USD' },
    },
    error: null,
  })
}

function findings(facts: CompanyFacts, fields: ReadonlySet<string>, unsure: boolean, atMost: number): unknown {
  const { summary, industry, employees, headquarters, founded, pricing, technologies } = facts
  const [own, directories] = [true, false].map((wanted) =>
    facts.pages.filter((page) => page.own === wanted).map(({ url }) => url),
  ) as [string[], string[]]
  const match = unsure ? 0.5 : 0.95
  const support = (more: readonly string[] = []): unknown => ({
    match,
    sources: unsure ? [] : [...more, ...directories.slice(0, 4 - more.length)],
  })
  const told = (name: string, value: object): unknown => (fields.has(name) ? Object.assign(value, support(own)) : null)
  const competitors = fields.has('competitor') ? facts.competitors.slice(0, atMost) : []
  return {
    company_info: told('company_info', { summary, industry, employees, headquarters, founded }),
    competitors: competitors.map(({ name, url, price }) =>
      Object.assign({ name, url, pricing: { ...pricing, starting_price: price } }, support([url])),
    ),
    pricing: told('pricing', { ...pricing }),
    tech_stack: told('tech_stack', { technologies }),
    volume_prediction: told('volume_prediction', {
      monthly_conversations: facts.monthlyConversations,
      basis: `${employees} employees`,
    }),
  }
}

function search(asked: Asked, told: SandboxRule['answer']): Answer {
  const { company } = searchIn(asked.json)
  const most = field(asked.json, 'max_results')
  const pages = told === 'low_confidence' ? [] : factsOf(company).pages
  const results = pages.slice(0, typeof most === 'number' ? most : 10).map(searchResult)
  return jsonAnswer(200, { id: idOf(asked.body), results, server_time: null })
}

const searchResult = ({ url, title, snippet, date }: Page, n: number) => {
  return { id: n + 1, url, title, snippet, date, last_updated: date, source: 'web' }
}

const competitorPage = ({ name, url }: CompanyFacts['competitors'][number]): Page => ({
  url,
  title: name,
  snippet: `${name}, the official site.`,
  date: '2026-01-15',
  own: false,
})

/** Our own clients put one JSON object into `input`; of any other input the first line is the name. */
function questionIn(json: unknown): { readonly company: CompanyAsked; readonly fields: ReadonlySet<string> } {
  const input = textField(json, 'input') ?? ''
  const asked = parsed(input)
  const fields = field(asked, 'fields')
  return {
    company: {
      name: textField(asked, 'company_name') ?? input.split('\n')[0]!.slice(0, 100),
      domain: textField(asked, 'domain'),
      industry: textField(asked, 'industry'),
    },
    fields: new Set(Array.isArray(fields) ? fields.map(String) : []),
  }
}

const wantsResearch = (json: unknown): boolean =>
  field(field(field(json, 'response_format'), 'json_schema'), 'name') === 'company_research'

/** `"Name" domain (industry) topic`, the first of several. */
function searchIn(json: unknown): { readonly company: CompanyAsked } {
  const query = field(json, 'query')
  const text = String((Array.isArray(query) ? (query[0] as unknown) : query) ?? '')
  const name = /"([^"]+)"/.exec(text)?.[1] ?? text
  const rest = text.replace(/"[^"]*"/, '')
  const domain = /\b[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/u.exec(rest)?.[0] ?? null
  return { company: { name, domain, industry: /\(([^)]+)\)/.exec(rest)?.[1] ?? null } }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
