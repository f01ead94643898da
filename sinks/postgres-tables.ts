/**
 * Tables in PostgreSQL. Invariants (DESIGN.md):
 * P1 Rows and offset move in one transaction, so each table equals the fold of its topic up to the offset beside it.
 * P2 The offset row is locked first: an owner whose epoch was passed, or whose position moved, writes nothing.
 * P3 COMMIT without an answer is looked up in the offset row before anything is done again.
 */

import type { Pool, PoolClient } from '../connectors/postgres/index.ts'
import { failureOf, inTransaction, TransactionError } from '../connectors/postgres/index.ts'
import { fold } from './fold.ts'
import type { AnyProjection } from './projection.ts'
import { statementsOf } from './statements.ts'
import type { Table } from './table.ts'
import type { Claim, CommitHook, CommitOutcome, SinkBatch, SinkOffset, SinkSource, TablePort } from './table-port.ts'
import { otherLog } from './table-port.ts'

/** Leaves the transaction with an answer instead of rows. */
class Verdict extends Error {
  readonly outcome: CommitOutcome
  constructor(outcome: CommitOutcome) {
    super(outcome.kind)
    this.outcome = outcome
  }
}

/** `pool` is the sink role's. */
export function postgresTables(pool: Pool, hook: CommitHook = () => undefined): TablePort {
  return {
    claim: (source, firstOffset) => claim(pool, source, firstOffset),
    commit: (batch) => commit(pool, batch, hook),
    reset: (projection) => reset(pool, projection),
    offsets: () => offsets(pool),
    erase: (tables, tenantId) => erase(pool, tables, tenantId),
  }
}

async function claim(pool: Pool, source: SinkSource, firstOffset: bigint): Promise<Claim> {
  const { rows } = await pool.query<{ next_offset: string; epoch: string }>(
    `insert into lifecycle.sink_offsets as s (sink, topic, part, cluster_id, topic_id, partitions, next_offset, epoch)
     values ($1, $2, $3, $4, $5, $6, $7, 1)
     on conflict (sink, topic, part) do update set epoch = s.epoch + 1, cluster_id = excluded.cluster_id,
       topic_id = excluded.topic_id, partitions = excluded.partitions,
       next_offset = case when s.cluster_id = '' then excluded.next_offset else s.next_offset end
     where s.cluster_id = '' or
       (s.cluster_id, s.topic_id, s.partitions) = (excluded.cluster_id, excluded.topic_id, excluded.partitions)
     returning next_offset, epoch`,
    [
      source.sink,
      source.topic,
      source.partition,
      source.clusterId,
      source.topicId,
      source.partitions,
      String(firstOffset),
    ],
  )
  const row = rows[0]
  if (!row) throw otherLog(source)
  return { source, epoch: BigInt(row.epoch), nextOffset: BigInt(row.next_offset) }
}

async function commit(pool: Pool, batch: SinkBatch, hook: CommitHook): Promise<CommitOutcome> {
  try {
    await inTransaction(pool, (client) => write(client, batch, hook))
  } catch (error) {
    if (error instanceof Verdict) return error.outcome
    if (error instanceof TransactionError) {
      if (error.code === 'OUTCOME_UNKNOWN') return lookUp(pool, batch, error)
      if (failureOf(error.cause) !== 'data') throw error
      return { kind: 'rejected', reason: String(error.cause) }
    }
    if (failureOf(error) === 'data')
      return { kind: 'rejected', reason: error instanceof Error ? error.message : String(error) }
    throw error
  }
  await hook('C23')
  return { kind: 'committed' }
}

async function write(client: PoolClient, batch: SinkBatch, hook: CommitHook): Promise<void> {
  const { claim, from, next, changes } = batch
  // An offset that passed nothing may be lost: the records are read again and again do nothing.
  if (changes.length === 0) await client.query('set local synchronous_commit = off')
  const standing = await lockOffset(client, claim)
  if (standing === null || standing.epoch !== claim.epoch) throw new Verdict({ kind: 'fenced' })
  if (standing.nextOffset !== from) throw new Verdict({ kind: 'moved', nextOffset: standing.nextOffset })
  await hook('C20')
  for (const wave of fold(changes)) {
    for (const { text, values } of statementsOf(wave, claim.source)) await client.query(text, [...values])
    await hook('C21')
  }
  const { sink, topic, partition } = claim.source
  await client.query(
    'update lifecycle.sink_offsets set next_offset = $1 where sink = $2 and topic = $3 and part = $4 and epoch = $5',
    [String(next), sink, topic, partition, String(claim.epoch)],
  )
  await hook('C22')
}

/** P2. */
async function lockOffset(
  client: PoolClient,
  { source }: Claim,
): Promise<{ nextOffset: bigint; epoch: bigint } | null> {
  const { rows } = await client.query<{ next_offset: string; epoch: string }>(
    'select next_offset, epoch from lifecycle.sink_offsets where sink = $1 and topic = $2 and part = $3 for update',
    [source.sink, source.topic, source.partition],
  )
  const row = rows[0]
  return row ? { nextOffset: BigInt(row.next_offset), epoch: BigInt(row.epoch) } : null
}

/** P3. The lock waits until the transaction in doubt has ended one way or the other. */
function lookUp(pool: Pool, { claim, next, from }: SinkBatch, doubt: TransactionError): Promise<CommitOutcome> {
  return inTransaction(pool, async (client): Promise<CommitOutcome> => {
    const standing = await lockOffset(client, claim)
    if (standing === null || standing.epoch !== claim.epoch) return { kind: 'fenced' }
    if (standing.nextOffset === next) return { kind: 'committed' }
    if (standing.nextOffset === from) throw doubt
    return { kind: 'moved', nextOffset: standing.nextOffset }
  })
}

function reset(pool: Pool, { name, tables }: AnyProjection): Promise<void> {
  return inTransaction(pool, async (client) => {
    // What the policy on audit_logs asks for; local to this transaction.
    await client.query(`select set_config('app.rebuild', $1, true), set_config('statement_timeout', '0', true)`, [name])
    await client.query(
      `update lifecycle.sink_offsets set epoch = epoch + 1, next_offset = 0, cluster_id = '' where sink = $1`,
      [name],
    )
    for (const table of tables) await client.query(`delete from lifecycle.${table.name}`)
  })
}

async function offsets(pool: Pool): Promise<readonly SinkOffset[]> {
  const { rows } = await pool.query<{ sink: string; topic: string; part: number; next_offset: string; epoch: string }>(
    'select sink, topic, part, next_offset, epoch from lifecycle.sink_offsets order by sink, topic, part',
  )
  return rows.map(({ sink, topic, part, next_offset, epoch }) => ({
    sink,
    topic,
    partition: part,
    nextOffset: BigInt(next_offset),
    epoch: BigInt(epoch),
  }))
}

function erase(pool: Pool, tables: readonly Table[], tenantId: string): Promise<void> {
  return inTransaction(pool, async (client) => {
    for (const table of tables) {
      const personal = Object.keys(table.columns).filter((name) => table.columns[name]?.personal)
      if (personal.length === 0) continue
      await client.query(
        `update lifecycle.${table.name} set ${personal.map((name) => `${name} = null`).join(', ')} where tenant_id = $1`,
        [tenantId],
      )
    }
  })
}
