/**
 * Events straight into the log, for processes of the platform that have a principal of their own. The records are those that
 * the ingest API writes: same keys, same bytes, same headers.
 *
 *   KT1  A delivery is one transaction of the producer's own transactional id: events and their sequences together.
 *   KT2  What is durable is known from the log alone: a session begins with reading the sequences back, after the one before
 *        was fenced. An event whose sequence is not above that is not written again.
 *   KT3  After any failure the session is given up, and the next one settles what became of its transaction.
 *   KT4  One process has a name: whoever opens it later ends the one before, which then sends nothing any more.
 *   KT5  A session that was ended when its transaction had been open for its whole time ended itself: another is opened, unless
 *        somebody has written under the name since.
 */

import type { KafkaLogOptions, Log, LogErrorCode, PlacedRecord, ProducerSession } from '../../connectors/kafka/index.ts'
import { appendPlaced, LogError, openKafkaLog, positionText } from '../../connectors/kafka/index.ts'
import type { KeyRing, SchemaRegistry } from '../../schemas/index.ts'
import { holdsPersonal, personalDecisions, SchemaError } from '../../schemas/index.ts'
import { BadRecord } from '../../topology/errors.ts'
import { BackOff } from '../back-off.ts'
import { ClientError } from '../errors.ts'
import type { Receipt } from '../event.ts'
import type { JudgedEvent } from '../judge.ts'
import { pause } from '../pause.ts'
import type { OpenTransport, Transport, TransportContext } from '../transport.ts'
import type { NumberedEvent, Outcome, Unit } from '../unit.ts'
import { CommittedSequences } from './committed-sequences.ts'
import { producerNames } from './producer-names.ts'
import { Records } from './records.ts'

export interface KafkaTransportOptions {
  /** The cluster, or a log that is open and stays its owner's. */
  readonly log: Omit<KafkaLogOptions, 'clock' | 'random' | 'notice'> | Log
  /** `registeredSchemas({ url })`, or any registry that knows the platform's schemas. */
  readonly registry: SchemaRegistry
  /** The tenants' data keys; without them events with personal fields are refused. */
  readonly keyRing?: KeyRing
  /** A transaction left open longer is aborted, in ms; 60,000 unless told. */
  readonly transactionTimeoutMs?: number
}

const limits = Object.freeze({ bytes: 4 * 1024 * 1024, events: 20_000 })
/** Of one batch: below what brokers take unless they are configured otherwise. */
const batchBytes = 900_000
const noKeys: KeyRing = { load: () => Promise.resolve(), get: () => undefined }

/** @throws LogError when the cluster cannot be reached or refuses; one line */
export function kafkaTransport(options: KafkaTransportOptions): OpenTransport {
  return async (context) => {
    const { log: given } = options
    const isOpen = 'openProducer' in given
    const { clock, random, notice } = context
    const log = isOpen ? given : await openKafkaLog({ ...given, clock, random, notice })
    try {
      const sequences = await CommittedSequences.open(log, clock, context.name)
      const transport = new KafkaTransport(options, context, log, sequences, !isOpen)
      await transport.open()
      return transport
    } catch (error) {
      if (!isOpen) await log.close()
      throw error
    }
  }
}

/** Events of a transaction whose end is not known, and where they would be. */
type Doubtful = Map<NumberedEvent, Receipt>

class KafkaTransport implements Transport {
  readonly concurrency = 1
  readonly limits = limits
  readonly #options: KafkaTransportOptions
  readonly #context: TransportContext
  readonly #log: Log
  readonly #sequences: CommittedSequences
  readonly #ownsLog: boolean
  readonly #records: Records
  readonly #personal = new Map<string, boolean>()
  readonly #closing = new AbortController()
  #session: ProducerSession | null = null
  /** Why nothing is sent any more (KT4). */
  #over: ClientError | null = null
  /** When the transaction that is open was begun, in ms; null when none is. */
  #begunAt: number | null = null
  /** The session before may have ended by its own slowness, or by another process (KT5). */
  #isInQuestion = false
  #isReplaced = false

  constructor(
    options: KafkaTransportOptions,
    context: TransportContext,
    log: Log,
    sequences: CommittedSequences,
    ownsLog: boolean,
  ) {
    this.#options = options
    this.#context = context
    this.#log = log
    this.#sequences = sequences
    this.#ownsLog = ownsLog
    const { registry, keyRing = noKeys } = options
    this.#records = new Records({ log, registry, keyRing, producer: context.name, now: () => context.clock.now() })
  }

