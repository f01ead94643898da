/** The outbox in PostgreSQL: one statement a verb, on the connection that holds the lock. `pool` is the relay role's. */

import type { Pool, PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import type { LedRows, OutboxRow, OutboxRows, PlacedRow, Sent, StampedRow } from './outbox-rows.ts'

/** Any number that nothing else locks: 'outbox' in ASCII. */
const lockKey = 0x6f7574626f78n

/** The pool has at least two connections: the leader keeps one. */
export function postgresOutbox(pool: Pool): OutboxRows {
  return { lead: (news) => lead(pool, news), placeOf: (id) => placeOf(pool, id), hasUnsent: () => hasUnsent(pool) }
}

async function lead(pool: Pool, news: () => void): Promise<LedRows | null> {
  const client = await pool.connect()
  let released = false
  const release = (): void => {
    // The session ends, and the lock with it.
    if (!released) client.release(true)
    released = true
  }
  try {
    const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [lockKey])
    if (rows[0]?.mine !== true) {
      release()
      return null
    }
    client.on('notification', news)
    await client.query('listen outbox')
    return ledRows(client, release)
  } catch (error) {
    release()
    throw error
  }
}

function ledRows(client: PoolClient, release: () => void): LedRows {
  return {
    waiting: (limit) => waiting(client, limit),
    stamped: () => stamped(client),
    lastBatch: () => lastBatch(client),
    stamp: (ids, batch) => stamp(client, ids, batch),
    markSent: (sent, at) => markSent(client, sent, at),
    markSentSomewhere: (ids, at) => markSentSomewhere(client, ids, at),
    unstamp: (ids) => unstamp(client, ids),
    setAside: (id, failure, at) => setAside(client, id, failure, at),
    forgetSent: (before) => forgetSent(client, before),
    release,
  }
}

async function waiting(client: Queryable, limit: number): Promise<readonly OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `select id, topic, key, event from auth.outbox o
     where sent_at is null and batch is null and failed_at is null and not exists (
       select from auth.outbox f where f.failed_at is not null and f.topic = o.topic and f.key = o.key and f.id < o.id)
     order by id limit $1`,
    [limit],
  )
  return rows
}

async function stamped(client: Queryable): Promise<readonly StampedRow[]> {
  const { rows } = await client.query<StampedRow>(
    `select id, topic, key, event, batch from auth.outbox
     where sent_at is null and batch is not null order by outbox.batch, outbox.id`,
  )
  return rows
}

async function lastBatch(client: Queryable): Promise<bigint> {
  const { rows } = await client.query<{ last: string | null }>('select max(batch) as last from auth.outbox')
  return BigInt(rows[0]?.last ?? 0)
}

async function stamp(client: Queryable, ids: readonly string[], batch: bigint): Promise<void> {
  await client.query('update auth.outbox set batch = $2 where id = any($1::bigint[])', [ids, batch])
}

async function markSent(client: Queryable, sent: readonly Sent[], at: number): Promise<void> {
  await client.query(
    `update auth.outbox o set sent_at = $4, event = null, log_partition = s.log_partition, log_offset = s.log_offset
     from unnest($1::bigint[], $2::int[], $3::bigint[]) as s (id, log_partition, log_offset) where o.id = s.id`,
    [sent.map((row) => row.id), sent.map((row) => row.partition), sent.map((row) => row.offset), new Date(at)],
  )
}

async function markSentSomewhere(client: Queryable, ids: readonly string[], at: number): Promise<void> {
  await client.query('update auth.outbox set sent_at = $2, event = null where id = any($1::bigint[])', [
    ids,
    new Date(at),
  ])
}

async function unstamp(client: Queryable, ids: readonly string[]): Promise<void> {
  await client.query('update auth.outbox set batch = null where id = any($1::bigint[])', [ids])
}

async function setAside(client: Queryable, id: string, failure: string, at: number): Promise<void> {
  await client.query('update auth.outbox set failed_at = $3, failure = $2, batch = null where id = $1', [
    id,
    failure,
    new Date(at),
  ])
}

async function forgetSent(client: Queryable, before: number): Promise<void> {
  await client.query('delete from auth.outbox where sent_at < $1 and batch < (select max(batch) from auth.outbox)', [
    new Date(before),
  ])
}

async function hasUnsent(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from auth.outbox o
       where sent_at is null and failed_at is null and not exists (
         select from auth.outbox f where f.failed_at is not null and f.topic = o.topic and f.key = o.key and f.id < o.id)) as found`,
  )
  return rows[0]?.found === true
}

async function placeOf(client: Queryable, id: string): Promise<PlacedRow | null> {
  const { rows } = await client.query<PlacedRow>(
    `select topic, sent_at is not null as sent, log_partition as partition, log_offset as offset
     from auth.outbox where id = $1`,
    [id],
  )
  return rows[0] ?? null
}
