/** A producer as its owner holds it: stamps ids and sequences on what it appends, and keeps its transaction's state. */

import { LogError } from '../port.ts'
import type {
  GroupMetadata,
  OffsetAndMetadata,
  PartitionAppend,
  PartitionAppended,
  ProducerSession,
  TopicPartition,
} from '../port.ts'
import type { RecordBatchBuilder } from '../record-batch.ts'
import { isInternal } from './catalogue.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import type { OffsetStore } from './offset-store.ts'
import type { Clock } from './options.ts'
import type { PartitionLog } from './partition-log.ts'
import { Transaction } from './transaction.ts'
import { fenced } from './transaction-coordinator.ts'
import type { TransactionCoordinator, TransactionHolder } from './transaction-coordinator.ts'
import type { ProducerIdentity } from './transaction-records.ts'

export interface ProducerContext {
  /** @throws LogError UNKNOWN_TOPIC_OR_PARTITION, CLOSED */
  readonly partition: (where: TopicPartition) => PartitionLog
  readonly offsetsLog: PartitionLog
  readonly offsets: OffsetStore
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly clock: Clock
}

export class EmbeddedProducer implements ProducerSession, TransactionHolder {
  readonly producerId: bigint
  readonly epoch: number
  readonly #context: ProducerContext
  readonly #transactionalId: string | null
  readonly #timeoutMs: number
  #transaction: Transaction | null = null
  #ending = false
  /** Why no call is answered any more. */
  #over: LogError | null = null

  constructor(identity: ProducerIdentity, transactionalId: string | null, timeoutMs: number, context: ProducerContext) {
    this.producerId = identity.producerId
    this.epoch = identity.epoch
    this.#transactionalId = transactionalId
    this.#timeoutMs = timeoutMs
    this.#context = context
  }

  get transaction(): Transaction | null {
    return this.#transaction
  }

  begin(): void {
    this.#checkLive()
    if (this.#transactionalId === null) throw badState('a producer without a transactional id has no transactions')
    if (this.#transaction !== null) throw badState('a transaction is open already')
    this.#context.transactions.checkFinished(this.#transactionalId)
    this.#transaction = new Transaction()
  }

  async append(batches: readonly PartitionAppend[]): Promise<readonly PartitionAppended[]> {
    this.#checkWritable()
    const writes = batches.map(({ topic, partition, records }) => {
      if (isInternal(topic))
        throw new LogError('INVALID_TOPIC_EXCEPTION', `${topic} is written by the log alone`, 'stop')
      const log = this.#context.partition({ topic, partition })
      if (records.sizeBytes > log.maxBatchBytes) throw tooLarge(log, records)
      return { log, records }
    })
    return Promise.all(
      writes.map(async ({ log, records }) => {
        const baseOffset = await this.#write(log, records)
        return { topic: log.topic, partition: log.partition, baseOffset }
      }),
    )
  }

  async sendOffsets(group: GroupMetadata, offsets: readonly OffsetAndMetadata[]): Promise<void> {
    this.#checkWritable()
    if (this.#transaction === null) throw badState('offsets are committed inside a transaction')
    this.#context.groups.check(group)
    for (const offset of offsets) this.#context.partition(offset)
    if (offsets.length === 0) return
    this.#context.offsets.addPending(this.producerId, group.groupId, offsets)
    await this.#write(this.#context.offsetsLog, this.#context.offsets.encode(group.groupId, offsets))
  }

  async end(outcome: 'commit' | 'abort'): Promise<void> {
    this.#checkLive()
    if (this.#transaction === null || this.#transactionalId === null) throw badState('no transaction is open')
    if (this.#ending) throw badState('the transaction is being ended')
    this.#ending = true
    try {
      await this.#context.transactions.end(this.#transactionalId, this, outcome)
    } catch (error) {
      this.#endFailed(error)
      throw error
    } finally {
      this.#ending = false
    }
  }

  async close(): Promise<void> {
    if (this.#over === null && this.#transaction !== null) {
      if (this.#ending) await this.#context.transactions.idle(this.#transactionalId!)
      else await this.end('abort')
    }
    this.#over ??= new LogError('CLOSED', 'the producer is closed', 'stop')
  }

  ended(): void {
    this.#transaction = null
  }

  fence(): Transaction | null {
    const left = this.#transaction
    this.#transaction = null
    this.#over ??= fenced(this.#transactionalId ?? '')
    return left
  }

  #write(log: PartitionLog, records: RecordBatchBuilder): Promise<bigint> {
    const transaction = this.#transaction
    const { producerId, epoch } = this
    const baseSequence = log.nextSequence(producerId, epoch)
    const batch = records.build({ producerId, epoch, baseSequence, transactional: transaction !== null })
    const written = log.append(batch)
    if (transaction === null) return written
    this.#startTimeout(transaction)
    return transaction.track(log, records.count, written)
  }

  #startTimeout(transaction: Transaction): void {
    const { transactions, clock } = this.#context
    const transactionalId = this.#transactionalId!
    transaction.startTimeout(() =>
      clock.after(this.#timeoutMs, () => void transactions.expire(transactionalId, transaction, this.#timeoutMs)),
    )
  }

  /** Trouble that was taken back leaves the transaction open; after any other nobody knows its outcome. */
  #endFailed(error: unknown): void {
    if (this.#transaction === null || !(error instanceof LogError)) return
    if (error.then === 'retry' || error.code === 'INVALID_TXN_STATE') this.#startTimeout(this.#transaction)
    else this.#over ??= error
  }

  #checkWritable(): void {
    this.#checkLive()
    if (this.#ending) throw badState('the transaction is being ended')
    if (this.#transactionalId !== null && this.#transaction === null) throw badState('no transaction is open')
  }

  #checkLive(): void {
    if (this.#over !== null) throw this.#over
  }
}

const badState = (why: string): LogError => new LogError('INVALID_TXN_STATE', why, 'stop')

const tooLarge = (log: PartitionLog, records: RecordBatchBuilder): LogError =>
  new LogError(
    'RECORD_TOO_LARGE',
    `${log.name}: a batch of ${records.sizeBytes} bytes is more than ${log.maxBatchBytes}`,
    'stop',
  )
