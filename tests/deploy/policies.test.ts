/** Row-level security as a whole: the catalogue has no hole, each hole is found, and each role sees what it may. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pool, PoolClient, Viewer } from '../../connectors/postgres/index.ts'
import { openPool, readOnly } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import { policyFindings } from '../../deploy/policies.ts'
import { postgresTables, projections } from '../../sinks/index.ts'
import { insertAgents } from '../contracts/agent-rows.ts'
import { batchOf, rowOf, source, tenantA, tenantB } from '../contracts/projection.ts'

let database: ScratchDatabase
let owner: Pool
let superuser: Pool
let api: Pool
let sink: Pool
const tables = projections.flatMap((projection) => projection.tables)

beforeAll(async () => {
  database = await scratchDatabase()
  owner = openPool(database.ownerUrl, { applicationName: 'test-owner' })
  superuser = openPool(database.superuserUrl, { applicationName: 'test-superuser' })
  api = openPool(database.urls.api, { applicationName: 'test-api', max: 1 })
  sink = openPool(database.urls.sink, { applicationName: 'test-sink' })
  const port = postgresTables(sink)
  for (const projection of projections) {
    const claim = await port.claim(source(0, { sink: projection.name }), 0n)
    await port.commit(
      batchOf(
        claim,
        projection.tables.flatMap((table) => [rowOf(table, tenantA), rowOf(table, tenantB)]),
      ),
    )
  }
})
afterAll(async () => {
  await Promise.all([owner, superuser, api, sink].map((pool) => pool.end()))
  await database.drop()
})

/** Tries a change, looks, and takes it back. */
async function findingsAfter(...statements: string[]): Promise<readonly string[]> {
  const client = await superuser.connect()
  try {
    await client.query('begin')
    for (const statement of statements) await client.query(statement)
    return await policyFindings(client)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

describe('the catalogue', () => {
  test('has no hole', async () => {
    expect(await policyFindings(owner)).toEqual([])
  })

  test('dropping any one policy is a finding that names its table', async () => {
    const { rows } = await owner.query<{ name: string; target: string }>(`
      select p.polname as name, p.polrelid::regclass::text as target from pg_policy p
      join pg_class c on c.oid = p.polrelid where c.relnamespace in ('auth'::regnamespace, 'lifecycle'::regnamespace)`)
    expect(rows.length).toBeGreaterThan(50)
    for (const { name, target } of rows) {
      const findings = await findingsAfter(`drop policy ${name} on ${target}`)
      expect(findings, `${target} without ${name}`).toEqual(expect.arrayContaining([expect.stringContaining(target)]))
    }
  })

  test('so is security switched off, or not forced, on any table; and a new table without any', async () => {
    const { rows } = await owner.query<{ target: string }>(`select oid::regclass::text as target from pg_class
      where relnamespace in ('auth'::regnamespace, 'lifecycle'::regnamespace) and relkind = 'r'`)
    for (const { target } of rows) {
      expect(await findingsAfter(`alter table ${target} disable row level security`)).toEqual([
        `${target}: row-level security is off`,
      ])
      expect(await findingsAfter(`alter table ${target} no force row level security`)).toEqual([
        `${target}: row-level security is not forced on its owner`,
      ])
    }
    expect(await findingsAfter('create table lifecycle.forgotten (tenant_id uuid)')).toContain(
      'lifecycle.forgotten: row-level security is off',
    )
  })

  const organizations = 'lifecycle.organizations'
  test.each([
    [
      'a policy for everyone',
      [`create policy open on ${organizations} to public using (true)`],
      `${organizations}: policy open is for everyone (PUBLIC)`,
    ],
    [
      'a policy of the api that forgets the tenant',
      [`create policy wide on ${organizations} to lifecycle_api using (deleted_at is null)`],
      `${organizations}: policy wide lets the api role see rows of any tenant`,
    ],
    [
      'a grant to everyone',
      [`grant select on ${organizations} to public`],
      `${organizations}: everyone (PUBLIC) has SELECT`,
    ],
    [
      'a grant without a policy',
      [`grant insert on ${organizations} to lifecycle_api`],
      `${organizations}: lifecycle_api has INSERT but no policy for it`,
    ],
    [
      'a grant on a column without a policy',
      [`grant update (domain) on ${organizations} to lifecycle_api`],
      `${organizations}: lifecycle_api has UPDATE but no policy for it`,
    ],
    [
      'TRUNCATE, which policies do not hold',
      [`grant truncate on ${organizations} to lifecycle_sink`],
      `${organizations}: lifecycle_sink has TRUNCATE, which row-level security does not hold`,
    ],
    [
      'a table owned by a process',
      [`alter table ${organizations} owner to lifecycle_sink`],
      `${organizations}: is owned by lifecycle_sink, a role of a process`,
    ],
    [
      'a view with its owner’s rights',
      ['create view lifecycle.peek as select 1 as one'],
      `lifecycle.peek: a view reads with its owner's rights: make it with security_invoker`,
    ],
    [
      'a materialized view',
      ['create materialized view lifecycle.peek as select 1 as one'],
      `lifecycle.peek: a view reads with its owner's rights: make it with security_invoker`,
    ],
    [
      'a function with its owner’s rights',
      ['create function lifecycle.peek() returns int language sql security definer return 1'],
      "lifecycle.peek(): a function runs with its owner's rights (SECURITY DEFINER)",
    ],
    [
      'a unique key across tenants',
      [`create unique index one_domain on ${organizations} (domain, tenant_id, organization_id)`],
      `${organizations}: unique index lifecycle.one_domain does not begin with tenant_id`,
    ],
    ['BYPASSRLS', ['alter role lifecycle_api bypassrls'], 'lifecycle_api: has BYPASSRLS'],
    ['a superuser', ['alter role lifecycle_api superuser'], 'lifecycle_api: is a superuser'],
    ['a membership', ['grant lifecycle_auth to lifecycle_api'], 'lifecycle_api: is a member of another role'],
  ])('%s is a finding', async (_, statements, finding) => {
    expect(await findingsAfter(...statements)).toContain(finding)
  })

  test('a view with security_invoker is none', async () => {
    expect(await findingsAfter('create view lifecycle.peek with (security_invoker = true) as select 1 as one')).toEqual(
      [],
    )
  })
})

const nobody = '00000000-0000-4000-8000-000000000000'
const client = (tenantId: string): Viewer => ({ tenantId, userId: nobody, userType: 'client' })
const tenantsSeen = async (run: PoolClient, table: string): Promise<string[]> =>
  (await run.query<{ tenant_id: string }>(`select distinct tenant_id from lifecycle.${table} order by 1`)).rows.map(
    (row) => row.tenant_id,
  )

describe('the api role', () => {
  test.each(tables.map(({ name }) => name))('%s: a client sees its tenant and no other', async (table) => {
    expect(await readOnly(api, client(tenantA), (run) => tenantsSeen(run, table))).toEqual([tenantA])
    expect(await readOnly(api, client(tenantB), (run) => tenantsSeen(run, table))).toEqual([tenantB])
    expect(await readOnly(api, client(nobody), (run) => tenantsSeen(run, table))).toEqual([])
  })

  test.each(tables.map(({ name }) => name))(
    '%s: without a viewer nothing is seen, and nothing is written',
    async (table) => {
      // The pool has one connection: settings of the reads above were on it.
      expect((await api.query(`select from lifecycle.${table}`)).rowCount).toBe(0)
      for (const write of [
        `delete from lifecycle.${table}`,
        `insert into lifecycle.${table} (tenant_id) values (null)`,
        `update lifecycle.${table} set tenant_id = tenant_id`,
        `truncate lifecycle.${table}`,
      ]) {
        await expect(api.query(write)).rejects.toMatchObject({ code: '42501' })
      }
      expect((await sink.query(`select from lifecycle.${table}`)).rowCount).toBe(2)
    },
  )

  test('a tombstone is seen by nobody', async () => {
    const projection = projections.find(({ name }) => name === 'organizations')!
    const port = postgresTables(sink)
    const claim = await port.claim(source(1, { sink: projection.name }), 100n)
    const gone = rowOf(projection.tables[0]!, tenantA)
    const key = { ...gone.key, organization_id: nobody }
    await port.commit(batchOf(claim, [{ ...gone, key }]))
    const count = (): Promise<number | null> =>
      readOnly(api, client(tenantA), async (run) => (await run.query('select from lifecycle.organizations')).rowCount)
    expect(await count()).toBe(2)
    await port.commit(batchOf(claim, [{ op: 'remove', table: gone.table, key }], 101n))
    expect(await count()).toBe(1)
  })

  test('a setting that is empty or no UUID shows nothing', async () => {
    const seen = async (tenant: string, userType: string): Promise<unknown> => {
      const run = await api.connect()
      try {
        await run.query('begin read only')
        await run.query(`select set_config('app.tenant', $1, true), set_config('app.user_type', $2, true)`, [
          tenant,
          userType,
        ])
        return (await run.query('select from lifecycle.organizations')).rowCount
      } catch (error) {
        return (error as { code: string }).code
      } finally {
        await run.query('rollback')
        run.release()
      }
    }
    expect(await seen('', 'client')).toBe(0)
    expect(await seen(tenantA, '')).toBe(0)
    expect(await seen(tenantA, 'Client')).toBe(0)
    expect(await seen(tenantA, 'agent')).toBe(0)
    expect(await seen('not a uuid', 'client')).toBe('22P02')
    await expect(readOnly(api, { ...client('x'), userType: 'client' }, () => Promise.resolve(1))).rejects.toThrow(
      'a viewer is named by UUIDs',
    )
  })

  test('reads auth only where its assignments stand', async () => {
    for (const table of [
      'users',
      'organizations',
      'codes',
      'sessions',
      'refresh_tokens',
      'api_keys',
      'outbox',
      'data_keys',
      'teams',
    ]) {
      await expect(api.query(`select from auth.${table}`), table).rejects.toMatchObject({ code: '42501' })
    }
  })
})

describe('agents', () => {
  const [agent, colleague, supervisor, team, otherTeam] = [1, 2, 3, 4, 5].map(
    (n) => `0e000000-0000-4000-8000-00000000000${n}`,
  ) as [string, string, string, string, string]
  const as = (userId: string): Viewer => ({ tenantId: null, userId, userType: 'agent' })
  beforeAll(async () => {
    await insertAgents(owner, { [team]: [agent, supervisor], [otherTeam]: [colleague] })
    const auth = openPool(database.urls.auth, { applicationName: 'test-auth' })
    await auth.query(
      `insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at)
      values ($1, $3, $5, 'owner', to_timestamp(0)), ($2, $4, $6, 'owner', to_timestamp(0))`,
      [tenantA, tenantB, agent, colleague, team, otherTeam],
    )
    await auth.query(
      'insert into auth.team_supervisors (team_id, user_id, created_at) values ($1, $2, to_timestamp(0))',
      [team, supervisor],
    )
    await auth.end()
  })

  test.each(tables.map(({ name }) => name))(
    '%s: an agent sees the tenants assigned, a supervisor those of the team',
    async (table) => {
      expect(await readOnly(api, as(agent), (run) => tenantsSeen(run, table))).toEqual([tenantA])
      expect(await readOnly(api, as(colleague), (run) => tenantsSeen(run, table))).toEqual([tenantB])
      expect(await readOnly(api, as(supervisor), (run) => tenantsSeen(run, table))).toEqual([tenantA])
      expect(await readOnly(api, as(nobody), (run) => tenantsSeen(run, table))).toEqual([])
    },
  )

  test('a client with an agent’s id is a client; it sees no assignments', async () => {
    const viewer: Viewer = { tenantId: tenantB, userId: agent, userType: 'client' }
    expect(await readOnly(api, viewer, (run) => tenantsSeen(run, 'organizations'))).toEqual([tenantB])
    expect(
      await readOnly(api, viewer, async (run) => (await run.query('select from auth.client_assignments')).rowCount),
    ).toBe(0)
  })

  test('readers find their rows by index: the tenants are known before the table is read', async () => {
    const plan = await readOnly(api, client(tenantA), async (run) => {
      await run.query('set local enable_seqscan = off')
      return (await run.query<{ 'QUERY PLAN': string }>('explain select * from lifecycle.research_findings')).rows
        .map((row) => row['QUERY PLAN'])
        .join('\n')
    })
    expect(plan).toMatch(/Index Cond: \(tenant_id = ANY/)
  })
})

describe('the owner', () => {
  test('is held by forced security as well, and has a policy of its own', async () => {
    const run = await owner.connect()
    await run.query('begin')
    expect((await run.query('select from lifecycle.organizations')).rowCount).toBeGreaterThan(0)
    await run.query('drop policy owner_all on lifecycle.organizations')
    expect((await run.query('select from lifecycle.organizations')).rowCount).toBe(0)
    await run.query('rollback')
    run.release()
  })
})

test('urgency of a review: risk, then minutes overdue', async () => {
  const { rows } = await api.query<{ p: number }>(`
    select lifecycle.review_priority(risk, to_timestamp(600), to_timestamp(at)) as p
    from (values ('high', 0), ('high', 659), ('high', 660), ('medium', 600), ('low', 7200), ('low', 1e12)) as v (risk, at)`)
  expect(rows.map(({ p }) => p)).toEqual([300, 300, 301, 200, 210, 1_000_100])
})
