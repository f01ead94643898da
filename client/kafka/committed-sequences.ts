/**
 * The last sequence of each of a producer's entities that is durable. Each transaction writes the new ones, beside the events,
 * into a compacted topic; who opens the producer after a crash reads them back. So what is in the log and what is known of it
 * are one (KT2).
 *
 * A record: key `producer|topic|record key`, value the sequence as text. All of a producer's stand in one partition.
 */

import type { Clock } from '../../topology/clock.ts'
import type { Log, PlacedRecord } from '../../connectors/kafka/index.ts'
import { createMissing, endOffset, LogError, partitionFor, RecordCursor } from '../../connectors/kafka/index.ts'
import { producerNames } from './producer-names.ts'

const { sequencesTopic } = producerNames
const partitions = 8
/** An entity that was silent for longer is forgotten. */
const retentionMs = 7 * 24 * 60 * 60_000
/** Beyond this, those that were longest silent are forgotten earlier. */
const maxEntities = 1_000_000
const fetchBytes = 4 * 1024 * 1024
const fetchWaitMs = 100
/** How long another producer's open transaction may keep us from reading on, in ms. */
const patienceMs = 90_000

export class CommittedSequences {
  readonly #log: Log
  readonly #clock: Clock
  readonly #prefix: string
  readonly #place: { readonly topic: string; readonly partition: number }
  readonly #last = new Map<string, number>()
  #offset = 0n

  private constructor(log: Log, clock: Clock, producer: string, count: number) {
    this.#log = log
    this.#clock = clock
    this.#prefix = `${producer}|`
    this.#place = { topic: sequencesTopic, partition: partitionFor(Buffer.from(producer), count) }
  }

  /** Makes the topic where it is missing; reads nothing yet. @throws LogError */
  static async open(log: Log, clock: Clock, producer: string): Promise<CommittedSequences> {
    const config = { 'cleanup.policy': 'compact,delete', 'retention.ms': String(retentionMs) }
    await createMissing(log, [{ name: sequencesTopic, partitions, config }])
    const [found] = await log.metadata([sequencesTopic])
    return new CommittedSequences(log, clock, producer, found?.partitions ?? partitions)
  }

  /** @param entity topic, a blank, record key */
  get(entity: string): number | null {
    return this.#last.get(entity) ?? null
  }

  set(entity: string, sequence: number): void {
    this.#last.delete(entity)
    this.#last.set(entity, sequence)
    if (this.#last.size > maxEntities) this.#last.delete(this.#last.keys().next().value!)
  }

  recordOf(entity: string, sequence: number): PlacedRecord {
    const key = Buffer.from(this.#prefix + entity.replace(' ', '|'))
    const value = Buffer.from(String(sequence))
    return { ...this.#place, timestamp: this.#clock.now(), key, value, headers: [] }
  }

  /**
   * Reads on to where the topic ends now. All that is durable is known only after the producer was opened anew: then no
   * transaction of an earlier session is left undecided.
   * @param found is called when something was not known
   * @throws LogError
   */
  async catchUp(found: () => void = () => undefined): Promise<void> {
    const [[start = 0n], [end = 0n]] = await Promise.all([
      this.#log.listOffsets([this.#place], 'earliest'),
      this.#log.listOffsets([this.#place], 'latest'),
    ])
    if (this.#offset < start) this.#offset = start
    const giveUpAt = this.#clock.now() + patienceMs
    while (this.#offset < end) {
      if (this.#clock.now() > giveUpAt)
        throw new LogError('TIMEOUT', `${sequencesTopic} cannot be read past ${this.#offset}`, 'retry')
      await this.#readOn(found)
    }
  }

  async #readOn(found: () => void): Promise<void> {
    const isolation = 'read_committed'
    const request = {
      partitions: [{ ...this.#place, offset: this.#offset, maxBytes: fetchBytes }],
      isolation,
      maxWaitMs: fetchWaitMs,
    } as const
    const [fetched] = await this.#log.fetch(request)
    if (fetched === undefined) return
    if (fetched.error === 'OFFSET_OUT_OF_RANGE' && fetched.logStartOffset > this.#offset) {
      this.#offset = fetched.logStartOffset
      return
    }
    if (fetched.error !== null) throw new LogError(fetched.error, `${sequencesTopic} cannot be read`, 'retry')
    const cursor = new RecordCursor(fetched, this.#offset, isolation)
    while (cursor.next())
      this.#note(cursor.key()?.toString() ?? '', Number(cursor.value()?.toString() ?? Number.NaN), found)
    this.#offset = endOffset(fetched.batches) ?? cursor.nextOffset
  }

  #note(key: string, sequence: number, found: () => void): void {
    if (!key.startsWith(this.#prefix) || !Number.isSafeInteger(sequence)) return
    const entity = key.slice(this.#prefix.length).replace('|', ' ')
    if (sequence <= (this.get(entity) ?? 0)) return
    this.set(entity, sequence)
    found()
  }
}
