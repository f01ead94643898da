/**
 * One call to a language model, at the vendor whose turn it is.
 *
 *   M1  It asks once: which vendor follows from `attempt` and the breakers alone, and trying again is the caller's.
 *   M2  Nothing is asked before its dearest cost is reserved from the tenant's budget of the day.
 *   M3  An answer is `ok` only when it is what was asked for: of the schema, or calls of tools that were offered.
 */

import type { Json } from '../../schemas/index.ts'
import { anthropicClient } from './anthropic.ts'
import type { Admission, BreakerSettings } from './breaker.ts'
import { Breaker, breakerDefaults } from './breaker.ts'
import { openaiClient } from './openai.ts'
import type { EmbedOutcome, EmbedRequest, Llm, LlmOutcome, LlmRequest, ToolCall, Vendor } from './port.ts'
import { noUsage } from './port.ts'
import type { ModelPrice, PriceTable } from './prices.ts'
import { costMicrodollars, knownPrices, mostMicrodollars } from './prices.ts'
import { embedFault, faultOf } from './request.ts'
import { schemaCheck } from './schema.ts'
import type { Budget } from './spend.ts'
import { dayOf, withinBudget } from './spend.ts'
import type { VendorAnswer, VendorClient, VendorEmbedding, VendorFailure, VendorSettings } from './vendor.ts'

export interface LlmSettings {
  /** Null: is not asked. One of the two is there. */
  readonly openai: VendorSettings | null
  readonly anthropic: VendorSettings | null
  /** How many attempts of a call ask OpenAI before Anthropic is asked; 2 unless told. */
  readonly primaryAttempts?: number
  /** Prices of models, beside or instead of `knownPrices`; its version is told with every cost. */
  readonly prices?: PriceTable
  /** OpenAI's model for `embed`, and the length of its vectors where it is not the model's own; null or absent: none. */
  readonly embedding?: { readonly model: string; readonly dimensions?: number } | null
  /** Null: no limit, and nothing is kept. */
  readonly budget: Budget | null
  readonly breaker?: BreakerSettings
  /** How much the models think before they write; the vendors' own defaults when null or absent. */
  readonly effort?: 'low' | 'medium' | 'high' | null
  /** The longest answer that is read, in bytes; 4 MiB unless told. */
  readonly maxBytes?: number
  /** Wall clock in ms. */
  readonly now: () => number
  /** By what clock the days of the budget go, in ms; by `now` unless told. */
  readonly time?: () => number
}

/** Settings that cannot work. The message is one line. */
export class LlmSettingsError extends Error {
  override readonly name = 'LlmSettingsError'
}

interface Seat {
  readonly client: VendorClient
  readonly price: ModelPrice
  readonly breaker: Breaker
}

/** @throws LlmSettingsError when no vendor is there, or a model's price is not known */
export function createLlm(settings: LlmSettings): Llm {
  const { embedding = null } = settings
  const price = embedding === null ? undefined : priceOf(settings, embedding.model)
  if (embedding !== null && price === undefined) throw noPrice('openai', embedding.model)
  const house: House = {
    settings,
    seats: seatsOf(settings),
    version: (settings.prices ?? knownPrices).version,
    embedding: embedding === null || price === undefined ? null : { ...embedding, price },
  }
  return Object.freeze({
    complete: (request: LlmRequest) => complete(house, request),
    embed: (request: EmbedRequest) => embed(house, request),
  })
}

interface House {
  readonly settings: LlmSettings
  readonly seats: readonly Seat[]
  /** Of the price table. */
  readonly version: string
  readonly embedding: { readonly model: string; readonly dimensions?: number; readonly price: ModelPrice } | null
}