  isShared(): boolean {
    return true
  }

  objection({ tenant, topic, type }: JudgedEvent): ClientError | null {
    if (tenant === null)
      return notAllowed('tenant: expected here; only over HTTP does the credential say whose event it is.', 'tenant')
    if (personalDecisions.has(type))
      return notAllowed(`type: ${type} is a person's decision; it goes through HTTP ingest.`, 'type')
    if (this.#options.keyRing === undefined && this.#isPersonal(topic, type))
      return notAllowed(
        `type: ${type} has personal fields; without the tenants' keys it goes through HTTP ingest.`,
        'type',
      )
    return null
  }

  committed(entity: string): number | null {
    return this.#sequences.get(entity)
  }

  async deliver(units: readonly Unit[], until: number): Promise<readonly Outcome[]> {
    const { clock, random, retried, notice } = this.#context
    const backOff = new BackOff(random)
    const doubtful: Doubtful = new Map()
    for (;;) {
      if (this.#over !== null) return allFailed(units, this.#over)
      try {
        return await this.#transact(await this.open(), units, doubtful)
      } catch (error) {
        const failure = this.#hasTimedOut(error) ? tooSlow(error) : failureOf(error)
        await this.#giveUp()
        if (failure.code === 'FENCED') this.#over = failure
        const waitMs = backOff.next()
        const isLast = clock.now() + waitMs >= until || this.#closing.signal.aborted
        if (failure.then === 'stop' || isLast) return allFailed(units, doubtful.size > 0 ? unknown(failure) : failure)
        notice(`events wait: ${failure.message}`)
        retried()
        await pause(clock, waitMs, this.#closing.signal)
      }
    }
  }

  /** The session, and with it what is durable (KT2). @throws LogError */
  async open(): Promise<ProducerSession> {
    if (this.#session !== null) return this.#session
    if (this.#isInQuestion) await this.#checkAlone()
    const transactionalId = producerNames.transactionalId(this.#context.name)
    const transactionTimeoutMs = this.#timeoutMs
    const session = await this.#log.openProducer({ transactionalId, transactionTimeoutMs })
    this.#session = session
    this.#isInQuestion = false
    await this.#sequences.catchUp()
    return session
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#giveUp()
    if (this.#ownsLog) await this.#log.close()
  }

  get #timeoutMs(): number {
    return this.#options.transactionTimeoutMs ?? 60_000
  }

  /** Whether the session may have been ended because its transaction was open for too long (KT5). */
  #hasTimedOut(error: unknown): boolean {
    if (!isFenced(error) || this.#begunAt === null) return false
    const hasTimedOut = this.#context.clock.now() - this.#begunAt >= this.#timeoutMs
    this.#isInQuestion ||= hasTimedOut
    return hasTimedOut
  }

  /**
   * Before the name is opened again, which would end another process that has it (KT5). A transaction whose time was over was
   * not committed: what is new is not ours.
   * @throws LogError PRODUCER_FENCED
   */
  async #checkAlone(): Promise<void> {
    await this.#sequences.catchUp(() => (this.#isReplaced = true))
    if (this.#isReplaced) throw new LogError('PRODUCER_FENCED', 'it has written meanwhile', 'stop')
  }

  /** KT3. */
  async #giveUp(): Promise<void> {
    const session = this.#session
    this.#session = null
    this.#begunAt = null
    await session?.close().catch(() => undefined)
  }

  /** KT1. @throws LogError, SchemaError, BadRecord */
  async #transact(session: ProducerSession, units: readonly Unit[], doubtful: Doubtful): Promise<readonly Outcome[]> {
    await this.#records.prepare(units.flatMap(({ events }) => events))
    const known = new Map(doubtful)
    // What is not durable by now never was.
    doubtful.clear()
    const outcomes = units.map((unit) => this.#encoded(unit))
    const written = outcomes.flatMap((outcome) => ('error' in outcome ? [] : outcome.fresh))
    const receipts = new Map<NumberedEvent, Receipt>()
    if (written.length > 0) {
      this.#begunAt = this.#context.clock.now()
      session.begin()
      const records = written.map(({ record }) => record)
      const offsets = await appendPlaced(session, [...records, ...this.#sequenceRecords(written)], batchBytes)
      for (const [index, { event, record }] of written.entries())
        receipts.set(event, this.#receiptOf(event, positionText({ ...record, offset: offsets[index]! })))
      for (const [event, receipt] of receipts) doubtful.set(event, receipt)
      await session.end('commit')
      this.#begunAt = null
      for (const { event } of written) this.#sequences.set(event.entity, event.sequence)
    }
    return outcomes.map((outcome, index) => {
      if ('error' in outcome) return outcome
      const receiptOf = (event: NumberedEvent): Receipt =>
        receipts.get(event) ?? known.get(event) ?? { ...this.#receiptOf(event, null), duplicate: true }
      return { receipts: units[index]!.events.map(receiptOf) }
    })
  }

  /** The records of a unit's events that are not durable. */
  #encoded(unit: Unit): { readonly fresh: readonly Fresh[] } | { readonly error: ClientError } {
    try {
      const fresh = unit.events.filter(({ entity, sequence }) => sequence > (this.#sequences.get(entity) ?? 0))
      return { fresh: fresh.map((event) => ({ event, record: this.#records.recordOf(event) })) }
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error
      return { error: failureOf(error) }
    }
  }

  #sequenceRecords(written: readonly Fresh[]): readonly PlacedRecord[] {
    const last = new Map(written.map(({ event }) => [event.entity, event.sequence]))
    return [...last].map(([entity, sequence]) => this.#sequences.recordOf(entity, sequence))
  }

  #receiptOf(event: NumberedEvent, position: string | null): Receipt {
    return { eventId: this.#records.eventIdOf(event), position, sequence: event.sequence, duplicate: false }
  }

  #isPersonal(topic: JudgedEvent['topic'], type: string): boolean {
    const name = `${topic.name} ${type}`
    let personal = this.#personal.get(name)
    if (personal === undefined) this.#personal.set(name, (personal = holdsPersonal(topic, type)))
    return personal
  }
}

interface Fresh {
  readonly event: NumberedEvent
  readonly record: PlacedRecord
}

/** Trouble that time does not heal. */
const noRight: ReadonlySet<LogErrorCode> = new Set([
  'AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
])
const final: ReadonlySet<LogErrorCode> = new Set([
  'UNSUPPORTED_VERSION',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'POLICY_VIOLATION',
  'RECORD_TOO_LARGE',
])
const fenced: ReadonlySet<LogErrorCode> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])
const isFenced = (error: unknown): boolean => error instanceof LogError && fenced.has(error.code)

function failureOf(error: unknown): ClientError {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof BadRecord) return new ClientError('INVALID_EVENT', `${message}.`, 'stop', { cause: error })
  if (error instanceof SchemaError)
    return new ClientError(
      error.then === 'stop' ? 'REFUSED' : 'TIMEOUT',
      `It was not written: ${message}.`,
      error.then,
      { cause: error },
    )
  if (!(error instanceof LogError)) throw error
  if (isFenced(error))
    return new ClientError('FENCED', `Another process has this producer's name: ${message}.`, 'stop', { cause: error })
  if (error.code === 'CLOSED')
    return new ClientError('CLOSED', 'The client was closed before it was written.', 'stop', { cause: error })
  if (noRight.has(error.code))
    return new ClientError('UNAUTHORIZED', `Kafka refuses it: ${message}.`, 'stop', { cause: error })
  if (!final.has(error.code))
    return new ClientError('TIMEOUT', `It was not written in its time: ${message}.`, 'retry', { cause: error })
  return new ClientError('REFUSED', `Kafka refuses it: ${message}.`, 'stop', {
    cause: error,
  })
}

const tooSlow = (cause: unknown): ClientError =>
  new ClientError('TIMEOUT', 'It was not written in its time: its transaction was open for too long.', 'retry', {
    cause,
  })

const unknown = (failure: ClientError): ClientError =>
  new ClientError(
    'OUTCOME_UNKNOWN',
    `It may or may not be written (${failure.message}); sent again with its sequence it is written once.`,
    'retry',
    {
      cause: failure,
    },
  )

const notAllowed = (message: string, field: string): ClientError =>
  new ClientError('NOT_ALLOWED', message, 'stop', { field })

const allFailed = (units: readonly Unit[], error: ClientError): readonly Outcome[] => units.map(() => ({ error }))
