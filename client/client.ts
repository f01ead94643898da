/**
 * The client that event producers hold. Owns the queue and every promise; a transport owns the way.
 *
 *   CL1  `send` settles once: with a receipt when the event is durable, with a ClientError else.
 *   CL2  What is held is bounded: events in bytes, calls that wait for room in number, both in time.
 *   CL3  Of one entity events are written in the order of the calls, whatever is tried again, and so do their sequences grow.
 *   CL4  What is wrong with an event is said before anything is sent, with its field.
 *   CL5  An event with a sequence of the sender's that fails with `retry` can be written later: until it was sent again or left
 *        out, nothing behind it of its entity is written, neither what waits nor what is sent meanwhile.
 */

import type { Clock, Random } from '../topology/clock.ts'
import type { EventTimeBounds, TopicName } from '../schemas/index.ts'
import { eventTimeBounds, judgeNumbered } from '../schemas/index.ts'
import { ClientError } from './errors.ts'
import type { EventToSend, Receipt, Tenant } from './event.ts'
import type { JudgedEvent } from './judge.ts'
import { judgeEvent } from './judge.ts'
import { machineClock, machineRandom } from './machine.ts'
import { earlierFailed, Numbering } from './numbering.ts'
import { UnitQueue } from './queue.ts'
import type { ClientStats } from './stats.ts'
import { Counts } from './stats.ts'
import type { OpenTransport, Transport } from './transport.ts'
import type { NumberedEvent, Outcome, Unit } from './unit.ts'

export interface ClientOptions {
  /** Durable name of this producer, its own among all processes; up to 100 letters, digits, dots, dashes, underscores. */
  readonly name: string
  /** `httpTransport(…)` or `kafkaTransport(…)`. */
  readonly transport: OpenTransport
  /** Whose events they are, unless an event says. */
  readonly tenant?: Tenant
  /** Most bytes held, waiting and under way; 16 MiB unless told. */
  readonly queueBytes?: number
  /** What `send` does when the queue is full: wait for room (unless told), or drop what has the lowest priority. */
  readonly whenFull?: 'wait' | 'drop'
  /** Most calls that wait for room; 1,000 unless told. */
  readonly waitingCalls?: number
  /** How long an event is tried for, from its `send` on, in ms; 120,000 unless told. */
  readonly deliveryTimeoutMs?: number
  /** How long `close` waits for what is held, in ms; 10,000 unless told. */
  readonly closeGraceMs?: number
  readonly timeBounds?: EventTimeBounds
  readonly clock?: Clock
  readonly random?: Random
  /** One line for a person about trouble. */
  readonly notice?: (line: string) => void
}

const usual = {
  queueBytes: 16 * 1024 * 1024,
  whenFull: 'wait',
  waitingCalls: 1_000,
  deliveryTimeoutMs: 120_000,
  closeGraceMs: 10_000,
  timeBounds: eventTimeBounds,
  clock: machineClock,
  random: machineRandom,
  notice: () => undefined,
} as const

type Settings = Required<Omit<ClientOptions, 'transport' | 'tenant'>> & { readonly tenant: Tenant | null }

interface Waiter {
  readonly upTo: number
  readonly resolve: () => void
}

/** @throws ClientError INVALID_EVENT for a bad name; what the transport says when it cannot be opened */
export async function openClient(options: ClientOptions): Promise<EventClient> {
  const { transport: open, tenant = null, ...given } = options
  const named = judgeNumbered(options.name, 1)
  if (!named.ok)
    throw new ClientError('INVALID_EVENT', named.message.replace('producer:', 'name:'), 'stop', { field: 'name' })
  const settings: Settings = { ...usual, ...given, tenant }
  const { name, clock, random, notice } = settings
  const counts = new Counts()
  const transport = await open({ name, clock, random, notice, retried: () => (counts.retries += 1) })
  return new EventClient(settings, transport, counts)
}

export class EventClient implements AsyncDisposable {
  readonly #settings: Settings
  readonly #transport: Transport
  readonly #counts: Counts
  readonly #queue: UnitQueue
  readonly #numbering: Numbering
  /** Accepted and not settled, in the order of the calls, with their number among all calls. */
  readonly #held = new Map<Unit, number>()
  /** Of the held, those that wait for room, in order. */
  readonly #outside = new Set<Unit>()
  readonly #waiters = new Set<Waiter>()
  #calls = 0
  #deliveries = 0
  #cancelExpiry: (() => void) | null = null
  #closing: Promise<void> | null = null
  #pumping = false

