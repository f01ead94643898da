/**
 * Events through the ingest API. What the sender gave as one is one request under one Idempotency-Key that follows from its
 * names, so that it is written once however often it is sent, by whatever life of the process (HT1). Events without a name of
 * the sender's share requests; such a request is remembered until its outcome is known, so that a lost answer makes no
 * duplicate either (HT2). What may have been written is never sent in another shape (HT3).
 */

import { uuidv5 } from '../../schemas/index.ts'
import { BackOff } from '../back-off.ts'
import { ClientError } from '../errors.ts'
import { pause } from '../pause.ts'
import type { OpenTransport, Transport, TransportContext } from '../transport.ts'
import type { NumberedEvent, Outcome, Unit } from '../unit.ts'
import type { Answer, EventRequest, WrittenEvent } from './attempt.ts'
import { attempt } from './attempt.ts'

export interface HttpTransportOptions {
  /** The platform's address: `https://platform.example`. */
  readonly url: string
  /** An API key or an access token; a function is asked before each attempt that needs a new one. */
  readonly credential: string | (() => string | Promise<string>)
  /** Requests under way at once; 8 unless told. */
  readonly concurrency?: number
  /** For one attempt, in ms; 30,000 unless told. */
  readonly requestTimeoutMs?: number
  readonly fetch?: typeof globalThis.fetch
}

/** Below what the platform takes unless it is configured otherwise. */
const limits = Object.freeze({ bytes: 900_000, events: 1_000 })

/** @throws ClientError INVALID_EVENT when the address is none */
export function httpTransport(options: HttpTransportOptions): OpenTransport {
  return (context) => Promise.resolve(new HttpTransport(options, context))
}

type Final = Exclude<Answer, { readonly kind: 'again' }> | { readonly kind: 'over'; readonly error: ClientError }

class HttpTransport implements Transport {
  readonly concurrency: number
  readonly limits = limits
  readonly #options: HttpTransportOptions
  readonly #context: TransportContext
  readonly #endpoint: string
  readonly #closing = new AbortController()
  #credential: Promise<string> | null = null
  /** All requests wait until then when the platform asks for it, in ms by the clock. */
  #pausedUntil = 0

  constructor(options: HttpTransportOptions, context: TransportContext) {
    this.#options = options
    this.#context = context
    this.concurrency = options.concurrency ?? 8
    this.#endpoint = endpointOf(options.url)
  }

  isShared({ events }: Pick<Unit, 'events'>): boolean {
    return !events.some(({ isNamed }) => isNamed)
  }

  objection(): null {
    return null
  }

  committed(): null {
    return null
  }

  async deliver(units: readonly Unit[], until: number): Promise<readonly Outcome[]> {
    const answer = await this.#persist(this.#requestOf(units), until)
    if (answer.kind === 'written') return receiptsOf(units, answer.events)
    if (answer.kind === 'over' || units.length === 1 || answer.error.code === 'UNAUTHORIZED')
      return units.map(() => ({ error: answer.error }))
    return this.#withoutTheBad(units, answer, until)
  }

  close(): Promise<void> {
    this.#closing.abort()
    return Promise.resolve()
  }

