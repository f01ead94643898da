/**
 * Perplexity: `answer` asks the Agent API a structured question with a forced web search, `search` is the cheap plain
 * search whose pages we read ourselves. Neither takes an idempotency key, so a crash between call and commit may repeat
 * (and pay) a call.
 */

import type { CallClass, CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import type { HttpAnswer } from '../http/index.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'
import type { ResearchQuestion } from './answer.ts'
import { boundAnswer, readQuestion } from './answer.ts'
import { claimsFrom } from './extract.ts'
import { answerRequest, errorCode, readReply, readSearchReply } from './perplexity-wire.ts'
import type { ResearchProviderSettings } from './settings.ts'
import { defaultConcurrency, defaultMaxBytes } from './settings.ts'

export interface PerplexitySettings extends ResearchProviderSettings {
  /** The Agent API's preset; `fast` unless told. */
  readonly preset?: string
  /** The price of one plain search, which its answer does not tell; 5,000 (0.005 USD) unless told. */
  readonly searchCostMicrodollars?: number
}

export function perplexityProvider(settings: PerplexitySettings): Provider {
  return Object.freeze({
    name: 'perplexity',
    account: settings.mode,
    mode: settings.mode,
    repeat: 'may-repeat' as const,
    rate: settings.rate,
    concurrency: settings.concurrency ?? defaultConcurrency,
    timeoutMs: settings.timeoutMs,
    call(call: ProviderCall): Promise<CallOutcome> {
      const question = readQuestion(call.request)
      if (question === null) return Promise.resolve(refused('the request is not a research question'))
      if (call.operation === 'answer') return answer(settings, question, call.signal)
      if (call.operation === 'search') return search(settings, question, call.signal)
      return Promise.resolve(refused('perplexity has no such operation'))
    },
  })
}

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

async function answer(
  settings: PerplexitySettings,
  question: ResearchQuestion,
  signal: AbortSignal,
): Promise<CallOutcome> {
  const http = await post(settings, '/v1/responses', answerRequest(question, settings.preset ?? 'fast'), signal)
  if (http.kind === 'failure' || http.status !== 200) return failure(settings, http)
  const reply = readReply(parseJson(http.body))
  switch (reply.kind) {
    case 'unreadable':
      return failure(settings, http, { words: 'gave an answer that cannot be read' })
    case 'failed': {
      const named = failedClass(reply.code)
      const told = { named, code: reply.code, words: 'could not finish its answer' }
      return { ...failure(settings, http, told), costMicrodollars: reply.costMicrodollars }
    }
    case 'answer':
      return {
        class: 'ok',
        status: 200,
        output: boundAnswer(question, reply.answer),
        costMicrodollars: reply.costMicrodollars,
      }
  }
}

async function search(
  settings: PerplexitySettings,
  question: ResearchQuestion,
  signal: AbortSignal,
): Promise<CallOutcome> {
  const query = searchQueries(question)
  const http = await post(settings, '/search', { query, max_results: 10, max_tokens_per_page: 512 }, signal)
  if (http.kind === 'failure' || http.status !== 200) return failure(settings, http)
  const pages = readSearchReply(parseJson(http.body))
  if (pages === null) return failure(settings, http, { words: 'gave an answer that cannot be read' })
  const documents = pages.map((page) => ({
    url: page.url,
    title: page.title,
    text: page.snippet ?? '',
    date: page.date ?? null,
  }))
  const found = { searched: documents.length > 0, claims: claimsFrom(question, documents) }
  return {
    class: 'ok',
    status: 200,
    output: boundAnswer(question, found),
    costMicrodollars: settings.searchCostMicrodollars ?? 5_000,
  }
}

const topics: Readonly<Record<ResearchQuestion['fields'][number], string>> = {
  company_info: 'company overview',
  competitor: 'alternatives and competitors',
  pricing: 'pricing plans',
  tech_stack: 'technology stack',
  volume_prediction: 'number of customers',
}

/** One query a field: the name in quotes, then domain and industry, so that a namesake ranks lower. */
export function searchQueries(question: ResearchQuestion): string[] {
  const name = `"${question.company_name.replaceAll('"', ' ')}"`
  const industry = question.industry === null ? '' : `(${question.industry.replace(/[()]/g, ' ')})`
  return question.fields.map((field) =>
    [name, question.domain ?? '', industry, topics[field]].join(' ').replace(/ {2,}/g, ' '),
  )
}

function post(settings: PerplexitySettings, path: string, json: unknown, signal: AbortSignal): Promise<HttpAnswer> {
  return httpCall({
    method: 'POST',
    url: settings.baseUrl + path,
    headers: { authorization: `Bearer ${settings.apiKey}` },
    json,
    timeoutMs: settings.timeoutMs,
    maxBytes: settings.maxBytes ?? defaultMaxBytes,
    signal,
  })
}

function failure(
  settings: PerplexitySettings,
  http: HttpAnswer,
  told: { named?: CallClass; code?: string | undefined; words?: string } = {},
): CallOutcome {
  const code = told.code ?? (http.kind === 'answer' ? errorCode(parseJson(http.body)) : undefined)
  const named = told.named ?? (code !== undefined && quotaCodes.has(code) ? 'quota' : undefined)
  return failedOutcome('perplexity', http, (settings.now ?? Date.now)(), {
    ...(named === undefined ? {} : { named }),
    ...(told.words === undefined ? {} : { words: told.words }),
    code,
  })
}

const quotaCodes: ReadonlySet<string> = new Set(['insufficient_quota', 'insufficient_credits', 'billing_error'])

/** A response that is `failed` inside a 200: only what names a fault of ours is not tried again. */
function failedClass(code: string | undefined): CallClass {
  if (code === undefined) return 'retry'
  if (quotaCodes.has(code)) return 'quota'
  return code.startsWith('invalid') || code === 'content_policy_violation' ? 'invalid' : 'retry'
}
