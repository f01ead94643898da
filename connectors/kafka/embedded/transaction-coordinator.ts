/**
 * Decides transactions.
 *
 *   L6  A commit is decided by one record in `__transaction_state`; until that is acknowledged the transaction is undecided, and
 *       what is undecided is aborted. So is everything a crash left open.
 *   L7  The record names, per partition, the first and the end offset of what it covers: an open transaction found by recovery is
 *       committed if and only if a record names its first offset.
 *   L8  A producer's next transaction begins after the markers of its last one are written everywhere.
 *   L9  Who opens a transactional id bumps its epoch durably, then fences the holder before, then aborts what that one left open.
 *   L10 Whatever happens to one transactional id happens in turn: open, end, timeout.
 */

import { markerBatch } from '../control-batch.ts'
import { LogError } from '../port.ts'
import { RecordBatchBuilder } from '../record-batch.ts'
import type { OffsetStore } from './offset-store.ts'
import type { Clock } from './options.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Transaction } from './transaction.ts'
import { encodeTransaction } from './transaction-records.ts'
import type { ProducerIdentity, TransactionRecord } from './transaction-records.ts'
import { Turns } from './turns.ts'

const MAX_EPOCH = 0x7fff
const RETRY_MS = 100
/** Stamps what the log itself writes, outside any producer session. */
export const NO_PRODUCER = { producerId: -1n, epoch: -1, baseSequence: -1, transactional: false }

/** What the coordinator needs of the session that holds a transactional id. */
export interface TransactionHolder {
  readonly transaction: Transaction | null
  /** Its transaction is over; the next may begin. */
  ended(): void
  /** Every later call of the session fails with PRODUCER_FENCED. Returns what it left open. */
  fence(): Transaction | null
}

interface HeldId {
  identity: ProducerIdentity
  holder: TransactionHolder | null
  /** What its last record in the state log says, written or being written; a commit stays until its markers are written. */
  logged: TransactionRecord | null
  /** Markers that could not be written yet. */
  unfinished: boolean
}

export interface CoordinatorContext {
  readonly stateLog: PartitionLog
  readonly offsets: OffsetStore
  readonly clock: Clock
  readonly notice: (line: string) => void
  /** As recovered, by transactional id. */
  readonly identities: ReadonlyMap<string, ProducerIdentity>
  readonly nextProducerId: bigint
}

export class TransactionCoordinator {
  readonly #context: CoordinatorContext
  readonly #held = new Map<string, HeldId>()
  readonly #turns = new Turns()
  readonly #retries = new Set<() => void>()
  #nextProducerId: bigint
  #closed = false

