import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import pg from 'pg'
import type { ResolveOwner } from '../../../connectors/owners/index.ts'
import { ownerReader } from '../../../connectors/owners/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'

const a = { tenantId: '0a000000-0000-4000-8000-00000000000a', organizationId: '0a000000-0000-4000-8000-0000000000a0' }
const b = { tenantId: '0b000000-0000-4000-8000-00000000000b', organizationId: '0b000000-0000-4000-8000-0000000000b0' }

interface Person {
  readonly email: string
  readonly role?: 'owner' | 'admin'
  readonly signedUp?: string
  readonly verified?: boolean
  readonly removed?: boolean
  readonly name?: readonly [string, string]
}

let database: ScratchDatabase
let owner: pg.Client
let effects: Pool
let api: Pool
let ownerOf: ResolveOwner

beforeAll(async () => {
  database = await scratchDatabase()
  owner = new pg.Client({ connectionString: database.ownerUrl })
  await owner.connect()
  effects = openPool(database.urls.effects, { applicationName: 'test-effects' })
  api = openPool(database.urls.api, { applicationName: 'test-api' })
  ownerOf = ownerReader(effects)
})
beforeEach(() => owner.query('truncate auth.users, auth.organizations cascade'))
afterAll(async () => {
  await Promise.all([owner.end(), effects.end(), api.end()])
  await database.drop()
})

/** The first of them is who signed the organization up. */
async function people(of: typeof a, ...everyone: readonly Person[]): Promise<void> {
  const values = everyone.map(
    ({ email, role = 'owner', signedUp = '2026-01-01', verified = true, removed = false, name = ['A', 'B'] }) => ({
      email,
      role,
      at: signedUp,
      verified_at: verified ? signedUp : null,
      removed_at: removed ? '2026-02-01' : null,
      first: name[0],
      last: name[1],
    }),
  )
  await owner.query(
    `with u as (
       insert into auth.users (user_id, email, password_hash, first_name, last_name, tenant_id, organization_id, user_type,
         role, signed_up_at, verified_at, joined_at, removed_at)
       select gen_random_uuid(), email, '', first, last, $1, $2, 'client', role, at, verified_at, verified_at, removed_at
       from jsonb_to_recordset($3) as p (email text, role text, at timestamptz, verified_at timestamptz,
         removed_at timestamptz, first text, last text)
       returning user_id)
     insert into auth.organizations (organization_id, tenant_id, company_name, email_host, domain, status, owner_user_id, created_at)
     select $2, $1, 'Company', $4, $4, 'active', user_id, '2026-01-01' from u limit 1`,
    [of.tenantId, of.organizationId, JSON.stringify(values), `${of.tenantId}.example`],
  )
}

test('an organization is asked for by its tenant too, and answers its own owner', async () => {
  await people(a, { email: 'ada@a.example', name: ['Ada', 'Byron'] })
  await people(b, { email: 'bob@b.example', name: ['Bob', ''] })
  expect(await ownerOf(a.tenantId, a.organizationId)).toEqual({ name: 'Ada Byron', email: 'ada@a.example' })
  expect(await ownerOf(b.tenantId, b.organizationId)).toEqual({ name: 'Bob', email: 'bob@b.example' })
  expect(await ownerOf(a.tenantId, b.organizationId)).toBeNull()
  expect(await ownerOf(b.tenantId, a.organizationId)).toBeNull()
})

test('of several owners it is the one who came first, whoever of them was removed', async () => {
  await people(
    a,
    { email: 'third@a.example', signedUp: '2026-01-03' },
    { email: 'first@a.example', signedUp: '2026-01-01', removed: true },
    { email: 'second@a.example', signedUp: '2026-01-02' },
  )
  expect(await ownerOf(a.tenantId, a.organizationId)).toMatchObject({ email: 'second@a.example' })
})

test.each<[string, Person]>([
  ['has not verified the address', { email: 'new@a.example', verified: false }],
  ['was removed', { email: 'gone@a.example', removed: true }],
  ['is no owner', { email: 'admin@a.example', role: 'admin' }],
])('there is nobody to ask when the only person %s', async (_, person) => {
  await people(a, person)
  expect(await ownerOf(a.tenantId, a.organizationId)).toBeNull()
})

test('an id that is none is nobody, and not an error of the database', async () => {
  expect(await ownerOf('house', a.organizationId)).toBeNull()
  expect(await ownerOf(a.tenantId, '')).toBeNull()
})

test('what the database refuses is thrown', async () => {
  await expect(ownerReader(api)(a.tenantId, a.organizationId)).rejects.toThrow('permission denied')
})
