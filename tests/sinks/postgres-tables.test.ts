import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pool } from '../../connectors/postgres/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import type { RowChange } from '../../sinks/index.ts'
import { postgresTables, projections, put } from '../../sinks/index.ts'
import { teamMembershipsTable } from '../../sinks/projections/team-memberships.ts'
import { batchOf, rowOf, source, tablePortContract, tenantA, tenantB } from '../contracts/projection.ts'
import { readRows } from './read-rows.ts'

let database: ScratchDatabase
let pool: Pool
beforeAll(async () => {
  database = await scratchDatabase()
  pool = openPool(database.urls.sink, { applicationName: 'test-sink' })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const emptied = async (): Promise<void> => {
  const tables = postgresTables(pool)
  for (const projection of projections) await tables.reset(projection)
  await pool.query('delete from lifecycle.sink_offsets')
}

tablePortContract('PostgreSQL', async () => {
  await emptied()
  return {
    tables: (hook) => postgresTables(pool, hook),
    rows: (table) => readRows(pool, table),
    close: () => Promise.resolve(),
  }
})

const members = (role: string): RowChange[] =>
  [tenantA, tenantB].map((tenant) => {
    const { key } = rowOf(teamMembershipsTable, tenant)
    return put(teamMembershipsTable, key as never, { role, joined_at: 0 })
  })

describe('PostgreSQL', () => {
  test('the tables are those that projections declare', async () => {
    const types = {
      uuid: 'uuid',
      text: 'text',
      boolean: 'boolean',
      int: 'integer',
      bigint: 'bigint',
      double: 'double precision',
      instant: 'timestamp with time zone',
      json: 'jsonb',
    }
    const guard = {
      src_topic: 'text',
      src_part: 'integer',
      src_offset: 'bigint',
      changed_at: 'timestamp with time zone',
      deleted_at: 'timestamp with time zone',
    }
    const { rows } = await pool.query<{ name: string; columns: Record<string, string>; key: string[] }>(`
      select c.relname as name,
        (select jsonb_object_agg(a.attname, format_type(a.atttypid, null)) from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
        (select array_agg(a.attname::text order by k.n) from pg_index i, unnest(i.indkey) with ordinality as k (attnum, n)
          join pg_attribute a on a.attnum = k.attnum where i.indrelid = c.oid and a.attrelid = c.oid and i.indisprimary) as key
      from pg_class c where c.relnamespace = 'lifecycle'::regnamespace and c.relkind = 'r' and c.relname <> 'sink_offsets'`)
    const declared = projections.flatMap(({ tables }) => tables)
    expect(rows.map(({ name }) => name).sort()).toEqual(declared.map(({ name }) => name).sort())
    for (const table of declared) {
      const inSql = rows.find(({ name }) => name === table.name)!
      const columns = Object.entries({ ...table.key, ...table.columns }).map(([name, { type }]) => [name, types[type]])
      expect(inSql.columns, table.name).toEqual({ ...Object.fromEntries(columns), ...guard })
      expect(inSql.key, table.name).toEqual(Object.keys(table.key))
      expect(inSql.key[0]).toBe('tenant_id')
    }
  })

  test('a backend ended in mid-transaction is trouble, not an answer; the batch can be done again', async () => {
    await emptied()
    const superuser = openPool(database.superuserUrl, { applicationName: 'killer' })
    const claim = await postgresTables(pool).claim(source(), 0n)
    const killed = postgresTables(pool, async (point) => {
      if (point !== 'C22') return
      await superuser.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'test-sink' and datname = current_database() and state like 'idle in transaction%'`)
    })
    const batch = batchOf(claim, members('owner'))
    // COMMIT gets no answer, the offset row says that nothing happened: the doubt is thrown for the caller to wait out.
    await expect(killed.commit(batch)).rejects.toThrow()
    expect(await postgresTables(pool).commit(batch)).toEqual({ kind: 'committed' })
    expect(await readRows(pool, teamMembershipsTable)).toHaveLength(2)
    await superuser.end()
  })

  describe('P3: the connection is cut at COMMIT', () => {
    test('the server got it: looked up, and not done again', async () => {
      await withCut('answer', async (cutPool) => {
        const claim = await postgresTables(pool).claim(source(), 0n)
        expect(await postgresTables(cutPool).commit(batchOf(claim, members('owner')))).toEqual({ kind: 'committed' })
      })
      expect(await readRows(pool, teamMembershipsTable)).toHaveLength(2)
    })

    test('the server did not get it: nothing happened, and it can be done again', async () => {
      const claim = await withCut('request', async (cutPool) => {
        const claim = await postgresTables(pool).claim(source(), 0n)
        await expect(postgresTables(cutPool).commit(batchOf(claim, members('owner')))).rejects.toMatchObject({
          code: 'OUTCOME_UNKNOWN',
        })
        return claim
      })
      expect(await readRows(pool, teamMembershipsTable)).toEqual([])
      expect(await postgresTables(pool).commit(batchOf(claim, members('owner')))).toEqual({ kind: 'committed' })
    })
  })

  test('two owners at once: one waits for the lock of the other, then is fenced', async () => {
    await emptied()
    const first = await postgresTables(pool).claim(source(), 0n)
    let second: Promise<unknown> = Promise.resolve()
    const slow = postgresTables(pool, async (point) => {
      if (point !== 'C22') return
      second = postgresTables(pool).claim(source(), 0n)
      await new Promise((done) => setTimeout(done, 50))
    })
    expect(await slow.commit(batchOf(first, members('owner')))).toEqual({ kind: 'committed' })
    expect(await second).toMatchObject({ nextOffset: 2n, epoch: 2n })
    expect(await postgresTables(pool).commit(batchOf(first, members('zombie'), 2n))).toEqual({ kind: 'fenced' })
  })

  test('an audit row cannot be changed, and is deleted in a rebuild only', async () => {
    await emptied()
    const tables = postgresTables(pool)
    const auditLogs = projections.find(({ name }) => name === 'audit-logs')!
    const claim = await tables.claim(source(0, { sink: 'audit-logs' }), 0n)
    const table = auditLogs.tables[0]!
    await tables.commit(batchOf(claim, [rowOf(table, tenantA), rowOf(table, tenantB)]))
    await expect(pool.query(`update lifecycle.audit_logs set event_type = 'x'`)).rejects.toThrow('permission denied')
    expect((await pool.query('delete from lifecycle.audit_logs')).rowCount).toBe(0)
    await tables.reset(auditLogs)
    expect(await readRows(pool, table)).toEqual([])
  })
})

/** Runs with a pool whose connections break at their first COMMIT: before the server gets it, or before its answer. */
async function withCut<T>(what: 'request' | 'answer', run: (cutPool: Pool) => Promise<T>): Promise<T> {
  await emptied()
  const target = new URL(database.urls.sink)
  let cuts = 0
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname)
    const cut = (): void => {
      client.destroy()
      server.end()
    }
    client.on('data', (bytes) => {
      const isCommit = bytes.includes('COMMIT\0') && cuts === 0
      if (isCommit) cuts++
      if (isCommit && what === 'request') return cut()
      server.write(bytes)
      if (isCommit) server.once('data', cut)
    })
    server.on('data', (bytes) => client.writable && client.write(bytes))
    for (const socket of [client, server] as Socket[]) socket.on('error', () => undefined)
    client.on('close', () => server.end())
    server.on('close', () => client.destroy())
  })
  await new Promise<void>((done) => void proxy.listen(0, '127.0.0.1', done))
  const url = new URL(database.urls.sink)
  url.port = String((proxy.address() as AddressInfo).port)
  const cutPool = openPool(url.toString(), { applicationName: 'test-cut' })
  try {
    const result = await run(cutPool)
    expect(cuts).toBe(1)
    return result
  } finally {
    await cutPool.end()
    proxy.close()
  }
}
