/**
 * A producer as its owner holds it: stamps what it appends with id, epoch and sequence, and keeps the state of its
 * transaction. Kafka's rules for transaction version 2 (KIP-890).
 *
 *   P1  One request of a session is on its way at a time, in the order of the calls. So a sequence is given when the fate of
 *       the one before is known, and nothing overtakes.
 *   P2  An answer that says "not now" is asked again, the same bytes with the same sequence, within a bound of time.
 *   P3  A transactional session does not outlive an outcome that nobody knows, nor a newer producer: it fails with that for
 *       ever, and the next session's InitProducerId settles what was left. `close` then sends nothing.
 *   P4  A transaction in which anything was refused can only be aborted.
 *   P5  A producer without transactions sends a Produce without answer again, the same bytes: the log knows them. When that
 *       takes too long the session ends, because the next sequence is not known. A leader that says that it is none any more
 *       may have written the batch before it was deposed: that is no answer either.
 *   P6  Every end of a transaction gives the identity of the next; its sequences begin at 0.
 */

import type { Broker, ProduceBatch, ProducedPartition, ProducerIdentity } from '../broker.ts'
import { LogError } from '../port.ts'
import type {
  GroupMetadata,
  LogErrorCode,
  OffsetAndMetadata,
  PartitionAppend,
  PartitionAppended,
  ProducerSession,
} from '../port.ts'
import { nextSequence } from '../sequence.ts'
import { closed, giveUp, isNotNow, isUnknown, Retry, retrying } from './retry.ts'
import type { RetryContext } from './retry.ts'

export interface ProducerContext extends RetryContext {
  readonly broker: Broker
  /** How long one call may be asked again, in ms. */
  readonly deliveryTimeoutMs: number
}

interface OpenTransaction {
  /** Whether the broker may know of it. */
  sent: boolean
  ending: boolean
  /** Why it can only be aborted (P4). */
  failure: unknown
}

/** One append on its way. */
interface Delivery {
  readonly sealed: readonly ProduceBatch[]
  /** Null while it is to be sent, or sent again. */
  readonly answers: (ProducedPartition | null)[]
  /** Which were sent, and nobody knows what became of that. */
  readonly unanswered: Set<number>
}

export class ClientProducer implements ProducerSession {
  readonly #context: ProducerContext
  readonly #transactionalId: string | null
  readonly #limitMs: number
  #identity: ProducerIdentity
  /** Of the next batch, by topic, then by partition. */
  readonly #sequences = new Map<string, number[]>()
  #transaction: OpenTransaction | null = null
  /** The last call that is not over yet (P1). */
  #last: Promise<void> | null = null
  /** Why no call is answered any more. */
  #over: LogError | null = null

  constructor(
    identity: ProducerIdentity,
    transactionalId: string | null,
    transactionTimeoutMs: number,
    context: ProducerContext,
  ) {
    this.#identity = identity
    this.#transactionalId = transactionalId
    this.#context = context
    // A transaction that is open for longer is aborted by its coordinator; asking on would be in vain.
    this.#limitMs =
      transactionalId === null ? context.deliveryTimeoutMs : Math.min(context.deliveryTimeoutMs, transactionTimeoutMs)
  }

  get producerId(): bigint {
    return this.#identity.producerId
  }

  get epoch(): number {
    return this.#identity.epoch
  }

