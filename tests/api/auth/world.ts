/** A real database, a hand-turned clock, and identity over them; what a test of identity needs and no more. */

import { randomBytes } from 'node:crypto'
import { codeReader } from '../../../api/auth/index.ts'
import { createIdentity, identitySettings } from '../../../api/auth/index.ts'
import type { CodeToSend, Identity, IdentityLimits } from '../../../api/auth/index.ts'
import { openKeyRing } from '../../../connectors/keys/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import type { AnyEvent } from '../../../schemas/index.ts'

export const password = 'correct horse battery'
export const minuteMs = 60_000

export interface World extends AsyncDisposable {
  readonly identity: Identity
  readonly time: { now: number }
  /** As the owner, who sees everything. */
  readonly owner: Pool
  /** As the role `auth`, which identity itself uses. */
  readonly auth: Pool
  readonly urls: Readonly<Record<'auth' | 'relay' | 'sink' | 'effects' | 'api', string>>
  nudges: number
  /** A second instance over the same database: another process. */
  another(limits?: Partial<IdentityLimits>): Identity
  /** Events in the outbox, oldest first; of one organization when it is given. */
  events(organizationId?: string): Promise<AnyEvent[]>
  readCode(codeRef: string): Promise<CodeToSend | null>
  /** The code that was last mailed to an address, of its sign-up unless told. */
  codeOf(email: string, purpose?: 'verify_email' | 'reset_password' | 'invitation'): Promise<string>
  count(table: string): Promise<number>
  /** Signs up and verifies. */
  join(email: string, companyName?: string): Promise<{ userId: string; organizationId: string; tenantId: string }>
}

export const application = (email: string, more: Record<string, string> = {}) => ({
  email,
  password,
  company_name: 'Acme',
  first_name: 'Ada',
  last_name: 'Byron',
  ...more,
})

export async function openWorld(limits: Partial<IdentityLimits> = {}): Promise<World> {
  const database = await scratchDatabase()
  const pools = {
    owner: openPool(database.ownerUrl, { applicationName: 'test', max: 2 }),
    auth: openPool(database.urls.auth, { applicationName: 'test', max: 8 }),
    effects: openPool(database.urls.effects, { applicationName: 'test', max: 2 }),
  }
  const time = { now: 1_767_225_600_000 }
  const clock = { now: () => time.now, after: () => () => undefined }
  const random = { bytes: (length: number) => randomBytes(length) }
  const secrets = {
    tokenKeys: [{ kid: 'k1', secret: randomBytes(32) }],
    codeSecret: randomBytes(32),
    pepper: randomBytes(32),
  }
  const keys = openKeyRing({ pool: pools.auth, masterSecret: 'test', clock })
  const hashing = { cost: 4, concurrency: 2, queue: 64, longestWaitMs: 60_000 }
  const open = (more: Partial<IdentityLimits> = {}): Identity =>
    createIdentity({
      pool: pools.auth,
      clock,
      random,
      keys,
      settings: identitySettings(secrets, { hashing, ...limits, ...more }),
      nudge: () => world.nudges++,
    })
  const readCode = codeReader(pools.effects, secrets.codeSecret)

  const world: World = {
    identity: open(),
    time,
    owner: pools.owner,
    auth: pools.auth,
    urls: database.urls,
    nudges: 0,
    another: open,
    readCode,
    async events(organizationId) {
      const { rows } = await pools.owner.query<{ event: AnyEvent }>('select event from auth.outbox order by id')
      const all = rows.map(({ event }) => event)
      return organizationId === undefined ? all : all.filter((event) => event.organization_id === organizationId)
    },
    async codeOf(email, purpose = 'verify_email') {
      const { rows } = await pools.owner.query<{ code_ref: string }>(
        'select code_ref from auth.codes where recipient = $1 and purpose = $2',
        [email, purpose],
      )
      return (await readCode(rows[0]!.code_ref))!.code
    },
    async count(table) {
      const { rows } = await pools.owner.query<{ n: number }>(`select count(*)::int as n from ${table}`)
      return rows[0]!.n
    },
    async join(email, companyName = 'Acme') {
      const { userId } = await world.identity.signup(application(email, { company_name: companyName }))
      const { organizationId } = await world.identity.verifyEmail({ email, code: await world.codeOf(email) })
      const { rows } = await pools.owner.query<{ tenant_id: string }>(
        'select tenant_id from auth.users where user_id = $1',
        [userId],
      )
      return { userId, organizationId, tenantId: rows[0]!.tenant_id }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()))
      await database.drop()
    },
  }
  return world
}

/** The types of events, in order. */
export const typesOf = (events: readonly AnyEvent[]): string[] => events.map(({ event_type }) => event_type)

/** What a promise was refused with: status and code. */
export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    const { status, code, headers } = error as { status?: number; code?: string; headers?: Record<string, string> }
    if (status === undefined) throw error
    return headers?.['Retry-After'] === undefined ? [status, code] : [status, code, Number(headers['Retry-After'])]
  }
  return 'not refused'
}
