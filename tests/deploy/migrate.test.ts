import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { Pool } from '../../connectors/postgres/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import type { DatabaseRole } from '../../deploy/migrate.ts'
import { checkRole, databaseRoles, migrate, migrationFiles, roleUrls } from '../../deploy/migrate.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function database(from: 'migrated' | 'empty'): Promise<ScratchDatabase> {
  const made = await scratchDatabase({ from })
  closing.push(() => made.drop())
  return made
}
function pool(url: string): Pool {
  const opened = openPool(url, { applicationName: 'test', max: 2 })
  closing.push(() => opened.end())
  return opened
}
async function directoryOf(files: Readonly<Record<string, string>>): Promise<URL> {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'))
  closing.push(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return pathToFileURL(`${path}/`)
}

describe('migrate', () => {
  test('from empty: every file once, in order; the second time nothing', async () => {
    const { ownerUrl, secret } = await database('empty')
    const notices: string[] = []
    const files = (await migrationFiles()).map(({ name }) => name)
    const first = await migrate({ ownerUrl, secret, notice: (line) => void notices.push(line) })
    expect(first.applied).toEqual(files)
    expect(files.slice(0, 4)).toEqual(['0001_roles.sql', '0002_auth.sql', '0003_projections.sql', '0004_data_keys.sql'])
    expect(notices).toEqual([`database: applied ${files.join(', ')}`])
    const second = await migrate({ ownerUrl, secret, notice: (line) => void notices.push(line) })
    expect(second.applied).toEqual([])
    expect(notices).toHaveLength(1)
    expect(second.roleUrls).toEqual(roleUrls(ownerUrl, secret))
  })

  test('M1: two at once apply each file once', async () => {
    const { ownerUrl, secret } = await database('empty')
    const both = await Promise.all([1, 2].map(() => migrate({ ownerUrl, secret, notice: () => undefined })))
    expect(both.flatMap(({ applied }) => applied).toSorted()).toEqual((await migrationFiles()).map(({ name }) => name))
  })

  test('M1: a file that fails leaves nothing of itself, and what came before stays', async () => {
    const { ownerUrl, secret } = await database('empty')
    const directory = await directoryOf({
      '0001_first.sql': 'create table public.first (id int);',
      '0002_second.sql': 'create table public.second (id int); select 1/0;',
    })
    await expect(migrate({ ownerUrl, secret, notice: () => undefined, directory })).rejects.toThrow(
      'migration 0002_second.sql failed: division by zero',
    )
    const { rows } = await pool(ownerUrl).query<{ name: string }>(
      `select relname as name from pg_class where relname in ('first', 'second')`,
    )
    expect(rows).toEqual([{ name: 'first' }])
  })

  test('M2: a changed, missing or wrongly named file stops the start with one line', async () => {
    const { ownerUrl, secret } = await database('empty')
    const run = async (files: Readonly<Record<string, string>>): Promise<unknown> =>
      migrate({ ownerUrl, secret, notice: () => undefined, directory: await directoryOf(files) })
    await run({ '0001_a.sql': 'select 1', '0003_c.sql': 'select 3' })
    await expect(run({ '0001_a.sql': 'select 2', '0003_c.sql': 'select 3' })).rejects.toThrow(
      '0001_a.sql was changed after it was applied',
    )
    await expect(run({ '0003_c.sql': 'select 3' })).rejects.toThrow(
      '0001_a.sql was applied to this database but is not in this version',
    )
    await expect(run({ 'notes.sql': '' })).rejects.toThrow('name it NNNN_words.sql')
    await expect(run({ '0001_a.sql': 'select 1', '0001_b.sql': '' })).rejects.toThrow('the number 0001 is taken')
  })

  test('M2: a file whose number is below one that is applied is applied too, once', async () => {
    const { ownerUrl, secret } = await database('empty')
    const table = (name: string): string => `create table public.${name} (id int)`
    const run = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> =>
      (await migrate({ ownerUrl, secret, notice: () => undefined, directory: await directoryOf(files) })).applied
    const before = { '0001_a.sql': table('a'), '0070_d.sql': table('d') }
    expect(await run(before)).toEqual(['0001_a.sql', '0070_d.sql'])
    const after = { ...before, '0014_b.sql': table('b'), '0071_c.sql': table('c') }
    expect(await run(after)).toEqual(['0014_b.sql', '0071_c.sql'])
    expect(await run(after)).toEqual([])
  })

  test('M3: the roles log in with passwords that follow from the secret', async () => {
    const { urls, ownerUrl } = await database('migrated')
    for (const role of databaseRoles) {
      const { rows } = await pool(urls[role]).query<{ name: string }>('select session_user as name')
      expect(rows).toEqual([{ name: `lifecycle_${role}` }])
      await expect(pool(roleUrls(ownerUrl, 'another secret')[role]).query('select 1')).rejects.toThrow(
        'password authentication failed',
      )
    }
  })
})

test('an owner that may not create roles is told what it lacks', async () => {
  const { superuserUrl, ownerUrl } = await database('empty')
  const name = `scratch_owner_${process.pid}`
  const superuser = pool(superuserUrl)
  await superuser.query(`create role ${name} login password 'x'`)
  closing.push(() => pool(superuserUrl).query(`drop role ${name}`))
  const url = new URL(ownerUrl)
  url.username = name
  url.password = 'x'
  // With another secret the roles, which the server has, would need other passwords.
  await expect(migrate({ ownerUrl: url.toString(), secret: 'another', notice: () => undefined })).rejects.toThrow(
    'the owner of the database may not change the role lifecycle_auth: give it CREATEROLE',
  )
})

describe('checkRole', () => {
  test('takes each role as itself, and no other', async () => {
    const { urls, ownerUrl, superuserUrl } = await database('migrated')
    for (const role of databaseRoles) {
      await checkRole(pool(urls[role]), role)
      const other: DatabaseRole = role === 'api' ? 'sink' : 'api'
      await expect(checkRole(pool(urls[other]), role)).rejects.toThrow(
        `database role lifecycle_${other} is another role: the ${role} role must connect as lifecycle_${role}`,
      )
    }
    await expect(checkRole(pool(ownerUrl), 'api')).rejects.toThrow('database role lifecycle_owner owns tables')
    await expect(checkRole(pool(superuserUrl), 'api')).rejects.toThrow('database role postgres is a superuser')
  })

  // Roles belong to the server that all tests share, so these make a role of their own and look through its eyes.
  test.each([
    ['bypassrls', 'has BYPASSRLS'],
    ['in role lifecycle_auth', 'is a member of another role'],
  ])('refuses a role made with %s', async (option, says) => {
    const { superuserUrl, ownerUrl } = await database('migrated')
    const name = `scratch_role_${process.pid}_${option.slice(0, 2)}`
    const superuser = pool(superuserUrl)
    await superuser.query(`create role ${name} login ${option} password 'x'`)
    closing.push(() => pool(superuserUrl).query(`drop role ${name}`))
    const url = new URL(ownerUrl)
    url.username = name
    url.password = 'x'
    await expect(checkRole(pool(url.toString()), 'api')).rejects.toThrow(`database role ${name} ${says}`)
  })
})