  begin(): void {
    this.#checkLive()
    if (this.#transactionalId === null) throw badState('a producer without a transactional id has no transactions')
    if (this.#transaction !== null) throw badState('a transaction is open already')
    this.#transaction = { sent: false, ending: false, failure: null }
  }

  async append(batches: readonly PartitionAppend[]): Promise<readonly PartitionAppended[]> {
    const transaction = this.#writable()
    if (batches.length === 0) return []
    return this.#inTurn(() => this.#guard(transaction, () => this.#produce(batches)))
  }

  async sendOffsets(group: GroupMetadata, offsets: readonly OffsetAndMetadata[]): Promise<void> {
    const transaction = this.#writable()
    const transactionalId = this.#transactionalId
    if (transaction === null || transactionalId === null) throw badState('offsets are committed inside a transaction')
    if (offsets.length === 0) return
    const send = (): Promise<void> =>
      this.#context.broker.txnOffsetCommit({ transactionalId, ...this.#identity, group, offsets })
    await this.#inTurn(() => this.#guard(transaction, () => retrying(this.#context, this.#limitMs, send)))
  }

  async end(outcome: 'commit' | 'abort'): Promise<void> {
    this.#checkLive()
    const transaction = this.#transaction
    if (transaction === null) throw badState('no transaction is open')
    if (transaction.ending) throw badState('the transaction is being ended')
    transaction.ending = true
    try {
      await this.#inTurn(() => this.#end(transaction, outcome))
    } finally {
      transaction.ending = false
    }
  }

  /** Aborts what is open, unless the session has failed (P3). */
  async close(): Promise<void> {
    await this.#last
    try {
      if (this.#over === null && this.#transaction !== null) await this.end('abort')
    } finally {
      this.#over ??= new LogError('CLOSED', 'the producer is closed', 'stop')
    }
  }

  async #end(transaction: OpenTransaction, outcome: 'commit' | 'abort'): Promise<void> {
    this.#checkLive()
    if (outcome === 'commit' && transaction.failure !== null) {
      throw badState('a request in the transaction failed: it can only be aborted', transaction.failure)
    }
    if (transaction.sent) {
      const { broker } = this.#context
      const transactionalId = this.#transactionalId!
      const ask = (): Promise<ProducerIdentity> => broker.endTxn({ transactionalId, ...this.#identity, outcome })
      try {
        this.#identity = await retrying(this.#context, this.#limitMs, ask)
      } catch (error) {
        // What we hold for open the coordinator has ended: its time was over.
        const isEnded = error instanceof LogError && error.code === 'INVALID_TXN_STATE'
        throw this.#failed(isEnded ? this.#fenced(error) : error, mayEndAgain)
      }
      this.#sequences.clear()
    }
    this.#transaction = null
  }

  /** Runs one request, and keeps what its failure means for the transaction and for the session. */
  async #guard<T>(transaction: OpenTransaction | null, request: () => Promise<T>): Promise<T> {
    this.#checkLive()
    if (transaction !== null) {
      if (transaction.failure !== null) throw badState('the transaction can only be aborted', transaction.failure)
      transaction.sent = true
    }
    try {
      return await request()
    } catch (error) {
      const failure = this.#failed(error, transaction === null ? keepsSequences : mayAbort)
      if (transaction !== null) transaction.failure = failure
      throw failure
    }
  }

  /** @param survives whether the session goes on after an answer with this code */
  #failed(error: unknown, survives: (code: LogErrorCode) => boolean): unknown {
    if (!(error instanceof LogError)) {
      this.#over ??= new LogError(
        'TIMEOUT',
        `a request failed with an unknown outcome: ${String(error)}`,
        'stop',
        error,
      )
      return error
    }
    const failure = this.#transactionalId !== null && isFenced(error.code) ? this.#fenced(error) : error
    if (!survives(failure.code)) this.#over ??= failure
    return failure
  }

  #fenced(cause: LogError): LogError {
    const why = `${this.#transactionalId} was opened by another producer, or its transaction was open too long`
    return new LogError('PRODUCER_FENCED', why, 'stop', cause)
  }

  /** Sends until each batch is written or refused. @throws LogError of one that was refused, the worst first */
  async #produce(batches: readonly PartitionAppend[]): Promise<readonly PartitionAppended[]> {
    const sealed = this.#seal(batches)
    const delivery: Delivery = { sealed, answers: sealed.map(() => null), unanswered: new Set() }
    const retry = new Retry(this.#context, this.#limitMs)
    try {
      for (let again = await this.#sendOnce(delivery); again !== null; again = await this.#sendOnce(delivery)) {
        if (await retry.pause(again.code)) continue
        if (delivery.unanswered.size > 0) throw lost(again)
        throw this.#context.closing.aborted ? closed() : giveUp(again, this.#limitMs)
      }
    } finally {
      retry.end()
      this.#count(batches, delivery.answers)
    }
    const failure = worst(delivery)
    if (failure !== null) throw failure
    return delivery.answers.map((answer) => answer!)
  }

