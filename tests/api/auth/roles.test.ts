import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPool } from '../../../connectors/postgres/index.ts'
import { openWorld } from './world.ts'
import type { World } from './world.ts'

const tables = [
  'users',
  'organizations',
  'codes',
  'attempts',
  'lockouts',
  'sessions',
  'refresh_tokens',
  'api_keys',
  'api_key_usage',
  'invitations',
  'join_requests',
  'outbox',
]
const roles = ['auth', 'relay', 'sink', 'effects', 'api'] as const

/** Who may read a table of identity whole. */
const readers: Record<string, readonly string[]> = {
  ...Object.fromEntries(tables.map((table) => [table, ['auth']])),
  outbox: ['relay'],
}

let world: World
beforeAll(async () => {
  world = await openWorld()
  await world.join('ada@a.example')
  await world.join('bob@b.example')
})
afterAll(() => world[Symbol.asyncDispose]())

async function as(role: (typeof roles)[number], statement: string): Promise<string> {
  const pool = openPool(world.urls[role], { applicationName: 'test', max: 1 })
  try {
    const { rowCount } = await pool.query(statement)
    return `${rowCount} rows`
  } catch (error) {
    return (error as Error).message
  } finally {
    await pool.end()
  }
}

describe('rows of identity', () => {
  it('are behind forced row-level security, each table', async () => {
    const { rows } = await world.owner.query<{ relname: string; forced: boolean }>(
      `select relname, relrowsecurity and relforcerowsecurity as forced from pg_class
       where relnamespace = 'auth'::regnamespace and relkind = 'r' and relname = any($1)`,
      [tables],
    )
    expect(rows.map(({ relname }) => relname).sort()).toEqual([...tables].sort())
    for (const { relname, forced } of rows) expect([relname, forced]).toEqual([relname, true])
  })

  it.each(tables.flatMap((table) => roles.map((role) => [role, table] as const)))(
    '%s reading auth.%s',
    async (role, table) => {
      const answer = await as(role, `select * from auth.${table}`)
      if (readers[table]!.includes(role)) expect(answer).toMatch(/^\d+ rows$/)
      else expect(answer).toContain('permission denied')
    },
  )

  it('the mail effect reads a code with its recipient, and nothing more of it', async () => {
    expect(await as('effects', 'select code_ref, sealed, recipient, expires_at from auth.codes')).toBe('2 rows')
    for (const column of ['user_id', 'invitation_id', 'purpose', 'wrong_tries', 'used_at']) {
      expect(await as('effects', `select ${column} from auth.codes`)).toContain('permission denied')
    }
    expect(await as('effects', 'update auth.codes set wrong_tries = 0')).toContain('permission denied')
  })

  it('identity writes events but cannot read or change them', async () => {
    expect(await as('auth', 'select event from auth.outbox')).toContain('permission denied')
    expect(await as('auth', 'update auth.outbox set batch = 1')).toContain('permission denied')
    expect(await as('auth', 'delete from auth.outbox')).toContain('permission denied')
  })

  it('users and organizations are never deleted by identity', async () => {
    for (const table of ['users', 'organizations', 'api_keys', 'join_requests']) {
      expect(await as('auth', `delete from auth.${table}`)).toContain('permission denied')
    }
  })
})