async function complete({ settings, seats, version }: House, request: LlmRequest): Promise<LlmOutcome> {
  const none = { ...nobody(version), text: '', toolCalls: [], stop: null }
  const fault = faultOf(request)
  if (fault !== null) return { ...none, class: 'invalid', error: fault }
  const turn = whoseTurn(seats, request.attempt, settings.primaryAttempts ?? 2)
  if ('waitMs' in turn) return { ...none, ...noVendor, retryAfterMs: turn.waitMs }
  const { client, price } = turn.seat
  const { signal: _signal, tenantId, maxOutputTokens, ...sent } = request
  const send = (of: VendorClient) => of.ask(request)
  const done = await paid({ settings, turn, price, tenantId, sent, maxOutputTokens, send })
  if (typeof done === 'string') return { ...none, ...unasked[done] }
  const { got, cost } = done
  const common = { vendor: client.name, model: client.model, priceVersion: version, costMicrodollars: cost }
  return got.kind === 'failure' ? { ...none, ...common, ...failed(got) } : judged(request, got, common)
}

async function embed({ settings, seats, version, embedding }: House, request: EmbedRequest): Promise<EmbedOutcome> {
  const none = { ...nobody(version), vectors: [] }
  const seat = seats.find(({ client }) => client.embed !== undefined)
  const { texts, tenantId, signal } = request
  const fault = embedding === null || seat === undefined ? 'no vendor that embeds is given' : embedFault(request)
  if (fault !== null || embedding === null || seat === undefined)
    return { ...none, class: 'invalid', error: fault ?? '' }
  const turn = whoseTurn([seat], 1, 1)
  if ('waitMs' in turn) return { ...none, ...noVendor, retryAfterMs: turn.waitMs }
  const { price, ...model } = embedding
  const send = (of: VendorClient) => of.embed!({ ...model, texts, signal })
  const done = await paid({ settings, turn, price, tenantId, sent: texts, maxOutputTokens: 0, send })
  if (typeof done === 'string') return { ...none, ...unasked[done] }
  const { got, cost } = done
  const common = { vendor: seat.client.name, model: embedding.model, priceVersion: version, costMicrodollars: cost }
  if (got.kind === 'failure') return { ...none, ...common, ...failed(got) }
  return { ...common, class: 'ok', status: 200, vectors: got.vectors, usage: got.usage, model: got.model }
}

const noVendor = { class: 'retry', error: 'no vendor answers at present' } as const
const unasked = {
  'over budget': { class: 'quota', error: "the tenant's budget of the day does not allow the call" },
  'no ledger': { class: 'retry', error: "the tenant's budget could not be read" },
} as const

const priceOf = ({ prices }: LlmSettings, model: string): ModelPrice | undefined =>
  prices?.models[model] ?? knownPrices.models[model]

const noPrice = (vendor: Vendor, model: string): LlmSettingsError =>
  new LlmSettingsError(`the price of ${vendor}'s model "${model}" is not known; give it`)

function seatsOf(settings: LlmSettings): readonly Seat[] {
  const { openai, anthropic, now } = settings
  const common = { effort: settings.effort ?? null, maxBytes: settings.maxBytes ?? 4 * 1024 * 1024, now }
  const clients = [
    ...(openai === null ? [] : [openaiClient({ ...openai, ...common })]),
    ...(anthropic === null ? [] : [anthropicClient({ ...anthropic, ...common })]),
  ]
  if (clients.length === 0) throw new LlmSettingsError('no vendor of language models is given')
  return clients.map((client) => {
    const price = priceOf(settings, client.model)
    if (price === undefined) throw noPrice(client.name, client.model)
    return { client, price, breaker: new Breaker(settings.breaker ?? breakerDefaults, now) }
  })
}

type Turn = { readonly seat: Seat; readonly admission: Admission & { readonly admitted: true } }

/** M1: the seats in the attempt's order, the first whose breaker lets the call through. */
function whoseTurn(
  seats: readonly Seat[],
  attempt: number,
  primaryAttempts: number,
): Turn | { readonly waitMs: number } {
  let waitMs = Number.POSITIVE_INFINITY
  for (const seat of attempt <= primaryAttempts ? seats : seats.toReversed()) {
    const admission = seat.breaker.ask()
    if (admission.admitted) return { seat, admission }
    waitMs = Math.min(waitMs, admission.waitMs)
  }
  return { waitMs }
}

