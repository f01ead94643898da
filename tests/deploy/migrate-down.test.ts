/** Migrations back, and forward again: the same catalogue, and nothing decided in SQL is lost unasked. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { Pool } from '../../connectors/postgres/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import { takeBack } from '../../deploy/migrate-command.ts'
import { migrateDown } from '../../deploy/migrate-down.ts'
import { migrate, migrationFiles } from '../../deploy/migrate.ts'
import { lockDirectory } from '../../state-stores/index.ts'
import { insertAgents } from '../contracts/agent-rows.ts'
import { catalogueOf } from './catalogue.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function database(from: 'migrated' | 'empty' = 'migrated'): Promise<ScratchDatabase> {
  const made = await scratchDatabase({ from })
  closing.push(() => made.drop())
  return made
}
function pool(url: string): Pool {
  const opened = openPool(url, { applicationName: 'test', max: 1 })
  closing.push(() => opened.end())
  return opened
}
async function folder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'))
  closing.push(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}
const directoryOf = async (files: Readonly<Record<string, string>>): Promise<URL> =>
  pathToFileURL(`${await folder(files)}/`)
const silent = { notice: () => undefined, loseData: false }
const up = ({ ownerUrl, secret }: ScratchDatabase, directory?: URL) =>
  migrate({ ownerUrl, secret, notice: () => undefined, ...(directory === undefined ? {} : { directory }) })

const names = (await migrationFiles()).map(({ name }) => name)
const [tenantA, tenantB] = ['0a000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000001']

describe('down and up again', () => {
  test('to nothing, and from nothing the same catalogue', async () => {
    const made = await database()
    const owner = pool(made.ownerUrl)
    const whole = await catalogueOf(owner)
    expect(whole.length).toBeGreaterThan(500)
    const taken = await migrateDown({ ...made, ...silent, count: names.length })
    expect(taken).toEqual(names.toReversed())
    const empty = await catalogueOf(pool((await database('empty')).ownerUrl))
    expect(await catalogueOf(owner)).toEqual(empty)
    expect((await up(made)).applied).toEqual(names)
    expect(await catalogueOf(owner)).toEqual(whole)
  })

  test('one by one: each undoes itself and nothing else', async () => {
    const made = await database('empty')
    const owner = pool(made.ownerUrl)
    const { readFile } = await import('node:fs/promises')
    const files: Record<string, string> = {}
    for (const name of names) {
      const before = await catalogueOf(owner)
      for (const file of [name, name.replace('.sql', '.down.sql')])
        files[file] = await readFile(new URL(`../../deploy/sql/${file}`, import.meta.url), 'utf8')
      const directory = await directoryOf(files)
      expect((await up(made, directory)).applied).toEqual([name])
      const after = await catalogueOf(owner)
      await migrateDown({ ...made, ...silent, count: 1, directory })
      expect(await catalogueOf(owner), `${name} taken back`).toEqual(before)
      await up(made, directory)
      expect(await catalogueOf(owner), `${name} again`).toEqual(after)
    }
  })
})

describe('what no topic gives again (MD2)', () => {
  async function peopled(): Promise<{ made: ScratchDatabase; owner: Pool }> {
    const made = await database()
    const owner = pool(made.ownerUrl)
    const agents = ['1', '2'].map((n) => `0e000000-0000-4000-8000-00000000000${n}`) as [string, string]
    await insertAgents(owner, { [agents[0]]: agents })
    await owner.query(`update auth.users set disabled_at = now() where user_id = $1`, [agents[1]])
    await owner.query(
      `insert into auth.client_assignments values ($1, $3, $3, 'owner', now()), ($2, $3, $3, 'owner', now())`,
      [tenantA, tenantB, agents[0]],
    )
    await owner.query('insert into auth.data_keys (tenant_id, wrapped_key) values ($1, $3), ($2, $3)', [
      ...[tenantA, tenantB],
      Buffer.from('key'),
    ])
    return { made, owner }
  }
  const back = names.length - names.indexOf('0020_agents.sql')

  test('is named, and nothing is taken back (MD1)', async () => {
    const { made, owner } = await peopled()
    const before = await catalogueOf(owner)
    const refused = migrateDown({ ...made, ...silent, count: back })
    await expect(refused).rejects.toThrow(
      /^taking back 0020_agents\.sql would lose what no topic gives again: 2 rows of auth\.agents, auth\.organizations\.kind of 1 rows, 1 rows of auth\.teams, auth\.users\.disabled_at of 1 rows; with --yes-lose-data it is lost$/,
    )
    expect(await catalogueOf(owner)).toEqual(before)
    expect((await up(made)).applied).toEqual([])
    expect((await owner.query('select from auth.agents')).rowCount).toBe(2)
  })

  test('is lost when it is wanted, and only that; who left stays out', async () => {
    const { made, owner } = await peopled()
    await migrateDown({ ...made, ...silent, count: back, loseData: true })
    const { rows } = await owner.query<{ role: string; password_hash: string }>(
      'select role, password_hash from auth.users order by user_id',
    )
    expect(rows).toEqual([
      { role: 'member', password_hash: '' },
      { role: 'member', password_hash: '!' },
    ])
    expect((await owner.query('select from auth.client_assignments')).rowCount).toBe(2)
    // Forward again: who is an agent is one in the team whose clients they have, the supervisor in that as well.
    const [first, second] = (await owner.query<{ id: string }>('select user_id as id from auth.users order by 1')).rows
    await owner.query('insert into auth.team_supervisors values ($1, $2, now())', [first!.id, second!.id])
    await owner.query(`insert into auth.client_assignments values ($1, $1, $1, 'owner', now())`, [tenantA])
    expect((await up(made)).applied).toEqual(names.slice(-back))
    const agents = await owner.query(
      'select user_id, team_id, role from auth.agents join auth.users using (user_id) order by 1',
    )
    expect(agents.rows).toEqual([
      { user_id: first!.id, team_id: first!.id, role: 'agent' },
      { user_id: second!.id, team_id: first!.id, role: 'supervisor' },
    ])
    expect((await owner.query('select from auth.client_assignments')).rowCount).toBe(2)
    expect((await owner.query(`select from auth.organizations where kind = 'house'`)).rowCount).toBe(1)
    await migrateDown({ ...made, ...silent, count: back, loseData: true })
    expect((await owner.query('select from auth.data_keys')).rowCount).toBe(2)
    await expect(migrateDown({ ...made, ...silent, count: names.length - back })).rejects.toThrow(
      'taking back 0004_data_keys.sql would lose what no topic gives again: 2 rows of auth.data_keys',
    )
  })

  test('is nothing of a projection: its rows and offsets go without a word', async () => {
    const made = await database()
    const owner = pool(made.ownerUrl)
    await owner.query(
      `insert into lifecycle.sink_offsets values ('organizations', 'auth_events', 0, 'c', 't', 1, 5, 1)`,
    )
    for (const tenant of [tenantA, tenantB])
      await owner.query(
        `insert into lifecycle.organizations (tenant_id, organization_id, src_topic, src_part, src_offset, changed_at)
         values ($1, $1, 'auth_events', 0, 1, now())`,
        [tenant],
      )
    await migrateDown({ ...made, ...silent, count: names.length })
    await up(made)
    expect((await owner.query('select from lifecycle.organizations')).rowCount).toBe(0)
    expect((await owner.query('select from lifecycle.sink_offsets')).rowCount).toBe(0)
  })
})

describe('is refused in one line', () => {
  const up1 = { '0001_a.sql': 'create table public.a (id int)', '0001_a.down.sql': 'drop table public.a' }
  const up2 = { ...up1, '0003_c.sql': 'create table public.c (id int)' }
  const tables = async (owner: Pool): Promise<string[]> =>
    (
      await owner.query<{ name: string }>(
        `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
      )
    ).rows.map(({ name }) => name)

  test('what has no file for it, what fails half way, and what is not there (MD1)', async () => {
    const made = await database('empty')
    const owner = pool(made.ownerUrl)
    await up(made, await directoryOf(up2))
    const down = async (count: number, files: Readonly<Record<string, string>>) =>
      migrateDown({ ...made, ...silent, count, directory: await directoryOf(files) })
    await expect(down(2, up2)).rejects.toThrow('0003_c.sql cannot be taken back: it has no 0003_c.down.sql')
    const broken = { ...up2, '0003_c.down.sql': 'drop table public.c', '0001_a.down.sql': 'drop table public.none' }
    await expect(down(2, broken)).rejects.toThrow(
      'taking back migration 0001_a.sql failed: table "none" does not exist',
    )
    await expect(down(3, up2)).rejects.toThrow('only 2 migrations are applied')
    await expect(down(1, { ...up2, '0003_c.sql': 'select 2' })).rejects.toThrow('was changed after it was applied')
    await expect(down(1, { ...up2, '0009_x.down.sql': '' })).rejects.toThrow(
      '0009_x.down.sql: there is no 0009_x.sql to take back',
    )
    expect(await tables(owner)).toEqual(['a', 'c', 'schema_migrations'])
    expect(await down(2, { ...up2, '0003_c.down.sql': 'drop table public.c' })).toEqual(['0003_c.sql', '0001_a.sql'])
    expect(await tables(owner)).toEqual(['schema_migrations'])
  })

  test('what was applied last goes first, also where its number is lower', async () => {
    const made = await database('empty')
    const file = (name: string) => ({
      [`${name}.sql`]: `create table public.t${name} (id int)`,
      [`${name}.down.sql`]: `drop table public.t${name}`,
    })
    const earlier = { ...file('0001_a'), ...file('0070_d') }
    await up(made, await directoryOf(earlier))
    const directory = await directoryOf({ ...earlier, ...file('0014_b') })
    await up(made, directory)
    const down = () => migrateDown({ ...made, ...silent, count: 1, directory })
    expect([await down(), await down(), await down()]).toEqual([['0014_b.sql'], ['0070_d.sql'], ['0001_a.sql']])
  })

  test('while a process is connected (MD3)', async () => {
    const made = await database()
    await pool(made.urls.api).query('select 1')
    await expect(migrateDown({ ...made, ...silent, count: 1 })).rejects.toThrow(
      'processes are connected to the database (1 connections): end them first',
    )
  })

  test('the command: a wrong number, a wrong word, a directory in use, and one without a database', async () => {
    const made = await database()
    const dataDir = await folder()
    const lines: string[] = []
    const config = (url: string | null) => ({ dataDir, database: { url } }) as Parameters<typeof takeBack>[0]
    const run = (url: string | null, ...args: string[]) => takeBack(config(url), args, (line) => void lines.push(line))
    await expect(run(made.ownerUrl, '0')).rejects.toThrow('0: say how many migrations to take back, 1 or more')
    await expect(run(made.ownerUrl, '1', '--yes')).rejects.toThrow('--yes: only --yes-lose-data may stand here')
    await expect(run(null, '1')).rejects.toThrow(`there is no database in ${dataDir}, and DATABASE_URL names none`)
    const lock = await lockDirectory(dataDir)
    await expect(run(made.ownerUrl, '1')).rejects.toThrow('is in use by process')
    await lock.release()
    await run(made.ownerUrl, '1')
    expect(lines).toEqual([
      `database: took back ${names.at(-1)!}`,
      'start the earlier version now: this one applies them again',
    ])
  })
})
