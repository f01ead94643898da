/**
 * One term of leading the outbox: from the lock to the first trouble. Invariants:
 * O1 All rows of a term are touched over the connection that holds the lock: who lost the lock cannot stamp or mark.
 * O2 A row has its batch number, durably, before it reaches the log, and keeps it from then on.
 * O3 Batch n and the committed number n are one transaction of the log, so n says exactly which batches are in it.
 * O4 Batches go one at a time: n + 1 is not stamped before n is marked, and at most one batch is in doubt after a crash.
 * O5 The producer is opened (fencing an older term, ending its transaction) before n is read, with require_stable.
 */

import type { CrashPoint, Log, OffsetAndMetadata, ProducerSession } from '../../connectors/kafka/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { EncodedRow } from './batch.ts'
import { byPartition, firstOffsets, placed, readMetadata, records, writeMetadata } from './batch.ts'
import type { LedRows, OutboxRow, StampedRow } from './outbox-rows.ts'

/** Durable names: the group that holds n, and the partition it is committed for. */
export const relayName = 'outbox-relay'
const progress = { topic: 'auth_events', partition: 0 }
const membership = { groupId: relayName, generationId: -1, memberId: '', groupInstanceId: null }

const nothingSent = { batch: 0n, firsts: new Map<string, bigint>() }

export interface LeadOptions {
  readonly rows: LedRows
  readonly log: Log
  readonly encode: (topic: string, event: AnyEvent) => Buffer
  readonly prepare: (tenantIds: readonly string[]) => Promise<void>
  readonly clock: Clock
  readonly notice: (line: string) => void
  readonly maxRows: number
  readonly maxBytes: number
  readonly crash: CrashPoint
}

export class Lead {
  readonly #options: LeadOptions
  readonly #producer: ProducerSession
  readonly #partitions = new Map<string, number>()
  #last = 0n

  private constructor(options: LeadOptions, producer: ProducerSession) {
    this.#options = options
    this.#producer = producer
  }

  /** Opens the producer and settles what an earlier term left (O5). */
  static async begin(options: LeadOptions): Promise<Lead> {
    const producer = await options.log.openProducer({ transactionalId: relayName, transactionTimeoutMs: 60_000 })
    const lead = new Lead(options, producer)
    try {
      await lead.#settle()
      return lead
    } catch (error) {
      await lead.close()
      throw error
    }
  }

  /** Sends what waits, until nothing does. @returns whether anything was sent */
  async drain(stopped: () => boolean): Promise<boolean> {
    let sentAny = false
    const { rows, maxRows } = this.#options
    while (!stopped()) {
      const found = await rows.waiting(maxRows)
      if (found.length === 0) break
      const batch = this.#withinBytes(await this.#encoded(found))
      if (batch.length === 0) continue
      const number = this.#last + 1n
      await rows.stamp(
        batch.map(({ id }) => id),
        number,
      )
      await this.#send(number, batch)
      sentAny = true
    }
    return sentAny
  }

  async close(): Promise<void> {
    await this.#producer.close().catch((error: unknown) => this.#options.notice(`outbox producer: ${String(error)}`))
  }

  /** Marks the batches that are in the log, sends those that are stamped and are not. */
  async #settle(): Promise<void> {
    const { rows, log, clock } = this.#options
    const [committed] = await log.committedOffsets(relayName, [progress])
    const done = committed == null ? nothingSent : readMetadata(committed)
    const left = Map.groupBy(await rows.stamped(), ({ batch }) => BigInt(batch))
    const newest = await rows.lastBatch()
    this.#last = done.batch
    for (const [batch, members] of left) {
      if (batch <= done.batch) await this.#mark(members, batch === done.batch ? done.firsts : new Map(), clock.now())
      else {
        const encoded = await this.#encoded(members)
        if (encoded.length > 0) await this.#send(batch, encoded)
      }
    }
    if (newest > this.#last) this.#last = newest
  }

  async #mark(members: readonly StampedRow[], firsts: ReadonlyMap<string, bigint>, now: number): Promise<void> {
    const { rows } = this.#options
    await this.#knowTopics(members)
    const sent = placed(byPartition(members, this.#partitionsOf), firsts)
    if (sent !== null) return rows.markSent(sent, now)
    return rows.markSentSomewhere(
      members.map(({ id }) => id),
      now,
    )
  }

  /** O3. */
  async #send(batch: bigint, members: readonly EncodedRow[]): Promise<void> {
    const { rows, clock, crash } = this.#options
    await this.#knowTopics(members)
    const groups = byPartition(members, this.#partitionsOf)
    crash('C31')
    this.#producer.begin()
    const appended = await this.#producer.append(
      groups.map((group) => ({ topic: group.topic, partition: group.partition, records: records(group.rows) })),
    )
    const firsts = firstOffsets(appended)
    const offset: OffsetAndMetadata = { ...progress, offset: batch, metadata: writeMetadata(batch, firsts) }
    await this.#producer.sendOffsets(membership, [offset])
    crash('C32')
    await this.#producer.end('commit')
    crash('C33')
    this.#last = batch
    await rows.markSent(placed(groups, firsts)!, clock.now())
  }

  /** Rows with their bytes. One that cannot be encoded is set aside, and what follows it under its key waits. */
  async #encoded(found: readonly OutboxRow[]): Promise<EncodedRow[]> {
    const { rows, encode, prepare, clock, notice } = this.#options
    await prepare([...new Set(found.map(({ event }) => event.tenant_id))])
    const encoded: EncodedRow[] = []
    const blocked = new Set<string>()
    const behind: string[] = []
    for (const row of found) {
      const place = `${row.topic} ${row.key}`
      if (blocked.has(place)) {
        behind.push(row.id)
        continue
      }
      try {
        encoded.push({ ...row, value: encode(row.topic, row.event) })
      } catch (error) {
        blocked.add(place)
        await rows.setAside(row.id, String(error).slice(0, 500), clock.now())
        notice(`outbox:${row.id} (${row.event.event_type}) cannot be encoded and was set aside: ${String(error)}`)
      }
    }
    if (behind.length > 0) await rows.unstamp(behind)
    return encoded
  }

  /** As many rows from the front as fit, at least one. */
  #withinBytes(encoded: readonly EncodedRow[]): readonly EncodedRow[] {
    let bytes = 0
    const end = encoded.findIndex(({ value }, n) => (bytes += value.length) > this.#options.maxBytes && n > 0)
    return end === -1 ? encoded : encoded.slice(0, end)
  }

  async #knowTopics(members: readonly OutboxRow[]): Promise<void> {
    const names = [...new Set(members.map(({ topic }) => topic))].filter((name) => !this.#partitions.has(name))
    if (names.length === 0) return
    for (const { name, partitions } of await this.#options.log.metadata(names)) this.#partitions.set(name, partitions)
  }

  readonly #partitionsOf = (topic: string): number => {
    const partitions = this.#partitions.get(topic)
    if (partitions === undefined) throw new Error(`the log has no topic ${topic}`)
    return partitions
  }
}
