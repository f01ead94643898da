/**
 * Decides transactions, as Kafka's coordinator does with transaction version 2 (KIP-890). A transactional id is
 *
 *   empty -> ongoing -> decided -> complete (its markers are written) -> ongoing -> ...
 *
 *   L6  A transaction is decided by one record in `__transaction_state`; until that is acknowledged it is undecided, and what
 *       is undecided is aborted. So is everything a crash left open.
 *   L7  The record of a commit names, per partition, the first and the end offset of what it covers: an open transaction found
 *       by recovery is committed if and only if a record names its first offset.
 *   L8  A producer's next transaction begins after the markers of its last one are written everywhere; until then
 *       CONCURRENT_TRANSACTIONS.
 *   L9  Who opens a transactional id aborts what was left open, then bumps the epoch durably once more. A transaction that
 *       timed out is aborted the same way, without that second bump.
 *   L10 Whatever moves one transactional id on happens in turn: opening, end, timeout. What is written meanwhile is refused.
 *   L15 The decision bumps the epoch in the same record, an abort's too, and the markers carry it. So a request that is late
 *       belongs to no later transaction, and an end that is asked for again is known by its epoch.
 *   L16 An identity is given out once: epochs and producer ids are durable before anybody has them, and a start bumps every
 *       epoch, so that who wrote before it opens anew.
 */

import type { EndTxnRequest, ProducerIdentity } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { markerBatch } from '../control-batch.ts'
import type { CrashPoint } from '../crash-point.ts'
import { LogError } from '../port.ts'
import { RecordBatchBuilder } from '../record-batch.ts'
import type { OffsetStore } from './offset-store.ts'
import type { PartitionLog } from './partition-log.ts'
import { Transaction } from './transaction.ts'
import { encodeNextProducerId, encodeTransaction } from './transaction-records.ts'
import type { CommittedRange, EndedTransaction, Outcome, TransactionRecord } from './transaction-records.ts'
import { Turns } from './turns.ts'

/** The highest that a producer has; one more, the highest there is, fences it. */
const MAX_EPOCH = 0x7ffe
const RETRY_MS = 100
/** How many producer ids one record reserves. */
const PRODUCER_ID_BLOCK = 1000n
/** Kafka's `transaction.max.timeout.ms`. */
const MAX_TIMEOUT_MS = 900_000
/** Stamps what the log itself writes, outside any producer. */
export const NO_PRODUCER = { producerId: -1n, epoch: -1, baseSequence: -1, transactional: false }

interface TransactionalId {
  /** Who may write. */
  identity: ProducerIdentity
  timeoutMs: number
  /** What is ongoing. */
  transaction: Transaction | null
  /** How the last one ended, as long as its owner may ask again. */
  ended: EndedTransaction | null
  /** Its state is being changed (L10). */
  moving: boolean
  /** What every request is answered: markers of the last one are not written yet (L8), or storage failed for good. */
  blocked: LogError | null
  /** What its last record in the state log says, written or being written; null when it has none. */
  logged: TransactionRecord | null
}

export interface CoordinatorContext {
  readonly stateLog: PartitionLog
  readonly offsets: OffsetStore
  readonly clock: Clock
  readonly notice: (line: string) => void
  readonly crash: CrashPoint
  /** As recovered, by transactional id; their epochs are used up (L16). */
  readonly records: ReadonlyMap<string, TransactionRecord>
  readonly nextProducerId: bigint
}

export class TransactionCoordinator {
  readonly #context: CoordinatorContext
  readonly #ids = new Map<string, TransactionalId>()
  readonly #turns = new Turns()
  readonly #retries = new Set<() => void>()
  #nextProducerId: bigint
  /** Ids below this are reserved. */
  #reservedBelow: bigint
  #closed = false

  constructor(context: CoordinatorContext) {
    this.#context = context
    this.#nextProducerId = context.nextProducerId
    this.#reservedBelow = context.nextProducerId
  }

