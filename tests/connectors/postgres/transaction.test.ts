import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Pool, Queryable } from '../../../connectors/postgres/index.ts'
import { failureOf, inTransaction, isAnswer, openPool, readOnly, sqlState } from '../../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'

const tenantA = '0a000000-0000-4000-8000-000000000001'
const tenantB = '0b000000-0000-4000-8000-000000000002'
let database: ScratchDatabase
/** One connection, so that whatever one use leaves on it the next one meets. */
let pool: Pool
let superuser: Pool
const lost: string[] = []

beforeAll(async () => {
  database = await scratchDatabase({ from: 'empty' })
  pool = openPool(database.ownerUrl, {
    applicationName: 'test-one',
    max: 1,
    statementTimeoutMs: 500,
    notice: (line) => void lost.push(line),
  })
  superuser = openPool(database.superuserUrl, { applicationName: 'test-superuser', max: 1 })
  await pool.query('create table entry (tenant_id uuid, id int primary key deferrable initially deferred)')
})
beforeEach(() => pool.query('truncate entry'))
afterAll(async () => {
  await Promise.all([pool.end(), superuser.end()])
  await database.drop()
})

const rows = async (): Promise<number[]> =>
  (await pool.query<{ id: number }>('select id from entry order by id')).rows.map(({ id }) => id)
const backendOf = async (on: Queryable): Promise<number> =>
  (await on.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid
const killBackends = (): Promise<unknown> =>
  superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test-one' and datname = current_database()`,
  )

describe('inTransaction', () => {
  test('commits what it returns for, rolls back what it throws for, and gives the client back clean', async () => {
    const result = await inTransaction(pool, async (client) => {
      await client.query('insert into entry values ($1, 1), ($2, 2)', [tenantA, tenantB])
      return 'done'
    })
    expect(result).toBe('done')
    await expect(
      inTransaction(pool, async (client) => {
        await client.query('insert into entry values ($1, 3)', [tenantA])
        throw new RangeError('mine')
      }),
    ).rejects.toThrow(RangeError)
    expect(await rows()).toEqual([1, 2])
    expect(pool.totalCount).toBe(1)
  })

  test('T1: COMMIT of a failed transaction is answered with ROLLBACK, and that is no commit', async () => {
    const swallowing = inTransaction(pool, async (client) => {
      await client.query('insert into entry values ($1, 1)', [tenantA])
      await client.query('select 1/0').catch(() => undefined)
    })
    await expect(swallowing).rejects.toMatchObject({
      code: 'ROLLED_BACK',
      message: 'COMMIT was answered with ROLLBACK',
    })
    expect(await rows()).toEqual([])
  })

  test('T1: a constraint checked at commit is a definite refusal', async () => {
    const refused = inTransaction(pool, (client) =>
      client.query('insert into entry values ($1, 1), ($2, 1)', [tenantA, tenantB]),
    )
    await expect(refused).rejects.toMatchObject({
      code: 'ROLLED_BACK',
      cause: expect.objectContaining({ code: '23505' }) as unknown,
    })
    expect(await rows()).toEqual([])
  })

  test('T2: a client lost in the middle is destroyed; the next use gets another', async () => {
    const cut = inTransaction(pool, async (client) => {
      await client.query('insert into entry values ($1, 1)', [tenantA])
      await killBackends()
      await client.query('insert into entry values ($1, 2)', [tenantB])
    })
    await expect(cut).rejects.toThrow()
    expect(await rows()).toEqual([])
  })

  test('T2: a statement over its time is ended by the server, and the connection goes on', async () => {
    await expect(inTransaction(pool, (client) => client.query('select pg_sleep(30)'))).rejects.toMatchObject({
      code: '57014',
    })
    expect(await rows()).toEqual([])
  })

  test('T2: a client whose ROLLBACK failed is destroyed, although its connection lives', async () => {
    let backend = 0
    const left = inTransaction(pool, async (client) => {
      backend = await backendOf(client)
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
      client.query = ((...args: unknown[]) =>
        args[0] === 'ROLLBACK' ? Promise.reject(new Error('no answer')) : query(...args)) as typeof client.query
      throw new RangeError('mine')
    })
    await expect(left).rejects.toThrow(RangeError)
    expect(await backendOf(pool)).not.toBe(backend)
  })

  test('a client lost while idle is one notice, and the process goes on', async () => {
    await rows()
    lost.length = 0
    await killBackends()
    while (lost.length === 0) await new Promise((done) => setTimeout(done, 5))
    expect(lost).toEqual([expect.stringMatching(/^database connection lost \(test-one\): /)])
    expect(await rows()).toEqual([])
  })
})

describe('readOnly', () => {
  const settings = `select current_setting('app.tenant', true) as tenant, current_setting('app.user_type', true) as type`
  test('T3: settings end with the transaction, whether it ends well or not', async () => {
    const viewer = { tenantId: tenantA, userId: tenantB, userType: 'client' } as const
    const seen = await readOnly(pool, viewer, async (client) => (await client.query(settings)).rows[0] as unknown)
    expect(seen).toEqual({ tenant: tenantA, type: 'client' })
    await expect(readOnly(pool, viewer, (client) => client.query('select 1/0'))).rejects.toMatchObject({
      code: '22012',
    })
    expect((await pool.query(settings)).rows).toEqual([{ tenant: '', type: '' }])
    const agent = await readOnly(
      pool,
      { tenantId: null, userId: tenantB, userType: 'agent' },
      async (client) => (await client.query(settings)).rows[0] as unknown,
    )
    expect(agent).toEqual({ tenant: '', type: 'agent' })
  })

  test('writes are refused with 25006', async () => {
    const viewer = { tenantId: tenantA, userId: tenantB, userType: 'client' } as const
    await expect(
      readOnly(pool, viewer, (client) => client.query('insert into entry values ($1, 1)', [tenantA])),
    ).rejects.toMatchObject({ code: '25006' })
  })
})

test('failures are told apart', async () => {
  const failing = (statement: string): Promise<unknown> => pool.query(statement).catch((error: unknown) => error)
  expect(failureOf(await failing('select 1/0'))).toBe('data')
  expect(failureOf(await failing(`select 'x'::uuid`))).toBe('data')
  expect(failureOf(await failing('select * from nowhere'))).toBe('bug')
  expect(failureOf(await failing('select pg_sleep(30)'))).toBe('trouble')
  const refused = await openPool('postgres://nobody@127.0.0.1:1/none', { applicationName: 'x' })
    .query('select 1')
    .catch((error: unknown) => error)
  expect([failureOf(refused), sqlState(refused), isAnswer(refused)]).toEqual(['trouble', null, false])
})