  /** One event is refused, and certainly none was written: the others go without it. */
  async #withoutTheBad(
    units: readonly Unit[],
    { error, index }: Extract<Answer, { readonly kind: 'refused' }>,
    until: number,
  ): Promise<readonly Outcome[]> {
    const bad = index === null ? -1 : unitAt(units, index)
    if (bad === -1) {
      const half = Math.ceil(units.length / 2)
      const first = await this.deliver(units.slice(0, half), until)
      return [...first, ...(await this.deliver(units.slice(half), until))]
    }
    const others = units.filter((_, place) => place !== bad)
    const outcomes = [...(await this.deliver(others, until))]
    outcomes.splice(bad, 0, { error })
    return outcomes
  }

  #requestOf(units: readonly Unit[]): EventRequest {
    const events = units.flatMap((unit) => unit.events)
    const texts = events.map((event) => textOf(event, this.#context.name))
    const names = this.isShared({ events })
      ? [this.#context.random.bytes(16).toString('hex')]
      : events.map(({ id, entity, sequence }) => id ?? [entity, sequence])
    return {
      count: events.length,
      body: `{"events":[${texts.join(',')}]}`,
      idempotencyKey: uuidv5(JSON.stringify(['request', this.#context.name, ...names])),
    }
  }

  /** The same request until somebody says what became of it. */
  async #persist(request: EventRequest, until: number): Promise<Final> {
    const { clock, random, retried } = this.#context
    const { signal } = this.#closing
    const backOff = new BackOff(random)
    let isUnknown = false
    let hasNewCredential = false
    for (let why = 'nothing was tried'; ;) {
      await pause(clock, Math.min(this.#pausedUntil, until) - clock.now(), signal)
      if (signal.aborted || clock.now() >= until) return over(why, isUnknown, signal.aborted)
      const answer = await this.#attempt(request, until - clock.now())
      if (answer.kind === 'written') return answer
      if (answer.kind === 'refused') {
        // A token that has run out meanwhile.
        const mayRenew = answer.status === 401 && typeof this.#options.credential === 'function' && !hasNewCredential
        if (!mayRenew) return isUnknown ? over(answer.error.message, true, false) : answer
        hasNewCredential = true
        this.#credential = null
        continue
      }
      why = answer.why
      isUnknown ||= answer.isUnknown
      if (answer.status === 429) this.#pausedUntil = Math.max(this.#pausedUntil, clock.now() + answer.afterMs)
      const waitMs = backOff.next(answer.afterMs)
      if (clock.now() + waitMs >= until) return over(why, isUnknown, false)
      retried()
      await pause(clock, waitMs, signal)
    }
  }

  async #attempt(request: EventRequest, leftMs: number): Promise<Answer> {
    const { requestTimeoutMs = 30_000, fetch = globalThis.fetch } = this.#options
    let credential: string
    try {
      credential = await this.#credentialNow()
    } catch (error) {
      return { kind: 'again', why: `no credential: ${String(error)}`, afterMs: 0, status: 0, isUnknown: false }
    }
    const timeout = new AbortController()
    const cancel = this.#context.clock.after(Math.min(requestTimeoutMs, leftMs), () =>
      timeout.abort(new Error('no answer in time')),
    )
    try {
      const signal = AbortSignal.any([timeout.signal, this.#closing.signal])
      const now = (): number => this.#context.clock.now()
      return await attempt(request, { url: this.#endpoint, credential, fetch, now, signal })
    } finally {
      cancel()
    }
  }

  #credentialNow(): Promise<string> {
    const { credential } = this.#options
    if (typeof credential === 'string') return Promise.resolve(credential)
    if (this.#credential === null) {
      const asked = Promise.resolve().then(credential)
      this.#credential = asked
      asked.catch(() => (this.#credential = null))
    }
    return this.#credential
  }
}

function endpointOf(url: string): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(url))
    throw new ClientError(
      'INVALID_EVENT',
      `url: ${JSON.stringify(url)} is given; wanted http(s)://host:port.`,
      'stop',
      { field: 'url' },
    )
  return `${url.replace(/\/+$/, '')}/api/v1/events`
}

/** As the ingest API takes it. Nothing in it may change when a named event is sent again: no time, no number of our own. */
function textOf(event: NumberedEvent, producer: string): string {
  const { topic, type, payloadText, timestamp, tenant, sequence } = event
  const others = {
    ...(timestamp === null ? {} : { timestamp }),
    ...(isNumbered(event) ? { producer, sequence } : {}),
    ...(tenant === null ? {} : { tenant_id: tenant.tenantId, organization_id: tenant.organizationId }),
  }
  const named = JSON.stringify({ topic: topic.name, type, ...others })
  return `${named.slice(0, -1)},"payload":${payloadText}}`
}

const isNumbered = ({ isNamed, isCounted }: NumberedEvent): boolean => !(isNamed && isCounted)

function receiptsOf(units: readonly Unit[], written: readonly WrittenEvent[]): readonly Outcome[] {
  let next = 0
  return units.map(({ events }) => ({
    receipts: events.map((event) => {
      const { event_id: eventId, position } = written[next++]!
      return { eventId, position, sequence: isNumbered(event) ? event.sequence : null, duplicate: false }
    }),
  }))
}

/** Which unit holds the event of this index in their request. */
function unitAt(units: readonly Unit[], index: number): number {
  let first = 0
  return units.findIndex(({ events }) => {
    const isIn = index >= first && index < first + events.length
    first += events.length
    return isIn
  })
}

function over(why: string, isUnknown: boolean, isClosed: boolean): Final {
  if (isUnknown)
    return {
      kind: 'over',
      error: new ClientError(
        'OUTCOME_UNKNOWN',
        `It may or may not be written (${why}); sent again with its id or sequence it is written once.`,
        'retry',
      ),
    }
  if (isClosed)
    return { kind: 'over', error: new ClientError('CLOSED', 'The client was closed before it was written.', 'stop') }
  return { kind: 'over', error: new ClientError('TIMEOUT', `It was not written in its time (${why}).`, 'retry') }
}