  /** Ends every identity that was given out before this start (L16). @throws LogError STORAGE_FULL, STORAGE_ERROR */
  async fenceRecovered(): Promise<void> {
    const records = new RecordBatchBuilder()
    for (const [transactionalId, recovered] of this.#context.records) {
      const identity = await this.#following(recovered)
      const logged = { ...identity, ended: recovered.ended, commit: [] }
      this.#ids.set(transactionalId, { ...newId(identity), ended: recovered.ended, logged })
      this.#encode(records, transactionalId, logged)
    }
    if (records.count > 0) await this.#context.stateLog.append(records.build(NO_PRODUCER))
  }

  /** @throws LogError STORAGE_FULL, STORAGE_ERROR */
  async newProducer(): Promise<ProducerIdentity> {
    while (this.#nextProducerId >= this.#reservedBelow) await this.#turns.take('', () => this.#reserve())
    return { producerId: this.#nextProducerId++, epoch: 0 }
  }

  /**
   * Gives a transactional id to a new producer (L9).
   * @throws LogError INVALID_TRANSACTION_TIMEOUT, CONCURRENT_TRANSACTIONS, STORAGE_FULL, STORAGE_ERROR
   */
  open(transactionalId: string, timeoutMs: number): Promise<ProducerIdentity> {
    if (transactionalId === '')
      return Promise.reject(new LogError('INVALID_REQUEST', 'a transactional id has a name', 'stop'))
    if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) return Promise.reject(badTimeout(timeoutMs))
    return this.#turns.take(transactionalId, async () => {
      const known = this.#ids.get(transactionalId)
      if (known !== undefined && known.blocked !== null) throw known.blocked
      if (known === undefined) await this.#create(transactionalId)
      else await this.#takeOver(transactionalId, known)
      const id = this.#ids.get(transactionalId)!
      id.timeoutMs = timeoutMs
      return id.identity
    })
  }

  /**
   * The transaction that a request of this producer belongs to; the first request opens it.
   * @throws LogError INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS
   */
  join(transactionalId: string, { producerId, epoch }: ProducerIdentity): Transaction {
    const id = this.#ids.get(transactionalId)
    if (id === undefined || (id.identity.producerId !== producerId && id.ended?.producerId !== producerId))
      throw unknownId(transactionalId, producerId)
    if (id.identity.producerId !== producerId || id.identity.epoch !== epoch) {
      const what = `${transactionalId}: epoch ${epoch} of producer ${producerId} is not ${id.identity.epoch}`
      throw new LogError('INVALID_PRODUCER_EPOCH', what, 'stop')
    }
    if (id.blocked !== null) throw id.blocked
    if (id.moving) throw concurrent(transactionalId)
    if (id.transaction === null) {
      const transaction: Transaction = new Transaction(() =>
        this.#context.clock.after(id.timeoutMs, () => void this.#expire(transactionalId, transaction)),
      )
      id.transaction = transaction
    }
    return id.transaction
  }

  /**
   * Ends a transaction. Resolves when the outcome is certain; markers that cannot be written yet follow (L8).
   * @returns the identity of the next one
   * @throws LogError INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS, STORAGE_FULL
   *   (undecided, ask again), STORAGE_ERROR (outcome unknown)
   */
  end({ transactionalId, outcome, ...by }: EndTxnRequest): Promise<ProducerIdentity> {
    return this.#turns.take(transactionalId, async () => {
      const id = this.#ids.get(transactionalId)
      if (id === undefined) throw unknownId(transactionalId, by.producerId)
      if (id.transaction === null && id.ended !== null && isSame(id.ended, by)) {
        if (id.ended.outcome !== outcome) throw badState(`the last transaction of ${transactionalId} ended otherwise`)
        return id.identity
      }
      if (id.identity.producerId !== by.producerId) throw unknownId(transactionalId, by.producerId)
      if (id.identity.epoch !== by.epoch) throw fenced(transactionalId)
      if (id.blocked !== null) throw id.blocked
      if (id.transaction === null && outcome === 'commit') throw badState(`${transactionalId} has nothing to commit`)
      await this.#end(transactionalId, id, outcome)
      return id.identity
    })
  }

  /** The whole state, as records: what a compacted topic would hold. Null when there is none. */
  encodeAll(): RecordBatchBuilder | null {
    const records = new RecordBatchBuilder()
    if (this.#reservedBelow > 0n) this.#encodeReserved(records, this.#reservedBelow)
    for (const [transactionalId, { logged }] of this.#ids) {
      if (logged !== null) this.#encode(records, transactionalId, logged)
    }
    return records.count === 0 ? null : records
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#retries) cancel()
    for (const { transaction } of this.#ids.values()) transaction?.stopTimeout()
  }

  async #create(transactionalId: string): Promise<void> {
    const id = newId(await this.newProducer())
    await this.#write(transactionalId, id, { ...id.identity, ended: null, commit: [] })
    this.#ids.set(transactionalId, id)
  }

  /** Aborts what was left open, then bumps the epoch once more, which fences who had it (L9). */
  async #takeOver(transactionalId: string, id: TransactionalId): Promise<void> {
    if (id.transaction !== null) await this.#end(transactionalId, id, 'abort')
    id.moving = true
    try {
      const next = await this.#following(id.identity)
      await this.#write(transactionalId, id, { ...next, ended: null, commit: [] })
      id.identity = next
      id.ended = null
    } finally {
      id.moving = false
    }
  }

  /** Decides what is ongoing, writes its markers, and bumps the epoch either way (L15). */
  async #end(transactionalId: string, id: TransactionalId, outcome: Outcome): Promise<void> {
    const { transaction, identity: former } = id
    id.moving = true
    try {
      transaction?.stopTimeout()
      await transaction?.settled()
      const next = await this.#following(former)
      const ended = { ...former, outcome }
      const commit = outcome === 'commit' && transaction !== null ? rangesOf(transaction) : []
      try {
        await this.#write(transactionalId, id, { ...next, ended, commit })
      } catch (error) {
        if ((error as LogError).then === 'retry') transaction?.restartTimeout()
        else id.blocked = error as LogError
        throw error
      }
      this.#context.crash('C30')
      id.identity = next
      id.ended = ended
      id.transaction = null
      if (transaction !== null) await this.#finish(transactionalId, id, transaction, former, outcome)
    } finally {
      id.moving = false
    }
  }

  /** Aborts a transaction that was left open too long. Its producer writes no more; only its own abort is answered (L15). */
  async #expire(transactionalId: string, transaction: Transaction): Promise<void> {
    try {
      await this.#turns.take(transactionalId, async () => {
        const id = this.#ids.get(transactionalId)
        if (id?.transaction !== transaction) return
        await this.#end(transactionalId, id, 'abort')
        this.#context.notice(`transaction of ${transactionalId} was aborted: open for more than ${id.timeoutMs} ms`)
      })
    } catch (error) {
      if (error instanceof LogError && error.then === 'retry') {
        this.#later(() => void this.#expire(transactionalId, transaction))
      } else if (!this.#closed) {
        this.#context.notice(`transaction of ${transactionalId} cannot be aborted: ${String(error)}`)
      }
    }
  }

  /** The outcome is a fact; writes it into every partition touched, with the epoch after the one that wrote there. */
  async #finish(
    transactionalId: string,
    id: TransactionalId,
    { touched }: Transaction,
    former: ProducerIdentity,
    outcome: Outcome,
  ): Promise<void> {
    this.#context.offsets.settle(former.producerId, outcome)
    const by = { ...former, epoch: former.epoch + 1 }
    await this.#mark(transactionalId, id, [...touched.keys()], (now) => markerBatch(outcome, by, now))
  }

  async #mark(
    transactionalId: string,
    id: TransactionalId,
    logs: readonly PartitionLog[],
    marker: (now: number) => Buffer,
  ): Promise<void> {
    const now = this.#context.clock.now()
    const attempts = logs.map((log) =>
      log.append(marker(now)).then(
        () => [],
        (error: LogError) => [{ log, error }],
      ),
    )
    const failed = (await Promise.all(attempts)).flat()
    const stuck = failed.find(({ error }) => error.then === 'stop')
    if (failed.length === 0) {
      id.blocked = null
      if (id.logged !== null && id.logged.commit.length > 0) id.logged = { ...id.logged, commit: [] }
    } else if (stuck !== undefined) {
      id.blocked = stuck.error
      if (!this.#closed)
        this.#context.notice(`a transaction cannot be finished before the log is opened again: ${stuck.error.message}`)
    } else {
      id.blocked = concurrent(transactionalId)
      const left = failed.map(({ log }) => log)
      this.#later(() => void this.#mark(transactionalId, id, left, marker))
    }
  }

  async #write(transactionalId: string, id: TransactionalId, record: TransactionRecord): Promise<void> {
    const records = new RecordBatchBuilder()
    this.#encode(records, transactionalId, record)
    const former = id.logged
    id.logged = record
    try {
      await this.#context.stateLog.append(records.build(NO_PRODUCER))
    } catch (error) {
      id.logged = former
      throw error
    }
  }

  /** The next identity of a transactional id: one epoch more, or a new producer when epochs are used up. */
  async #following({ producerId, epoch }: ProducerIdentity): Promise<ProducerIdentity> {
    return epoch < MAX_EPOCH ? { producerId, epoch: epoch + 1 } : this.newProducer()
  }

  /** Makes a block of producer ids durable before one of them is given out (L16). */
  async #reserve(): Promise<void> {
    if (this.#nextProducerId < this.#reservedBelow) return
    const below = this.#nextProducerId + PRODUCER_ID_BLOCK
    const records = new RecordBatchBuilder()
    this.#encodeReserved(records, below)
    // In the moment when it is visible: the state may be written anew in that moment, and this record deleted for that.
    await this.#context.stateLog.append(records.build(NO_PRODUCER), () => {
      this.#reservedBelow = below
    })
  }

  #encodeReserved(records: RecordBatchBuilder, below: bigint): void {
    records.append(this.#context.clock.now(), Buffer.alloc(0), encodeNextProducerId(below))
  }

  #encode(records: RecordBatchBuilder, transactionalId: string, record: TransactionRecord): void {
    records.append(this.#context.clock.now(), Buffer.from(transactionalId), encodeTransaction(record))
  }

  #later(call: () => void): void {
    if (this.#closed) return
    const cancel = this.#context.clock.after(RETRY_MS, () => {
      this.#retries.delete(cancel)
      call()
    })
    this.#retries.add(cancel)
  }
}

