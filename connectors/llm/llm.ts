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
import type { Llm, LlmOutcome, LlmRequest, ToolCall, Vendor } from './port.ts'
import { noUsage } from './port.ts'
import type { ModelPrice, PriceTable } from './prices.ts'
import { costMicrodollars, knownPrices, mostMicrodollars } from './prices.ts'
import { faultOf } from './request.ts'
import { schemaCheck } from './schema.ts'
import type { Reservation, SpendLedger } from './spend.ts'
import { dayOf } from './spend.ts'
import type { VendorAnswer, VendorClient, VendorFailure, VendorSettings } from './vendor.ts'

export interface LlmSettings {
  /** Null: is not asked. One of the two is there. */
  readonly openai: VendorSettings | null
  readonly anthropic: VendorSettings | null
  /** How many attempts of a call ask OpenAI before Anthropic is asked; 2 unless told. */
  readonly primaryAttempts?: number
  /** Prices of models, beside or instead of `knownPrices`; its version is told with every cost. */
  readonly prices?: PriceTable
  /** Null: no limit, and nothing is kept. */
  readonly budget: { readonly ledger: SpendLedger; readonly tenantDailyMicrodollars: number } | null
  readonly breaker?: BreakerSettings
  /** How much the models think before they write; the vendors' own defaults when null or absent. */
  readonly effort?: 'low' | 'medium' | 'high' | null
  /** The longest answer that is read, in bytes; 4 MiB unless told. */
  readonly maxBytes?: number
  /** Wall clock in ms. */
  readonly now: () => number
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
  const seats = seatsOf(settings)
  const version = (settings.prices ?? knownPrices).version
  return Object.freeze({
    async complete(request: LlmRequest): Promise<LlmOutcome> {
      const fault = faultOf(request)
      if (fault !== null) return nobody(version, 'invalid', fault)
      const turn = whoseTurn(seats, request.attempt, settings.primaryAttempts ?? 2)
      if ('waitMs' in turn)
        return nobody(version, 'retry', 'no vendor answers at present', { retryAfterMs: turn.waitMs })
      let how: 'answered' | 'failed' | 'undecided' = 'undecided'
      try {
        const { outcome, vendor } = await paid(settings, turn.seat, version, request)
        how = vendor
        return outcome
      } finally {
        turn.admission.end(how)
      }
    },
  })
}

function seatsOf(settings: LlmSettings): readonly Seat[] {
  const { openai, anthropic, now, prices = knownPrices } = settings
  const common = { effort: settings.effort ?? null, maxBytes: settings.maxBytes ?? 4 * 1024 * 1024, now }
  const clients = [
    ...(openai === null ? [] : [openaiClient({ ...openai, ...common })]),
    ...(anthropic === null ? [] : [anthropicClient({ ...anthropic, ...common })]),
  ]
  if (clients.length === 0) throw new LlmSettingsError('no vendor of language models is given')
  return clients.map((client) => {
    const price = prices.models[client.model] ?? knownPrices.models[client.model]
    if (price === undefined)
      throw new LlmSettingsError(`the price of ${client.name}'s model "${client.model}" is not known; give it`)
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

/** M2. `vendor` is what the breaker learns: a vendor that has no key or no money for us does not answer either. */
async function paid(
  settings: LlmSettings,
  { client, price }: Seat,
  version: string,
  request: LlmRequest,
): Promise<{ readonly outcome: LlmOutcome; readonly vendor: 'answered' | 'failed' | 'undecided' }> {
  const reserved = await reserve(settings, price, request)
  if (typeof reserved === 'string') {
    const outcome = reserved === 'over' ? nobody(version, 'quota', overBudget) : nobody(version, 'retry', noLedger)
    return { outcome, vendor: 'undecided' }
  }
  let got: VendorAnswer | VendorFailure
  try {
    got = await client.ask(request)
  } catch (thrown) {
    await settle(settings, reserved, 0)
    throw thrown
  }
  const cost = costMicrodollars(price, got.usage ?? noUsage)
  const unknown = got.kind === 'failure' && got.usage === undefined && got.maybePaid
  if (!unknown) await settle(settings, reserved, cost)
  const common = { vendor: client.name, model: client.model, priceVersion: version, costMicrodollars: cost }
  return got.kind === 'failure'
    ? { outcome: failed(got, common), vendor: breakerWord(got) }
    : { outcome: judged(request, got, common), vendor: 'answered' }
}

const overBudget = "the tenant's budget of the day does not allow the call"
const noLedger = "the tenant's budget could not be read"

function breakerWord({ class: of, ended }: VendorFailure): 'answered' | 'failed' | 'undecided' {
  if (ended) return 'undecided'
  return of === 'invalid' ? 'answered' : 'failed'
}

/** What was reserved, null where there is no budget. */
async function reserve(
  { budget, now }: LlmSettings,
  price: ModelPrice,
  request: LlmRequest,
): Promise<Reservation | null | 'over' | 'no ledger'> {
  if (budget === null) return null
  const { signal: _signal, tenantId, ...told } = request
  const microdollars = mostMicrodollars(price, Buffer.byteLength(JSON.stringify(told)), request.maxOutputTokens)
  const reservation = { tenantId, day: dayOf(now()), microdollars }
  try {
    return (await budget.ledger.reserve(reservation, budget.tenantDailyMicrodollars)) ? reservation : 'over'
  } catch {
    return 'no ledger'
  }
}

/** An answer that was paid is not lost because the ledger is away: the reservation stands for it then. */
async function settle({ budget }: LlmSettings, reserved: Reservation | null, cost: number): Promise<void> {
  if (reserved !== null) await budget?.ledger.settle(reserved, cost).catch(() => undefined)
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

function failed(got: VendorFailure, common: Common): LlmOutcome {
  const { class: of, status, error, usage = noUsage, retryAfterMs } = got
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
  return { ...common, class: of, status, text: '', toolCalls: [], stop: null, usage, error, ...wait }
}

const nobody = (
  priceVersion: string,
  of: LlmOutcome['class'],
  error: string,
  more: { readonly retryAfterMs?: number } = {},
): LlmOutcome => ({
  ...{ class: of, status: 0, text: '', toolCalls: [], stop: null, usage: noUsage, model: '', vendor: null },
  ...{ costMicrodollars: 0, priceVersion, error, ...more },
})

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
