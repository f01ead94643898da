/**
 * The webhooks of the stand-ins: what a provider would post to the platform, signed as it signs, tried again until it is
 * taken. A script may have it come late, twice, wrongly signed, or not at all.
 *
 * Business time says when a delivery is due; its signature carries real time, as the receiver's tolerance does.
 */

import type { Json } from '../../schemas/index.ts'
import type { Agenda, AgendaEntry } from './agenda.ts'
import type { SandboxProvider, SandboxRule, Script } from './script.ts'

export interface Delivery {
  readonly provider: SandboxProvider
  /** The provider's id of this delivery; one that comes again has the same. */
  readonly id: string
  /** The event's name, for scripts: a rule's `contains` may also look into the body. */
  readonly event: string
  /** Whom it concerns, for scripts. */
  readonly companies: readonly string[]
  readonly body: string
  /** Business time in ms. */
  readonly at: number
  /** Deliveries of one lane keep their order, unless a script has them late. */
  readonly lane?: string
}

/** The headers that sign a body. @param fault what a script wants wrong about it */
export type Signer = (
  raw: Buffer,
  nowMs: number,
  fault: NonNullable<SandboxRule['signature']> | null,
) => Readonly<Record<string, string>>

export interface DeliveryOptions {
  readonly agenda: Agenda
  readonly script: Script
  /** Business time in ms. */
  readonly now: () => number
  /** Real time in ms: what signatures say. */
  readonly realNow: () => number
  /** Where the platform listens; null while it does not. */
  readonly platformUrl: () => string | null
}

type Sending = {
  readonly provider: string
  readonly event: string
  readonly companies: readonly string[]
  readonly body: string
  readonly tries: number
}

const kind = 'delivery'
const triesAtMost = 20
const firstWaitMs = 1_000
const longestWaitMs = 60 * 60 * 1000
const answerWithinMs = 30_000

export class Deliveries {
  readonly #options: DeliveryOptions
  readonly #signers = new Map<string, Signer>()

  constructor(options: DeliveryOptions) {
    this.#options = options
    options.agenda.on(kind, (entry) => this.#deliver(entry))
  }

  /** How a provider signs; once, when its stand-in opens. */
  signer(provider: SandboxProvider, signer: Signer): void {
    this.#signers.set(provider, signer)
  }

  send({ provider, id, event, companies, body, at, lane }: Delivery): void {
    const data: Sending = { provider, event, companies, body, tries: 0 }
    this.#note(`${provider}:${id}`, at, data, lane)
  }

  #note(id: string, at: number, data: Sending, lane: string | undefined): void {
    this.#options.agenda.note({ id, at, kind, data: data as unknown as Json, ...(lane === undefined ? {} : { lane }) })
  }

  async #deliver(entry: AgendaEntry): Promise<void> {
    const data = entry.data as unknown as Sending
    const { now, script } = this.#options
    const { provider, companies, body } = data
    const rule = script.take({ provider: provider as SandboxProvider, operation: 'webhook', companies, body })
    if (rule?.drop === true) return
    for (let copy = 1; copy <= (rule?.duplicate ?? 0); copy++)
      this.#note(`${entry.id}#${copy}`, now(), { ...data, tries: 1 }, undefined)
    if (rule?.late_ms !== undefined && data.tries === 0)
      return this.#note(entry.id, now() + rule.late_ms, { ...data, tries: 1 }, undefined)
    if (await this.#post(data, rule?.signature ?? null)) return
    const tries = data.tries + 1
    if (tries >= triesAtMost) return
    const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** data.tries)
    this.#note(entry.id, now() + waitMs, { ...data, tries }, entry.lane)
  }

  /** @returns whether the platform took it */
  async #post({ provider, body }: Sending, fault: SandboxRule['signature'] | null): Promise<boolean> {
    const url = this.#options.platformUrl()
    if (url === null) return false
    const raw = Buffer.from(body, 'utf8')
    const signed = this.#signers.get(provider)?.(raw, this.#options.realNow(), fault ?? null) ?? {}
    try {
      const response = await fetch(`${url}/webhooks/${provider}/sandbox`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signed },
        body: raw,
        signal: AbortSignal.timeout(answerWithinMs),
      })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false // not there, or gone before it answered: as a provider sees it
    }
  }
}