type Asked = VendorAnswer | VendorEmbedding | VendorFailure

interface Ask<T> {
  readonly settings: LlmSettings
  readonly turn: Turn
  readonly price: ModelPrice
  readonly tenantId: string
  /** What is sent, to know how many bytes it has. */
  readonly sent: unknown
  readonly maxOutputTokens: number
  send(client: VendorClient): Promise<T>
}

/** M2. Within the budget; the breaker learns how it went, and nothing when nobody was asked. */
async function paid<T extends Asked>(ask: Ask<T>): Promise<{ got: T; cost: number } | 'over budget' | 'no ledger'> {
  const { settings, turn, price, tenantId } = ask
  let how: 'answered' | 'failed' | 'undecided' = 'undecided'
  try {
    const most = mostMicrodollars(price, Buffer.byteLength(JSON.stringify(ask.sent)), ask.maxOutputTokens)
    const day = dayOf((settings.time ?? settings.now)())
    const reservation = { tenantId, day, microdollars: most }
    return await withinBudget(settings.budget, reservation, async () => {
      const got = await ask.send(turn.seat.client)
      how = breakerWord(got)
      const cost = costMicrodollars(price, got.usage ?? noUsage)
      const unknown = got.kind === 'failure' && got.usage === undefined && got.maybePaid
      return { result: { got, cost }, cost: unknown ? null : cost }
    })
  } finally {
    turn.admission.end(how)
  }
}

/** A vendor that has no key or no money for us does not answer either. */
function breakerWord(got: Asked): 'answered' | 'failed' | 'undecided' {
  if (got.kind !== 'failure' || got.class === 'invalid') return 'answered'
  return got.ended ? 'undecided' : 'failed'
}

type Common = Pick<LlmOutcome, 'model' | 'priceVersion' | 'costMicrodollars'> & { readonly vendor: Vendor }

/** M3. */
function judged(request: LlmRequest, answer: VendorAnswer, common: Common): LlmOutcome {
  const { text, stop, usage, model } = answer
  const told = { ...common, model, status: 200, text, stop, usage }
  const wrong = (words: string): LlmOutcome => {
    return { ...told, class: 'retry', toolCalls: [], error: `${common.vendor} ${words}` }
  }
  const toolCalls: ToolCall[] = []
  for (const call of answer.calls) {
    const tool = request.tools?.find(({ name }) => name === call.name)
    if (tool === undefined) return wrong('called a tool that was not offered')
    const value = parsed(call.arguments)
    const broken = value === undefined ? 'are no JSON' : schemaCheck(tool.parameters)(value)
    if (broken !== null) return wrong(`called ${tool.name} with arguments that do not fit: ${broken}`)
    toolCalls.push({ id: call.id, name: call.name, arguments: value as ToolCall['arguments'] })
  }
  if (toolCalls.length > 0 && stop === 'length') return wrong('ran out of output in the middle of its tool calls')
  if (toolCalls.length > 0) return { ...told, class: 'ok', toolCalls }
  if (text === '') return wrong(stop === 'length' ? 'ran out of output before it wrote anything' : 'answered nothing')
  if (request.schema === undefined) return { ...told, class: 'ok', toolCalls }
  const json = parsed(text)
  if (json === undefined) return wrong(stop === 'length' ? 'ran out of output' : 'answered what is no JSON')
  const broken = schemaCheck(request.schema.schema)(json)
  return broken === null
    ? { ...told, class: 'ok', toolCalls, json }
    : wrong(`answered what does not fit the schema: ${broken}`)
}

const failed = ({ class: of, status, error, usage = noUsage, retryAfterMs }: VendorFailure) => {
  return { class: of, status, error, usage, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

const nobody = (priceVersion: string) => {
  return { status: 0, usage: noUsage, model: '', vendor: null, costMicrodollars: 0, priceVersion }
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
