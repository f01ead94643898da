/**
 * The `_schemas` topic: one compacted partition, JSON keys and values as Confluent's registry writes them, so that a
 * registry can be moved to the real one by copying the topic.
 *
 * S1 One writer among all processes: who wants to write becomes it, which fences whoever was it before, and then reads what
 *    that one has written.
 * S2 After an append whose outcome is not known, or that was fenced, the topic is read again before anything else is decided.
 */

import type { Log, ProducerSession } from '../kafka/index.ts'
import { LogError, RecordBatchBuilder, RecordCursor } from '../kafka/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { RegistryRecord } from './registry-table.ts'
import { isCompatibilityLevel } from './registry-table.ts'

/** Durable names. */
export const registryNames = { topic: '_schemas', transactionalId: 'schema-registry' } as const
const { topic, transactionalId } = registryNames
const partition = { topic, partition: 0 }
const fetchBytes = 1_048_576
const maxWaitMs = 1_000

export class SchemasTopic {
  readonly #log: Log
  readonly #clock: Clock
  readonly #apply: (record: RegistryRecord) => void
  #producer: ProducerSession | null = null
  /** The next offset to read. */
  #position = 0n

  constructor(log: Log, clock: Clock, apply: (record: RegistryRecord) => void) {
    this.#log = log
    this.#clock = clock
    this.#apply = apply
  }

  /** Creates the topic when it is missing, and applies all it holds. */
  async open(): Promise<void> {
    const [known] = await this.#log.metadata([topic])
    if (known === undefined) await this.#create()
    await this.refresh()
  }

  /** Applies what others have written since. */
  async refresh(): Promise<void> {
    await this.#readTo('stable')
  }

  async #create(): Promise<void> {
    const config = { 'cleanup.policy': 'compact', 'retention.ms': '-1' }
    try {
      await this.#log.createTopics([{ name: topic, partitions: 1, config }])
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'TOPIC_ALREADY_EXISTS')) throw error
    }
  }

  /** Becomes the writer if it is not, and is then level with the topic. */
  async ready(): Promise<void> {
    await this.#writer()
  }

  /** Appends one record and applies it. Call `ready` first: what is written must follow from all that stands there. */
  async append(record: RegistryRecord): Promise<void> {
    const producer = await this.#writer()
    const records = new RecordBatchBuilder()
    records.append(
      this.#clock.now(),
      Buffer.from(JSON.stringify(record.key)),
      Buffer.from(JSON.stringify(record.value)),
    )
    try {
      producer.begin()
      await producer.append([{ ...partition, records }])
      await producer.end('commit')
    } catch (error) {
      // S2: the next call opens a new session, which settles this transaction, and reads what became of it.
      this.#producer = null
      await producer.close().catch(() => undefined)
      throw error
    }
    this.#apply(record)
  }

  async #writer(): Promise<ProducerSession> {
    if (this.#producer !== null) return this.#producer
    const producer = await this.#log.openProducer({ transactionalId, transactionTimeoutMs: 60_000 })
    await this.#readTo('latest')
    this.#producer = producer
    return producer
  }

  async #readTo(which: 'stable' | 'latest'): Promise<void> {
    const [earliest, end] = await Promise.all([
      this.#log.listOffsets([partition], 'earliest'),
      this.#log.listOffsets([partition], which),
    ])
    if (this.#position < earliest[0]!) this.#position = earliest[0]!
    while (this.#position < end[0]!) {
      const [fetched] = await this.#log.fetch({
        partitions: [{ ...partition, offset: this.#position, maxBytes: fetchBytes }],
        isolation: 'read_committed',
        maxWaitMs,
      })
      if (fetched === undefined || fetched.error !== null)
        throw new LogError(fetched?.error ?? 'TIMEOUT', `${topic} cannot be read`, 'retry')
      const cursor = new RecordCursor(fetched, this.#position, 'read_committed')
      while (cursor.next()) {
        const record = parseRecord(cursor.key(), cursor.value())
        if (record !== null) this.#apply(record)
      }
      this.#position = cursor.nextOffset
    }
  }

  async close(): Promise<void> {
    await this.#producer?.close()
    this.#producer = null
  }
}

/** Null for what we do not use: NOOP, MODE, deletions. */
function parseRecord(key: Buffer | null, value: Buffer | null): RegistryRecord | null {
  if (key === null || value === null) return null
  const parsedKey = JSON.parse(key.toString('utf8')) as RegistryRecord['key']
  const parsed = JSON.parse(value.toString('utf8')) as Record<string, unknown>
  if (parsedKey.keytype === 'CONFIG')
    return isCompatibilityLevel(parsed.compatibilityLevel)
      ? ({ key: parsedKey, value: parsed } as RegistryRecord)
      : null
  return parsedKey.keytype === 'SCHEMA' && parsed.deleted !== true
    ? ({ key: parsedKey, value: parsed } as unknown as RegistryRecord)
    : null
}