  constructor(settings: Settings, transport: Transport, counts: Counts) {
    this.#settings = settings
    this.#transport = transport
    this.#counts = counts
    this.#queue = new UnitQueue(settings.queueBytes)
    this.#numbering = new Numbering(
      (entity) => transport.committed(entity),
      () => settings.clock.now(),
    )
  }

  /**
   * Sends one event.
   * @returns when it is durable
   * @throws ClientError (the promise rejects)
   */
  async send<N extends TopicName>(topic: N, event: EventToSend<N>): Promise<Receipt> {
    const [receipt] = await this.#accept([this.#judge(topic, event)])
    return receipt!
  }

  /**
   * Sends events that are written together or not at all; sent again after a crash, they must be the same ones.
   * @throws ClientError (the promise rejects); what is wrong with one event says `events[2]`
   */
  async sendBatch<N extends TopicName>(topic: N, events: readonly EventToSend<N>[]): Promise<readonly Receipt[]> {
    if (events.length === 0) return []
    return this.#accept(events.map((event, index) => at(index, () => this.#judge(topic, event))))
  }

  /**
   * This event failed with `retry` and will not be sent again: those after it of its entity may go (CL5).
   * @throws ClientError INVALID_EVENT
   */
  leaveOut<N extends TopicName>(topic: N, event: EventToSend<N>): void {
    const { clock, timeBounds, tenant } = this.#settings
    // Its time may be over by now; that is no reason to keep it.
    const timeless = { ...event, timestamp: undefined }
    const { entity, sequence } = judgeEvent(topic, timeless, clock.now(), timeBounds, tenant)
    if (sequence !== null) this.#numbering.forgive(entity, sequence)
  }

  stats(): ClientStats {
    const { acknowledged, duplicates, failed, retries, dropped } = this.#counts
    return {
      accepted: this.#counts.accepted,
      queuedBytes: this.#queue.bytes,
      waitingEvents: this.#queue.waitingEvents,
      underWayEvents: this.#queue.underWayEvents,
      waitingForRoom: this.#outside.size,
      ...{ acknowledged, duplicates, failed, retries, dropped: { ...dropped } },
    }
  }

  /** Resolves when everything that was sent before has settled, one way or the other. */
  async flush(): Promise<void> {
    if (this.#held.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.add({ upTo: this.#calls, resolve })
    await promise
    // Those who wait for their `send` come first.
    await new Promise<void>((soon) => this.#settings.clock.after(0, soon))
  }

  /** Takes no more, waits for what is held within the grace, gives up the rest. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { clock, closeGraceMs } = this.#settings
    const grace = Promise.withResolvers<void>()
    const cancel = clock.after(closeGraceMs, grace.resolve)
    await Promise.race([this.flush(), grace.promise])
    cancel()
    this.#end([...this.#outside, ...this.#queue.late(Infinity)].map((unit) => [unit, { error: closed() }]))
    await this.#transport.close()
    await this.flush()
    this.#cancelExpiry?.()
  }

  #judge(topic: string, event: unknown): JudgedEvent {
    const { clock, timeBounds, tenant } = this.#settings
    const judged = judgeEvent(topic, event, clock.now(), timeBounds, tenant)
    const objection = this.#transport.objection(judged)
    if (objection !== null) throw objection
    return judged
  }

  /** From here to the queue nothing is awaited, so that the order of calls is the order of events. */
  #accept(judged: readonly JudgedEvent[]): Promise<readonly Receipt[]> {
    if (this.#closing !== null) throw closed()
    const sizeBytes = judged.reduce((sum, event) => sum + event.sizeBytes, 0)
    this.#checkSize(judged.length, sizeBytes)
    const events = this.#number(judged)
    const { promise, resolve, reject } = Promise.withResolvers<readonly Receipt[]>()
    const unit: Unit = {
      events,
      entities: [...new Set(events.map(({ entity }) => entity))],
      sizeBytes,
      priority: highestOf(events),
      deadline: this.#settings.clock.now() + this.#settings.deliveryTimeoutMs,
      settle: (outcome) => ('receipts' in outcome ? resolve(outcome.receipts) : reject(outcome.error)),
    }
    this.#held.set(unit, ++this.#calls)
    this.#counts.accepted += events.length
    this.#admit(unit)
    this.#watchDeadlines()
    this.#pumpSoon()
    return promise
  }

  #checkSize(count: number, sizeBytes: number): void {
    const { limits } = this.#transport
    const mostBytes = Math.min(limits.bytes, this.#settings.queueBytes)
    if (sizeBytes > mostBytes)
      throw new ClientError(
        'INVALID_EVENT',
        `events: ${sizeBytes} bytes are sent at once, at most ${mostBytes} may be.`,
        'stop',
      )
    if (count > limits.events)
      throw new ClientError(
        'INVALID_EVENT',
        `events: ${count} are sent at once, at most ${limits.events} may be.`,
        'stop',
      )
  }

  #number(judged: readonly JudgedEvent[]): readonly NumberedEvent[] {
    const numbered: NumberedEvent[] = []
    try {
      for (const event of judged) {
        const sequence = this.#numbering.number(event.entity, event.sequence)
        const isCounted = event.sequence === null
        numbered.push({ ...event, sequence, isCounted, isNamed: !isCounted || event.id !== null })
      }
    } catch (error) {
      for (const { entity, sequence } of numbered) this.#numbering.rewind(entity, sequence)
      if (error instanceof ClientError && error.then === 'retry')
        for (const { entity, sequence } of judged) if (sequence !== null) this.#numbering.owe(entity, sequence)
      throw error
    }
    return numbered
  }

  /** Into the queue, or among those that wait for room, or away. */
  #admit(unit: Unit): void {
    if (this.#outside.size === 0 && this.#queue.fits(unit)) return this.#queue.put(unit)
    if (this.#settings.whenFull === 'wait') {
      if (this.#outside.size < this.#settings.waitingCalls) this.#outside.add(unit)
      else this.#end([[unit, { error: queueFull(this.#settings.waitingCalls) }]])
      return
    }
    this.#outside.add(unit)
    this.#end(this.#queue.makeRoom(unit).map((victim) => [victim, { error: dropped(victim) }]))
    // It may have stood behind one of those.
    if (!this.#outside.delete(unit)) return
    if (this.#queue.fits(unit)) this.#queue.put(unit)
    else this.#end([[unit, { error: dropped(unit) }]])
  }

  /** These are over, and so is what waits behind them (CL5): in the order of the calls. None is under way. */
  #end(outcomes: readonly (readonly [Unit, Outcome])[]): void {
    const ended = new Map(outcomes)
    for (const unit of this.#behind(ended)) ended.set(unit, { error: earlierFailed(null) })
    const inOrder = [...ended].toSorted(([one], [other]) => this.#held.get(one)! - this.#held.get(other)!)
    for (const [unit, outcome] of inOrder) this.#over(unit, outcome)
    this.#tellWaiters()
  }

  /** What waits behind those of them that may be sent again, and behind what is found so. */
  #behind(ended: ReadonlyMap<Unit, Outcome>): ReadonlySet<Unit> {
    const found = new Set<Unit>()
    const owing = [...ended].flatMap(([unit, outcome]) => (mayBeSentAgain(outcome) ? [unit] : []))
    /** By entity, the earliest call that is owed. */
    const since = new Map<string, number>()
    for (const earlier of owing) {
      const call = this.#held.get(earlier)!
      for (const entity of numberedIn(earlier)) {
        if (call >= (since.get(entity) ?? Infinity)) continue
        since.set(entity, call)
        for (const unit of this.#queue.waitingOf(entity)) {
          if (this.#held.get(unit)! <= call || ended.has(unit) || found.has(unit)) continue
          found.add(unit)
          owing.push(unit)
        }
      }
    }
    // Those outside came later than those in the queue.
    for (const unit of since.size === 0 ? [] : this.#outside) {
      const call = this.#held.get(unit)!
      if (ended.has(unit) || !unit.entities.some((entity) => (since.get(entity) ?? Infinity) < call)) continue
      found.add(unit)
      for (const entity of numberedIn(unit)) since.set(entity, Math.min(since.get(entity) ?? Infinity, call))
    }
    return found
  }

  #over(unit: Unit, outcome: Outcome): void {
    this.#held.delete(unit)
    this.#outside.delete(unit)
    this.#queue.remove(unit)
    this.#count(unit, outcome)
    this.#settleNumbers(unit, outcome)
    unit.settle(outcome)
  }

  #count({ events, priority }: Unit, outcome: Outcome): void {
    const counts = this.#counts
    if ('receipts' in outcome) {
      counts.acknowledged += events.length
      counts.duplicates += outcome.receipts.filter(({ duplicate }) => duplicate).length
    } else if (outcome.error.code === 'DROPPED') counts.dropped[priority] += events.length
    else counts.failed += events.length
  }

  #settleNumbers({ events }: Unit, outcome: Outcome): void {
    const numbering = this.#numbering
    const isOwed = mayBeSentAgain(outcome)
    for (const { entity, sequence, isCounted } of events.toReversed()) {
      if (isOwed && !isCounted) {
        numbering.rewind(entity, sequence)
        numbering.owe(entity, sequence)
        continue
      }
      if ('error' in outcome) numbering.takeBack(entity, sequence)
      if (!isCounted) numbering.forgive(entity, sequence)
    }
  }

  #tellWaiters(): void {
    if (this.#waiters.size === 0) return
    const oldest = this.#held.values().next().value ?? Infinity
    for (const waiter of this.#waiters) {
      if (waiter.upTo >= oldest) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  /** Events of one turn of the event loop go together. */
  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    void Promise.resolve().then(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    this.#letIn()
    while (this.#deliveries < this.#transport.concurrency) {
      const units = this.#queue.take(this.#transport.limits, (unit) => this.#transport.isShared(unit))
      if (units.length === 0) return
      this.#deliveries += 1
      void this.#deliver(units).finally(() => {
        this.#deliveries -= 1
        this.#pump()
      })
    }
  }

  #letIn(): void {
    for (const unit of this.#outside) {
      if (!this.#queue.fits(unit)) return
      this.#outside.delete(unit)
      this.#queue.put(unit)
    }
  }

  async #deliver(units: readonly Unit[]): Promise<void> {
    const outcomes = await this.#transport.deliver(units, Math.min(...units.map(({ deadline }) => deadline)))
    for (const unit of units) this.#queue.settle(unit)
    this.#end(units.map((unit, index) => [unit, outcomes[index]!]))
  }

  /** One timer, for the call that waits longest. */
  #watchDeadlines(): void {
    if (this.#cancelExpiry !== null) return
    const oldest = this.#held.keys().next().value
    if (oldest === undefined) return
    const { clock } = this.#settings
    this.#cancelExpiry = clock.after(Math.max(expiryStepMs, oldest.deadline - clock.now()), () => {
      this.#cancelExpiry = null
      const now = clock.now()
      const late = [...this.#outside].filter(({ deadline }) => deadline <= now)
      this.#end([...late, ...this.#queue.late(now)].map((unit) => [unit, { error: timedOut() }]))
      this.#watchDeadlines()
    })
  }
}