const newId = (identity: ProducerIdentity): TransactionalId => ({
  identity,
  timeoutMs: MAX_TIMEOUT_MS,
  transaction: null,
  ended: null,
  moving: false,
  blocked: null,
  logged: null,
})

const isSame = (a: ProducerIdentity | null, b: ProducerIdentity): boolean =>
  a !== null && a.producerId === b.producerId && a.epoch === b.epoch

const rangesOf = ({ touched }: Transaction): readonly CommittedRange[] =>
  [...touched].map(([{ topic, partition }, { first, end }]) => ({ topic, partition, first, end }))

const badTimeout = (timeoutMs: number): LogError =>
  new LogError('INVALID_TRANSACTION_TIMEOUT', `${timeoutMs} ms is not between 1 and ${MAX_TIMEOUT_MS}`, 'stop')
const badState = (why: string): LogError => new LogError('INVALID_TXN_STATE', why, 'stop')
const fenced = (transactionalId: string): LogError =>
  new LogError('PRODUCER_FENCED', `another producer has opened ${transactionalId}`, 'stop')
const unknownId = (transactionalId: string, producerId: bigint): LogError =>
  new LogError('INVALID_PRODUCER_ID_MAPPING', `${transactionalId} is not held by producer ${producerId}`, 'stop')
const concurrent = (transactionalId: string): LogError =>
  new LogError('CONCURRENT_TRANSACTIONS', `the last transaction of ${transactionalId} is still being ended`, 'retry')
