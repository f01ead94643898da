/** Evidence from a log that has no observer of its own: it is read from time to time, as any reader would. */

import type { Isolation, Log } from '../../../connectors/kafka/index.ts'
import { RecordCursor, endOffset } from '../../../connectors/kafka/index.ts'
import type { SeenRecord } from '../program.ts'
import type { LogSeen } from './seen.ts'

interface Read {
  next: bigint
  readonly records: SeenRecord[]
}

export class ReadLog implements LogSeen {
  readonly #log: Log
  readonly #now: () => number
  readonly #partitions = new Map<string, number>()
  readonly #read = new Map<string, Read>()

  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  /** Reads what is new. */
  async look(): Promise<void> {
    for (const { name, partitions } of await this.#log.metadata()) {
      this.#partitions.set(name, partitions)
      for (let partition = 0; partition < partitions; partition++)
        for (const isolation of ['read_committed', 'read_uncommitted'] as const)
          await this.#readOn(name, partition, isolation)
    }
  }

  topics(): readonly string[] {
    return [...this.#partitions.keys()]
  }

  partitions(topic: string): number {
    return this.#partitions.get(topic) ?? 0
  }

  records(topic: string, partition: number): readonly SeenRecord[] {
    return this.#of(topic, partition, 'read_uncommitted').records
  }

  committed(topic: string, partition: number): readonly SeenRecord[] {
    return this.#of(topic, partition, 'read_committed').records
  }

  end(topic: string, partition: number): bigint {
    return this.#of(topic, partition, 'read_uncommitted').next
  }

  earliestWall(wallMs: number): number {
    return wallMs
  }

  #of(topic: string, partition: number, isolation: Isolation): Read {
    const place = `${topic}-${partition} ${isolation}`
    let read = this.#read.get(place)
    if (read === undefined) this.#read.set(place, (read = { next: 0n, records: [] }))
    return read
  }

  async #readOn(topic: string, partition: number, isolation: Isolation): Promise<void> {
    const read = this.#of(topic, partition, isolation)
    for (;;) {
      const offset = read.next
      const asked = { topic, partition, offset, maxBytes: 1 << 20 }
      const [fetched] = await this.#log.fetch({ partitions: [asked], isolation, maxWaitMs: 0 })
      if (fetched?.error === 'OFFSET_OUT_OF_RANGE' && fetched.logStartOffset > offset) {
        read.next = fetched.logStartOffset
        continue
      }
      const end = fetched === undefined ? null : endOffset(fetched.batches)
      if (fetched === undefined || end === null || end <= offset) return
      const cursor = new RecordCursor(fetched, offset, isolation)
      while (cursor.next()) {
        read.records.push({
          topic,
          partition,
          offset: cursor.offset,
          timestamp: cursor.timestamp,
          key: copy(cursor.key()),
          value: copy(cursor.value()),
          headers: cursor.headers().map(({ key, value }) => ({ key, value: Buffer.from(value) })),
          producerId: -1n,
          epoch: -1,
          committed: isolation === 'read_committed' ? true : null,
          seenAt: this.#now(),
        })
      }
      read.next = end
    }
  }
}

const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes))