/** The deadline of what is under way is the transport's: it is only looked at again. */
const expiryStepMs = 50

function at<T>(index: number, judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    const { code, message, then, field } = error
    throw new ClientError(code, `events[${index}]: ${message}`, then, {
      field: `events[${index}].${field ?? ''}`,
      cause: error,
    })
  }
}

const highestOf = (events: readonly JudgedEvent[]): Unit['priority'] =>
  (['high', 'normal', 'low'] as const).find((name) => events.some(({ priority }) => priority === name)) ?? 'normal'

const mayBeSentAgain = (outcome: Outcome): boolean => 'error' in outcome && outcome.error.then === 'retry'

/** The entities of which it has events that the sender has numbered. */
const numberedIn = ({ events }: Unit): ReadonlySet<string> =>
  new Set(events.flatMap(({ entity, isCounted }) => (isCounted ? [] : [entity])))

const closed = (): ClientError => new ClientError('CLOSED', 'The client is closed; nothing was sent.', 'stop')
const timedOut = (): ClientError =>
  new ClientError('TIMEOUT', 'It waited for its whole time and was not sent.', 'retry')
const queueFull = (calls: number): ClientError =>
  new ClientError(
    'QUEUE_FULL',
    `The queue is full and ${calls} calls wait for room; wait for send before you send more.`,
    'retry',
  )
const dropped = ({ priority }: Unit): ClientError =>
  new ClientError('DROPPED', `The queue is full; this event of priority ${priority} gave way.`, 'retry')
