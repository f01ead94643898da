/** The outbox as the relay sees it: one statement a function. */

import type { Queryable } from '../../connectors/postgres/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'

export interface OutboxRow {
  /** int8, exact. */
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly event: AnyEvent
}

export interface StampedRow extends OutboxRow {
  readonly batch: string
}

/** Where a row went in the log. */
export interface Sent {
  readonly id: string
  readonly partition: number
  readonly offset: bigint
}

/** Rows that may go next, oldest first. A row behind one that was set aside waits, so that the order of a key holds. */
export async function waiting(client: Queryable, limit: number): Promise<readonly OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `select id, topic, key, event from auth.outbox o
     where sent_at is null and batch is null and failed_at is null and not exists (
       select from auth.outbox f where f.failed_at is not null and f.topic = o.topic and f.key = o.key and f.id < o.id)
     order by id limit $1`,
    [limit],
  )
  return rows
}

/** Rows with a batch number that are not known to be sent, in the order of their batches. */
export async function stamped(client: Queryable): Promise<readonly StampedRow[]> {
  const { rows } = await client.query<StampedRow>(
    `select id, topic, key, event, batch from auth.outbox
     where sent_at is null and batch is not null order by outbox.batch, outbox.id`,
  )
  return rows
}

export async function lastBatch(client: Queryable): Promise<bigint> {
  const { rows } = await client.query<{ last: string | null }>('select max(batch) as last from auth.outbox')
  return BigInt(rows[0]?.last ?? 0)
}

export async function stamp(client: Queryable, ids: readonly string[], batch: bigint): Promise<void> {
  await client.query('update auth.outbox set batch = $2 where id = any($1::bigint[])', [ids, batch])
}

/** Notes where the rows went and drops their events: what was personal in them is gone from here. */
export async function markSent(client: Queryable, sent: readonly Sent[], at: number): Promise<void> {
  await client.query(
    `update auth.outbox o set sent_at = $4, event = null, log_partition = s.log_partition, log_offset = s.log_offset
     from unnest($1::bigint[], $2::int[], $3::bigint[]) as s (id, log_partition, log_offset) where o.id = s.id`,
    [sent.map((row) => row.id), sent.map((row) => row.partition), sent.map((row) => row.offset), new Date(at)],
  )
}

/** The same, where nobody knows any more which offsets the log gave them. */
export async function markSentSomewhere(client: Queryable, ids: readonly string[], at: number): Promise<void> {
  await client.query('update auth.outbox set sent_at = $2, event = null where id = any($1::bigint[])', [
    ids,
    new Date(at),
  ])
}

/** Rows that turned out not to go with their batch, which is not in the log yet. */
export async function unstamp(client: Queryable, ids: readonly string[]): Promise<void> {
  await client.query('update auth.outbox set batch = null where id = any($1::bigint[])', [ids])
}

export async function setAside(client: Queryable, id: string, failure: string, at: number): Promise<void> {
  await client.query('update auth.outbox set failed_at = $3, failure = $2, batch = null where id = $1', [
    id,
    failure,
    new Date(at),
  ])
}

export async function forgetSent(client: Queryable, before: number): Promise<void> {
  // The newest batch stays: its number is the next one's predecessor.
  await client.query('delete from auth.outbox where sent_at < $1 and batch < (select max(batch) from auth.outbox)', [
    new Date(before),
  ])
}

export interface PlacedRow {
  readonly topic: string
  readonly sent: boolean
  readonly partition: number | null
  readonly offset: string | null
}

export async function placeOf(client: Queryable, id: string): Promise<PlacedRow | null> {
  const { rows } = await client.query<PlacedRow>(
    `select topic, sent_at is not null as sent, log_partition as partition, log_offset as offset
     from auth.outbox where id = $1`,
    [id],
  )
  return rows[0] ?? null
}