  constructor(context: CoordinatorContext) {
    this.#context = context
    this.#nextProducerId = context.nextProducerId
    for (const [transactionalId, identity] of context.identities) {
      this.#held.set(transactionalId, {
        identity,
        holder: null,
        logged: { ...identity, commit: [] },
        unfinished: false,
      })
    }
  }

  newProducerId(): bigint {
    return this.#nextProducerId++
  }

  /** Gives a transactional id to a new holder (L9). @throws LogError CONCURRENT_TRANSACTIONS, STORAGE_FULL, STORAGE_ERROR */
  open<H extends TransactionHolder>(transactionalId: string, newHolder: (identity: ProducerIdentity) => H): Promise<H> {
    return this.#turns.take(transactionalId, async () => {
      const held = await this.#takeOver(transactionalId)
      const holder = newHolder(held.identity)
      held.holder = holder
      return holder
    })
  }

  /**
   * Ends a holder's transaction. Resolves when the outcome is certain; markers that cannot be written yet follow (L8).
   * @throws LogError PRODUCER_FENCED, INVALID_TXN_STATE, STORAGE_FULL (undecided, try again), STORAGE_ERROR (outcome unknown)
   */
  end(transactionalId: string, holder: TransactionHolder, outcome: 'commit' | 'abort'): Promise<void> {
    return this.#turns.take(transactionalId, async () => {
      const held = this.#held.get(transactionalId)
      const { transaction } = holder
      if (held?.holder !== holder || transaction === null) throw fenced(transactionalId)
      transaction.stopTimeout()
      await transaction.settled()
      if (outcome === 'commit') await this.#decide(transactionalId, held, transaction)
      await this.#finish(held, transaction, outcome, held.identity)
      holder.ended()
    })
  }

  /** Aborts a transaction that was left open too long, and fences its holder. */
  async expire(transactionalId: string, transaction: Transaction, timeoutMs: number): Promise<void> {
    try {
      await this.#turns.take(transactionalId, async () => {
        if (this.#held.get(transactionalId)?.holder?.transaction !== transaction) return
        await this.#takeOver(transactionalId)
        this.#context.notice(`transaction of ${transactionalId} was aborted: open for more than ${timeoutMs} ms`)
      })
    } catch (error) {
      if (error instanceof LogError && error.then === 'retry') {
        this.#later(() => void this.expire(transactionalId, transaction, timeoutMs))
      } else this.#context.notice(`transaction of ${transactionalId} cannot be aborted: ${String(error)}`)
    }
  }

  /** @throws LogError CONCURRENT_TRANSACTIONS */
  checkFinished(transactionalId: string): void {
    if (this.#held.get(transactionalId)?.unfinished !== true) return
    throw new LogError(
      'CONCURRENT_TRANSACTIONS',
      `the last transaction of ${transactionalId} still waits for space`,
      'retry',
    )
  }

  /** Resolves when nothing is going on for this id. */
  idle(transactionalId: string): Promise<void> {
    return this.#turns.take(transactionalId, async () => {})
  }

  /** The whole state, as records: what a compacted topic would hold. Null when there is none. */
  encodeAll(): RecordBatchBuilder | null {
    const records = new RecordBatchBuilder()
    for (const [transactionalId, { logged }] of this.#held) {
      if (logged !== null) this.#encode(records, transactionalId, logged)
    }
    return records.count === 0 ? null : records
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#retries) cancel()
    for (const { holder } of this.#held.values()) holder?.transaction?.stopTimeout()
  }

  /** Bumps the epoch, fences the holder and aborts what it left. */
  async #takeOver(transactionalId: string): Promise<HeldId> {
    this.checkFinished(transactionalId)
    const held = this.#held.get(transactionalId) ?? this.#hold(transactionalId)
    const former = held.identity
    const identity = held.logged === null ? former : this.#bumped(former)
    await this.#write(transactionalId, held, { ...identity, commit: [] })
    const left = held.holder?.fence() ?? null
    held.identity = identity
    held.holder = null
    if (left !== null) {
      left.stopTimeout()
      await left.settled()
      // The marker carries the new epoch, so that partitions refuse the old one.
      await this.#finish(held, left, 'abort', former.producerId === identity.producerId ? identity : former)
    }
    return held
  }

  async #decide(transactionalId: string, held: HeldId, transaction: Transaction): Promise<void> {
    if (transaction.failure !== null) {
      const why = `a write in the transaction of ${transactionalId} failed: it can only be aborted`
      throw new LogError('INVALID_TXN_STATE', why, 'stop', transaction.failure)
    }
    if (transaction.touched.size === 0) return
    const commit = [...transaction.touched].map(([{ topic, partition }, { first, end }]) => ({
      topic,
      partition,
      first,
      end,
    }))
    await this.#write(transactionalId, held, { ...held.identity, commit })
  }

  /** The outcome is a fact; writes it into every partition touched. */
  async #finish(
    held: HeldId,
    transaction: Transaction,
    outcome: 'commit' | 'abort',
    by: ProducerIdentity,
  ): Promise<void> {
    this.#context.offsets.settle(by.producerId, outcome)
    await this.#mark(held, [...transaction.touched.keys()], outcome, by)
  }

  async #mark(
    held: HeldId,
    logs: readonly PartitionLog[],
    outcome: 'commit' | 'abort',
    by: ProducerIdentity,
  ): Promise<void> {
    const now = this.#context.clock.now()
    const attempts = logs.map((log) =>
      log.append(markerBatch(outcome, by, now)).then(
        () => [],
        (error: LogError) => [{ log, error }],
      ),
    )
    const failed = (await Promise.all(attempts)).flat()
    held.unfinished = failed.length > 0
    const stuck = failed.find(({ error }) => error.then === 'stop')
    if (failed.length === 0) {
      if (held.logged !== null && held.logged.commit.length > 0) held.logged = { ...held.logged, commit: [] }
    } else if (stuck !== undefined) {
      this.#context.notice(`a transaction cannot be finished before the log is opened again: ${stuck.error.message}`)
    } else {
      const left = failed.map(({ log }) => log)
      this.#later(() => void this.#mark(held, left, outcome, by))
    }
  }

  async #write(transactionalId: string, held: HeldId, record: TransactionRecord): Promise<void> {
    const records = new RecordBatchBuilder()
    this.#encode(records, transactionalId, record)
    const former = held.logged
    held.logged = record
    try {
      await this.#context.stateLog.append(records.build(NO_PRODUCER))
    } catch (error) {
      held.logged = former
      throw error
    }
  }

  #encode(records: RecordBatchBuilder, transactionalId: string, record: TransactionRecord): void {
    records.append(this.#context.clock.now(), Buffer.from(transactionalId), encodeTransaction(record))
  }

  #hold(transactionalId: string): HeldId {
    const held: HeldId = { identity: this.#newIdentity(), holder: null, logged: null, unfinished: false }
    this.#held.set(transactionalId, held)
    return held
  }

  #newIdentity(): ProducerIdentity {
    return { producerId: this.newProducerId(), epoch: 0 }
  }

  #bumped({ producerId, epoch }: ProducerIdentity): ProducerIdentity {
    return epoch < MAX_EPOCH ? { producerId, epoch: epoch + 1 } : this.#newIdentity()
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

export const fenced = (transactionalId: string): LogError =>
  new LogError('PRODUCER_FENCED', `another producer has opened ${transactionalId}`, 'stop')
