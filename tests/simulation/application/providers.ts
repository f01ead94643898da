/**
 * Providers that answer by the draw: what they say depends on the call and its attempt alone. They keep their own books,
 * which no crash of ours touches: what was done under which key, and when.
 */

import type { CallOutcome, Provider, ProviderCall } from '../../../connectors/effects/index.ts'
import type { Json } from '../../../schemas/index.ts'
import type { Draw } from './draw.ts'

/** One request as the provider saw it. */
export interface ProviderEntry {
  readonly provider: string
  readonly operation: string
  /** The idempotency key that came with it. */
  readonly key: string
  readonly attempt: number
  readonly tenantId: string
  readonly request: string
  /** True times in ms: when the caller sent it, and when it was served. */
  readonly sentAt: number
  readonly at: number
  /** Which life of which process asked. */
  readonly caller: string
  /** False when the key was known and the earlier answer was given again. */
  readonly done: boolean
}

interface Script {
  readonly name: string
  readonly repeat: Provider['repeat']
  readonly rate: Provider['rate']
  answer(what: Known, call: ProviderCall): Json
}

/** What there is to know: `obscure` are the domains little is known about. */
interface Known {
  readonly draw: Draw
  readonly obscure: ReadonlySet<string>
}

const sources = (host: string, count: number): Json =>
  Array.from({ length: count }, (_, n) => ({
    url: n === 0 ? `https://${host}/about` : `https://reuters.com/${n}/${host}`,
    title: `About ${host}`,
    date: null,
  }))

/** What a research provider finds: much and well founded, or little, or nothing. */
function found({ draw, obscure }: Known, call: ProviderCall): Json {
  const { company_name, domain, fields } = call.request as { company_name: string; domain: string; fields: string[] }
  const luck = draw.part('luck', call.callId)
  if (luck < 0.05) return { nothing: 'of the kind' }
  const well = luck > (obscure.has(domain) ? 0.9 : 0.25)
  const pages = well ? 2 : 1
  const host = well ? domain : 'list.example'
  const claim = (field: string, value: Json): Json => ({ field, value, match: 0.9, sources: sources(host, pages) })
  const competitors = Array.from({ length: draw.between(1, 4, 'rivals', call.callId) }, (_, n) =>
    claim('competitor', { name: `Rival ${n} of ${company_name}`, url: null, pricing: null }),
  )
  const claims = fields.flatMap((field) => {
    if (!well && draw.chance(0.4, 'unknown', call.callId, field)) return []
    if (field === 'competitor') return competitors
    if (field === 'company_info') return [claim(field, { summary: `${company_name} moves things.`, employees: 120 })]
    if (field === 'pricing')
      return [claim(field, { model: 'subscription', starting_price: 49, currency: 'EUR', unit: 'seat' })]
    if (field === 'tech_stack') return [claim(field, { technologies: ['Kafka'] })]
    return [claim(field, { monthly_conversations: 100, basis: company_name })]
  })
  return { searched: luck > 0.1, claims }
}

/** What a model writes for a demo: mostly of use, now and then not what was asked. */
function written({ draw }: Known, call: ProviderCall): Json {
  if (draw.chance(0.2, 'nonsense', call.callId)) return { json: { headline: 4 }, model: 'm' }
  const step = (n: number): Json => ({ title: `Step ${n}`, text: 'Somebody asks.', finding_id: null })
  return {
    json: { headline: 'A demo', pain_points: [], steps: [step(1), step(2)], call_to_action: 'Talk' },
    model: 'm',
  }
}

function rendered({ callId }: ProviderCall): Json {
  const ref = (name: string): Json => ({
    bucket: 'b',
    key: `${callId}/${name}`,
    version_id: 'v',
    sha256: 's',
    bytes: 1,
  })
  return {
    ref: ref('page'),
    qr_ref: ref('qr'),
    share_token: callId,
    url: `https://demo.example/d/${callId}`,
    removed: 2,
  }
}

const scripts: readonly Script[] = [
  { name: 'perplexity', repeat: 'may-repeat', rate: { capacity: 6, refillPerMs: 0.006 }, answer: found },
  { name: 'webscraper', repeat: 'keyed', rate: null, answer: found },
  { name: 'llm', repeat: 'may-repeat', rate: null, answer: written },
  { name: 'rendering', repeat: 'keyed', rate: null, answer: (_, call) => rendered(call) },
  { name: 'mixpanel', repeat: 'keyed', rate: null, answer: () => ({ imported: 1 }) },
  {
    name: 'sendgrid',
    repeat: 'may-repeat',
    rate: null,
    answer: ({ draw }, call) => ({ provider_id: draw.uuid('mail', call.callId) }),
  },
]

/** A way to the outside: `work` runs there, perhaps later, at most once; rejects when request or answer was lost. */
export type Reach = <T>(service: string, work: () => T) => Promise<T>

export class Providers {
  readonly entries: ProviderEntry[] = []
  readonly #what: Known
  readonly #now: () => number
  readonly #known = new Map<string, CallOutcome>()

  /** @param now true time in ms */
  constructor(draw: Draw, obscureDomains: Iterable<string>, now: () => number) {
    this.#what = { draw, obscure: new Set(obscureDomains) }
    this.#now = now
  }

  /** The providers as one process reaches them. */
  of(caller: string, reach: Reach): readonly Provider[] {
    return scripts.map((script) => ({
      name: script.name,
      account: 'sandbox',
      mode: 'sandbox',
      repeat: script.repeat,
      rate: script.rate,
      concurrency: 8,
      timeoutMs: 10_000,
      call: async (call) => {
        const sentAt = this.#now()
        try {
          return await reach(script.name, () => this.#serve(script, call, { caller, sentAt }))
        } catch {
          return { class: 'retry', status: 0, output: null, error: 'no answer' }
        }
      },
    }))
  }

  #serve(script: Script, call: ProviderCall, from: { readonly caller: string; readonly sentAt: number }): CallOutcome {
    const { callId: key, operation, attempt, tenantId, request } = call
    const place = `${script.name} ${key}`
    const known = script.repeat === 'keyed' ? this.#known.get(place) : undefined
    this.entries.push({
      provider: script.name,
      operation,
      key,
      attempt,
      tenantId,
      request: JSON.stringify(request),
      at: this.#now(),
      ...from,
      done: known === undefined,
    })
    const outcome = known ?? this.#outcome(script, call)
    if (outcome.class === 'ok') this.#known.set(place, outcome)
    return outcome
  }

  #outcome(script: Script, call: ProviderCall): CallOutcome {
    const { callId, attempt } = call
    const luck = this.#what.draw.part('outcome', callId, attempt)
    const failed = (kind: CallOutcome['class'], status: number, retryAfterMs?: number): CallOutcome => ({
      class: kind,
      status,
      output: null,
      error: `${script.name} answered ${status}`,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    })
    if (luck < 0.1) return failed('retry', 503)
    if (luck < 0.18) return failed('retry', 429, this.#what.draw.between(100, 4_000, 'wait', callId, attempt))
    if (luck < 0.2) return failed('quota', 402)
    if (luck < 0.22) return failed('auth', 401)
    if (luck < 0.25) return failed('invalid', 400)
    return { class: 'ok', status: 200, output: script.answer(this.#what, call), costMicrodollars: 1_000 }
  }
}
