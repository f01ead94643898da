/**
 * What goes wrong between us and the providers. It stands around every call of the resident sandbox:
 *
 *   before the provider did anything        after it did it
 *   reset        the connection breaks      lost         the connection breaks: nobody hears
 *   limited      429 with retry-after       failed       502 of something in between
 *   unavailable  503, twice in a row        page_after   200, and a page of HTML that is not the provider's
 *   page         the same, nothing done     truncated    half of the answer
 *                                           slow         byte by byte, for longer than the client waits
 *
 * Which call meets which follows from the seed of its run (`dealt`), so neighbouring seeds meet an operation with different kinds. A call
 * that is made again is left alone after some faults: what is judged is that nothing is done twice, not that we give up in time.
 */

import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Around, SeenCall } from '../../../connectors/sandbox/index.ts'
import type { PlannedKill, RunPlan, Side } from './plan.ts'
import { chanceOf } from './plan.ts'

export const faultKinds = [
  ...(['reset', 'limited', 'unavailable', 'page'] as const),
  ...(['lost', 'failed', 'page_after', 'truncated', 'slow'] as const),
] as const
export type FaultKind = (typeof faultKinds)[number]

/** One line of the provider's own log. */
export interface ProviderCall {
  readonly n: number
  /** Business time in ms. */
  readonly at: number
  /** The seed of the run it belongs to. */
  readonly run: number
  readonly provider: string
  readonly operation: string
  readonly companies: readonly string[]
  /** What makes a repetition the same call: the idempotency key, the transaction, or what is asked. */
  readonly key: string
  readonly fingerprint: string
  /** What a usage report says, as it was sent; null for other calls. */
  readonly report: string | null
  readonly fault: FaultKind | null
  /** What the stand-in answered; null when it was not asked. */
  readonly status: number | null
  readonly replayed: boolean
  /** Where in it the application was killed. */
  readonly killed: Side | null
}

/** Promised to happen once: by a key of ours, or because we ask before we send again. */
const promised: ReadonlySet<string> = new Set(['stripe', 'docusign', 'mixpanel', 's3'])
export const isPromised = ({ provider }: Pick<ProviderCall, 'provider'>): boolean => promised.has(provider)

/** Shared by all that is under way: a call of theirs is part of many. */
const shared: ReadonlySet<string> = new Set([
  ...['stripe.create_product', 'stripe.meters', 'stripe.create_meter', 'stripe.invoice_payments'],
])

interface Waiting {
  readonly seed: number
  readonly kill: Extract<PlannedKill, { by: 'call' }>
  left: number
}

interface Repeated {
  /** How many faults it meets in all. */
  readonly planned: number
  dealt: number
  /** Still to come of a row. */
  again: FaultKind | null
}

export interface FaultsOptions {
  /** Business time in ms. */
  readonly now: () => number
  /** How long an answer dribbles. */
  readonly slowMs: number
  readonly kill: (why: string) => void
  readonly log: (call: ProviderCall) => void
}

export class ProviderFaults {
  readonly #options: FaultsOptions
  readonly #runOf = new Map<string, RunPlan>()
  #common: RunPlan | null = null
  #waiting: Waiting[] = []
  #repeated = new Map<string, Repeated>()
  /** By run and operation: logical calls so far, and faults. */
  readonly #counts = new Map<string, number>()
  readonly #watchers = new Set<(call: SeenCall) => void>()
  /** By operation and domain: seconds. */
  readonly #delays = new Map<string, number>()
  readonly #lost = new Set<string>()
  #n = 0

  constructor(options: FaultsOptions) {
    this.#options = options
  }

  /** The first call of this operation about this company is asked to wait so long. */
  delay(operation: string, domain: string, retryAfterS: number): void {
    this.#delays.set(`${operation} ${domain}`, retryAfterS)
  }

  /** No answer to this operation about this company is ever heard. */
  lose(operation: string, domain: string): void {
    this.#lost.add(`${operation} ${domain}`)
  }

