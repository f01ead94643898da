/** The ledger over `auth.llm_spend`: shared by all processes, and kept for a quarter of a year. */

import type { Queryable } from '../postgres/index.ts'
import type { SpendLedger } from './spend.ts'
import { dayOf } from './spend.ts'

/** @param database of the effects role */
export function sqlLedger(database: Queryable): SpendLedger {
  return {
    async reserve({ tenantId, day, microdollars }, limitMicrodollars) {
      const { rowCount } = await database.query(
        `insert into auth.llm_spend as spend (tenant_id, day, microdollars)
           select $1, $2::date, $3::bigint where $3::bigint <= $4::bigint
         on conflict (tenant_id, day) do update
           set microdollars = spend.microdollars + excluded.microdollars, calls = spend.calls + 1
           where spend.microdollars + excluded.microdollars <= $4::bigint`,
        [tenantId, day, microdollars, limitMicrodollars],
      )
      return rowCount === 1
    },
    async settle({ tenantId, day, microdollars }, costMicrodollars) {
      await database.query(
        `update auth.llm_spend set microdollars = greatest(0, microdollars + $3::bigint)
         where tenant_id = $1 and day = $2::date`,
        [tenantId, day, costMicrodollars - microdollars],
      )
    },
    async spent(tenantId, day) {
      const { rows } = await database.query<{ microdollars: string }>(
        'select microdollars from auth.llm_spend where tenant_id = $1 and day = $2::date',
        [tenantId, day],
      )
      return Number(rows[0]?.microdollars ?? 0)
    },
  }
}

const keptMs = 92 * 24 * 60 * 60 * 1000

/**
 * Forgets days that no budget asks for any more.
 * @param database of the effects role
 * @param nowMs real time
 * @returns how many rows went
 */
export async function forgetSpend(database: Queryable, nowMs: number): Promise<number> {
  const { rowCount } = await database.query('delete from auth.llm_spend where day < $1::date', [dayOf(nowMs - keptMs)])
  return rowCount ?? 0
}