  /** One Produce of what is left. @returns why some of it is to be sent again, null when none is */
  async #sendOnce({ sealed, answers, unanswered }: Delivery): Promise<LogError | null> {
    const left = [...answers.keys()].filter((index) => answers[index] === null)
    const request = { transactionalId: this.#transactionalId, batches: left.map((index) => sealed[index]!) }
    let produced: readonly ProducedPartition[]
    try {
      produced = await this.#context.broker.produce(request)
    } catch (error) {
      if (!(error instanceof LogError) || !this.#isRepeated(error.code)) {
        throw unanswered.size > 0 ? lost(error) : error
      }
      if (error.code === 'TIMEOUT') for (const index of left) unanswered.add(index)
      return error
    }
    let again: LogError | null = null
    for (const [place, answer] of produced.entries()) {
      const index = left[place]!
      if (answer.error === null) unanswered.delete(index)
      if (answer.error === null || !this.#isRepeated(answer.error)) {
        answers[index] = answer
        continue
      }
      if (this.#mayBeWritten(answer.error)) unanswered.add(index)
      again = errorOf(answer.error, answer.message)
    }
    return again
  }

  /** A transaction is settled by its abort; a sequence that may be taken is taken for ever (P5). */
  #mayBeWritten(code: LogErrorCode): boolean {
    return this.#transactionalId === null && (code === 'TIMEOUT' || code === 'NOT_LEADER_OR_FOLLOWER')
  }

  #isRepeated(code: LogErrorCode): boolean {
    return isNotNow(code) || (code === 'TIMEOUT' && this.#transactionalId === null)
  }

  /** @throws LogError INVALID_REQUEST for two batches of one partition: the second's sequence is not known yet */
  #seal(batches: readonly PartitionAppend[]): readonly ProduceBatch[] {
    const transactional = this.#transactionalId !== null
    const partitions = new Set(batches.map(({ topic, partition }) => `${topic}-${partition}`))
    if (partitions.size < batches.length)
      throw new LogError('INVALID_REQUEST', 'one append has one batch a partition', 'stop')
    const { producerId, epoch } = this.#identity
    return batches.map(({ topic, partition, records }) => {
      const baseSequence = this.#sequences.get(topic)?.[partition] ?? 0
      return { topic, partition, batch: records.build({ producerId, epoch, baseSequence, transactional }) }
    })
  }

  /** What was written has used up its sequences. */
  #count(batches: readonly PartitionAppend[], answers: readonly (ProducedPartition | null)[]): void {
    for (const [index, { topic, partition, records }] of batches.entries()) {
      if (answers[index]?.error !== null) continue
      let sequences = this.#sequences.get(topic)
      if (sequences === undefined) this.#sequences.set(topic, (sequences = []))
      sequences[partition] = nextSequence(sequences[partition] ?? 0, records.count)
    }
  }

  /** P1. Begins at once when nothing is on its way. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    if (before !== null) await before
    try {
      return await work()
    } finally {
      if (this.#last === promise) this.#last = null
      resolve()
    }
  }

  #writable(): OpenTransaction | null {
    this.#checkLive()
    const transaction = this.#transaction
    if (this.#transactionalId !== null && transaction === null) throw badState('no transaction is open')
    if (transaction?.ending === true) throw badState('the transaction is being ended')
    return transaction
  }

  #checkLive(): void {
    if (this.#over !== null) throw this.#over
  }
}

const FENCED: ReadonlySet<LogErrorCode> = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
])
const isFenced = (code: LogErrorCode): boolean => FENCED.has(code)

/** The end was not decided, and may be asked for again. */
const mayEndAgain = (code: LogErrorCode): boolean => isNotNow(code) || code === 'STORAGE_FULL'
/** A definite refusal inside a transaction (P4). */
const mayAbort = (code: LogErrorCode): boolean => !isUnknown(code) && !isFenced(code) && code !== 'CLOSED'
/** A definite refusal outside of one: the batch did not use up its sequence. */
const keepsSequences = (code: LogErrorCode): boolean =>
  mayAbort(code) && code !== 'OUT_OF_ORDER_SEQUENCE_NUMBER' && code !== 'UNKNOWN_PRODUCER_ID'

const badState = (why: string, cause?: unknown): LogError => new LogError('INVALID_TXN_STATE', why, 'stop', cause)

const errorOf = (code: LogErrorCode, message: string | null): LogError =>
  new LogError(
    code,
    message ?? code,
    isNotNow(code) || code === 'STORAGE_FULL' || code === 'TIMEOUT' ? 'retry' : 'stop',
  )

const lost = (cause: unknown): LogError =>
  new LogError('TIMEOUT', `an earlier send of a batch was never answered: ${String(cause)}`, 'retry', cause)

/** What decides about the session goes first: a refusal behind a send without answer says nothing of that one. */
function worst({ answers, unanswered }: Delivery): LogError | null {
  let failure: LogError | null = null
  for (const [index, answer] of answers.entries()) {
    if (answer === null || answer.error === null) continue
    const error = errorOf(answer.error, answer.message)
    if (unanswered.has(index)) return lost(error)
    if (failure === null || !mayAbort(error.code)) failure = error
  }
  return failure
}