  /** The runs that are under way; calls that are about none of their companies are one's of them, each time another's. */
  begin(plans: readonly RunPlan[]): void {
    this.#common = plans[Math.floor((plans[0]?.seed ?? 0) / plans.length) % plans.length] ?? null
    for (const plan of plans) for (const { domain } of plan.companies) this.#runOf.set(domain, plan)
    this.#waiting = plans.flatMap(({ seed, kills }) =>
      kills.flatMap((kill) => (kill.by === 'call' ? [{ seed, kill, left: kill.nth }] : [])),
    )
    this.#repeated = new Map()
  }

  /** No kill waits for a call any more. @returns how many had not come */
  disarm(): number {
    return this.#waiting.splice(0).length
  }

  /** Told of each call once the stand-in has done it. */
  watch(watcher: (call: SeenCall) => void): void {
    this.#watchers.add(watcher)
  }

  readonly around: Around = async (call, handle, response) => {
    const plan = this.#planOf(call)
    const name = `${call.provider}.${call.operation}`
    const identity = identityOf(call)
    const killed = plan === null ? null : this.#killAt(call, plan, name)
    const delayS = killed === null ? this.#delayOf(name, call) : null
    const isLost = call.companies.some((company) => this.#lost.has(`${name} ${company}`))
    const forced = delayS !== null ? 'limited' : isLost ? 'lost' : null
    const fault = plan === null || killed !== null ? null : (forced ?? this.#faultFor(plan, name, call, identity.key))
    let status: number | null = null
    let replayed = false
    const answer = async (): Promise<Answer> => {
      const made = await handle.answer()
      status = made.status
      replayed = made.headers?.['idempotent-replayed'] === 'true'
      for (const watcher of this.#watchers) watcher(call)
      return made
    }
    const why = `${name} ${killed ?? ''}`
    try {
      if (killed === 'asked') this.#options.kill(why)
      else if (killed === 'handled') {
        await answer()
        this.#options.kill(why)
      }
      if (killed === 'asked' || killed === 'handled') return void response.destroy()
      await this.#spoilt(fault, { answer, error: handle.error, retryAfterS: delayS ?? 20 }, response)
      if (killed === 'answered') {
        await sleep(chanceOf(plan?.seed ?? 0, why) * 30)
        this.#options.kill(why)
      }
    } finally {
      this.#n += 1
      const { provider, operation, companies } = call
      const report = operation === 'report_usage' ? call.asked.body : null
      const about = { run: plan?.seed ?? 0, provider, operation, companies, report, ...identity }
      this.#options.log({ n: this.#n, at: this.#options.now(), ...about, fault, status, replayed, killed })
    }
  }

  #planOf({ companies }: SeenCall): RunPlan | null {
    for (const company of companies) {
      const plan = this.#runOf.get(company)
      if (plan !== undefined) return plan
    }
    return this.#common
  }

  #killAt(call: SeenCall, { seed }: RunPlan, name: string): Side | null {
    for (const waiting of this.#waiting) {
      const isIts = call.companies.length === 0 || waiting.seed === seed
      if (waiting.kill.operation !== name || !isIts) continue
      waiting.left -= 1
      if (waiting.left > 0) continue
      this.#waiting = this.#waiting.filter((other) => other !== waiting)
      return waiting.kill.side
    }
    return null
  }

  #faultFor({ seed }: RunPlan, name: string, call: SeenCall, key: string): FaultKind | null {
    const place = `${seed} ${name} ${call.companies.join()} ${key}`
    let repeated = this.#repeated.get(place)
    if (repeated === undefined) {
      const nth = this.#count(`${seed} ${name}`)
      repeated = { planned: faultsPlanned(name, chanceOf(seed, name, nth)), dealt: 0, again: null }
      this.#repeated.set(place, repeated)
    }
    const { again } = repeated
    repeated.again = null
    if (again !== null) return again
    if (repeated.dealt >= repeated.planned) return null
    repeated.dealt += 1
    const kind = dealt(seed, name, this.#count(`${seed} ${name} dealt`))
    if (kind === 'unavailable' && isPromised(call)) repeated.again = kind
    return kind
  }

  #delayOf(name: string, { companies }: SeenCall): number | null {
    for (const company of companies) {
      const delayS = this.#delays.get(`${name} ${company}`)
      if (delayS === undefined) continue
      this.#delays.delete(`${name} ${company}`)
      return delayS
    }
    return null
  }

  #count(of: string): number {
    const nth = this.#counts.get(of) ?? 0
    this.#counts.set(of, nth + 1)
    return nth
  }

  async #spoilt(
    fault: FaultKind | null,
    { answer, error, retryAfterS }: Exchange,
    response: ServerResponse,
  ): Promise<void> {
    switch (fault) {
      case null:
        return sent(response, await answer())
      case 'reset':
        return void response.destroy()
      case 'lost':
        await answer()
        return void response.destroy()
      case 'limited':
        return sent(response, {
          status: 429,
          headers: { 'retry-after': String(retryAfterS), ...json },
          body: error(429),
        })
      case 'unavailable':
        return sent(response, { status: 503, headers: json, body: error(503) })
      case 'page':
        return sent(response, page(200))
      case 'failed':
        await answer()
        return sent(response, page(502))
      case 'page_after':
        await answer()
        return sent(response, page(200))
      case 'truncated':
        return cut(response, await answer())
      case 'slow':
        return dribbled(response, await answer(), this.#options.slowMs)
    }
  }
}

