/**
 * Drops rows of the timeline that are older than it is kept: in small steps, so that no lock is held long. What readers see
 * is the fold of the topics all the same, from that age on: a rebuild brings old rows back and the next sweep drops them.
 */

import type { Pool } from '../connectors/postgres/index.ts'
import { inTransaction } from '../connectors/postgres/index.ts'
import { timelines } from '../sinks/index.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Rows of one statement. */
const step = 10_000

/**
 * @param pool connected as role `sink`
 * @param nowMs the time that ages are counted from
 * @returns how many rows were dropped
 */
export async function sweepTimeline(pool: Pool, keptDays: number, nowMs: number): Promise<number> {
  const before = new Date(nowMs - keptDays * dayMs).toISOString()
  let dropped = 0
  for (const { name } of timelines.flatMap(({ tables }) => tables)) {
    for (let rows = step; rows === step; dropped += rows) rows = await dropSome(pool, name, before)
  }
  return dropped
}

const dropSome = (pool: Pool, table: string, before: string): Promise<number> =>
  inTransaction(pool, async (client) => {
    // What the policy of these tables asks for; local to this transaction.
    await client.query(`select set_config('app.sweep', 'timeline', true)`)
    const { rowCount } = await client.query(
      `delete from lifecycle.${table} where ctid = any (array(
         select ctid from lifecycle.${table} where occurred_at < $1 limit ${String(step)}))`,
      [before],
    )
    return rowCount ?? 0
  })
