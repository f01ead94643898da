/** The outbox in memory, for simulation: a database of its own life, which several relays may be connected to. */

import type { AnyEvent } from '../../schemas/index.ts'
import type { LedRows, OutboxRow, OutboxRows, PlacedRow } from './outbox-rows.ts'

export interface MemoryOutboxRow {
  readonly id: string
  readonly topic: string
  readonly key: string
  /** Null once sent. */
  readonly event: AnyEvent | null
  readonly batch: bigint | null
  readonly sentAt: number | null
  readonly partition: number | null
  readonly offset: bigint | null
  /** Why it was set aside. */
  readonly failure: string | null
}

export class MemoryOutbox implements OutboxRows {
  readonly #rows = new Map<string, MemoryOutboxRow>()
  #nextId = 1
  #lastSession = 0
  /** The session that holds the lock. */
  #leader: { readonly session: number; readonly news: () => void } | null = null

  /** Every row, oldest first. */
  get rows(): readonly MemoryOutboxRow[] {
    return [...this.#rows.values()]
  }

  /** One transaction that writes events. @returns the ids of the rows */
  put(rows: readonly Omit<OutboxRow, 'id'>[]): readonly string[] {
    const ids = rows.map(({ topic, key, event }) => {
      const id = String(this.#nextId++)
      // As JSON, as the other outbox keeps it.
      const kept = JSON.parse(JSON.stringify(event)) as AnyEvent
      this.#rows.set(id, {
        id,
        topic,
        key,
        event: kept,
        batch: null,
        sentAt: null,
        partition: null,
        offset: null,
        failure: null,
      })
      return id
    })
    this.#leader?.news()
    return ids
  }

  /** Ends the leader's session, as a database does when the connection is gone. */
  cut(): void {
    this.#leader = null
  }

  /** Puts back what was set aside. */
  release(): void {
    for (const { id } of this.rows) this.#change(id, { failure: null })
  }

  lead(news: () => void): Promise<LedRows | null> {
    if (this.#leader !== null) return Promise.resolve(null)
    const session = ++this.#lastSession
    this.#leader = { session, news }
    return Promise.resolve(this.#led(session))
  }

  placeOf(id: string): Promise<PlacedRow | null> {
    const row = this.#rows.get(id)
    if (row === undefined) return Promise.resolve(null)
    const { topic, sentAt, partition, offset } = row
    return Promise.resolve({ topic, sent: sentAt !== null, partition, offset: offset === null ? null : String(offset) })
  }

  hasUnsent(): Promise<boolean> {
    return Promise.resolve(this.#waiting().length > 0 || this.#stamped().length > 0)
  }

  #led(session: number): LedRows {
    const statement = <T>(work: () => T): Promise<T> => {
      if (this.#leader?.session !== session) return Promise.reject(new Error('the connection was lost'))
      return Promise.resolve(work())
    }
    const each = (ids: readonly string[], change: Partial<MemoryOutboxRow>): void =>
      ids.forEach((id) => this.#change(id, change))
    return {
      waiting: (limit) => statement(() => this.#waiting().slice(0, limit)),
      stamped: () => statement(() => this.#stamped()),
      lastBatch: () => statement(() => this.#lastBatch()),
      stamp: (ids, batch) => statement(() => each(ids, { batch })),
      markSent: (sent, at) =>
        statement(() => {
          for (const { id, partition, offset } of sent) this.#change(id, { sentAt: at, event: null, partition, offset })
        }),
      markSentSomewhere: (ids, at) => statement(() => each(ids, { sentAt: at, event: null })),
      unstamp: (ids) => statement(() => each(ids, { batch: null })),
      setAside: (id, failure) => statement(() => each([id], { failure, batch: null })),
      forgetSent: (before) => statement(() => this.#forget(before)),
      release: () => {
        if (this.#leader?.session === session) this.#leader = null
      },
    }
  }

  #waiting(): OutboxRow[] {
    const behind = new Set<string>()
    return this.rows.flatMap(({ id, topic, key, event, batch, failure }) => {
      if (failure !== null) behind.add(`${topic} ${key}`)
      if (event === null || batch !== null || behind.has(`${topic} ${key}`)) return []
      return [{ id, topic, key, event }]
    })
  }

  #stamped(): (OutboxRow & { readonly batch: string })[] {
    return this.rows
      .filter(({ sentAt, batch }) => sentAt === null && batch !== null)
      .sort((a, b) => Number(a.batch! - b.batch!) || Number(a.id) - Number(b.id))
      .map(({ id, topic, key, event, batch }) => ({ id, topic, key, event: event!, batch: String(batch) }))
  }

  #lastBatch(): bigint {
    return this.rows.reduce((last, { batch }) => (batch !== null && batch > last ? batch : last), 0n)
  }

  #forget(before: number): void {
    const last = this.#lastBatch()
    for (const { id, sentAt, batch } of this.rows)
      if (sentAt !== null && sentAt < before && batch !== null && batch < last) this.#rows.delete(id)
  }

  #change(id: string, change: Partial<MemoryOutboxRow>): void {
    const row = this.#rows.get(id)
    if (row !== undefined) this.#rows.set(id, { ...row, ...change })
  }
}