interface Exchange {
  readonly answer: () => Promise<Answer>
  readonly error: (status: number) => string
  readonly retryAfterS: number
}

const json = { 'content-type': 'application/json' }
const page = (status: number): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: '<!doctype html><html><head><title>Something in between</title></head><body><p>Try again.</p></body></html>',
})

/** How many faults a call meets, over its repetitions: fewer where it is tried only a few times. */
function faultsPlanned(name: string, chance: number): number {
  // Each token is another call: one in two must come.
  if (name === 'docusign.token') return chance < 0.5 ? 1 : 0
  if (shared.has(name)) return 1
  if (name.startsWith('s3.')) return chance < 0.12 ? 1 : 0
  if (name === 'mixpanel.import') return chance < 0.7 ? 1 : 0
  if (name.startsWith('stripe.') || name === 'docusign.void_envelope') return chance < 0.3 ? 2 : chance < 0.9 ? 1 : 0
  if (name.startsWith('docusign.')) return chance < 0.15 ? 2 : chance < 0.6 ? 1 : 0
  return chance < 0.3 ? 1 : 0
}

/** Each kind in its turn: over neighbouring seeds, and within a run. */
export function dealt(seed: number, operation: string, nth: number): FaultKind {
  const start = Math.floor(chanceOf('start', operation) * faultKinds.length)
  // A step that has no common divisor with the number of kinds, so that a run does not repeat the one before, moved on by one.
  return faultKinds[(start + seed + nth * 4) % faultKinds.length]!
}

/** What makes two requests one call that was repeated. */
function identityOf({ provider, operation, asked }: SeenCall): Pick<ProviderCall, 'key' | 'fingerprint'> {
  const fingerprint = createHash('sha256').update(`${asked.path}\n${asked.body}`).digest('hex').slice(0, 16)
  const given = asked.headers['idempotency-key']
  if (provider === 'stripe' && asked.method !== 'GET' && typeof given === 'string') return { key: given, fingerprint }
  if (provider === 'docusign' && operation === 'create_envelope') {
    const found = /"transactionId":"([^"]+)"/.exec(asked.body)?.[1]
    return { key: found ?? fingerprint, fingerprint }
  }
  const query = asked.query.toString()
  return { key: `${asked.method} ${asked.path}${query === '' ? '' : `?${query}`} ${fingerprint}`, fingerprint }
}

const bytesOf = ({ body }: Answer): Buffer => (typeof body === 'string' ? Buffer.from(body) : body)

function sent(response: ServerResponse, answer: Answer): Promise<void> {
  const body = bytesOf(answer)
  // Whoever asked may have gone, by a kill or because it took too long: nothing closes a second time.
  if (response.destroyed || response.closed) return Promise.resolve()
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.writeHead(answer.status, { 'content-length': body.length, ...answer.headers })
    response.end(body, () => resolve())
  })
}

function cut(response: ServerResponse, answer: Answer): void {
  const body = bytesOf(answer)
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length + 1 })
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy())
}

async function dribbled(response: ServerResponse, answer: Answer, forMs: number): Promise<void> {
  const body = bytesOf(answer)
  const everyMs = 100
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length + forMs })
  const until = performance.now() + forMs
  for (let at = 0; performance.now() < until && !response.destroyed; at++) {
    response.write(body.subarray(at, at + 1).length === 0 ? ' ' : body.subarray(at, at + 1))
    await sleep(everyMs)
  }
  response.destroy()
}
