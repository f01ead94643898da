/** Identity, staff and the query API over one real database, behind a real server: two client tenants, and our people. */

import { randomBytes } from 'node:crypto'
import {
  agentEndpoints,
  createStaff,
  identityEndpoints,
  operator,
  queryDefaults,
  queryEndpoints,
} from '../../../api/index.ts'
import type { Ingest, Staff } from '../../../api/index.ts'
import { openKeyRing } from '../../../connectors/keys/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { openWorld as openIdentity, password } from '../auth/world.ts'
import type { World as IdentityWorld } from '../auth/world.ts'
import { call, serve, systemClock } from '../http/world.ts'
import type { TestServer } from '../http/world.ts'

export type Called = Awaited<ReturnType<typeof call>>

export interface Client {
  readonly tenantId: string
  readonly organizationId: string
  readonly email: string
}

export interface Person {
  readonly userId: string
  readonly token: string
}

export interface World extends AsyncDisposable {
  readonly identity: IdentityWorld
  readonly staff: Staff
  readonly server: TestServer
  /** As the role `api`, which reads for others. */
  readonly api: Pool
  readonly commands: unknown[]
  client(email: string): Promise<Client>
  /** By an operator, logged in over HTTP. */
  agent(name: string, team: string, role?: 'agent' | 'supervisor'): Promise<Person>
  login(email: string, secret?: string): Promise<Called>
  get(path: string, as: Person): Promise<Called>
  post(path: string, as: Person, body?: unknown): Promise<Called>
  del(path: string, as: Person): Promise<Called>
}

export async function openWorld(): Promise<World> {
  const identity = await openIdentity()
  const clock = { now: () => identity.time.now, after: () => () => undefined }
  const random = { bytes: (length: number) => randomBytes(length) }
  const hashing = { cost: 4, concurrency: 2, queue: 64, longestWaitMs: 60_000 }
  const keys = openKeyRing({ pool: identity.auth, masterSecret: 'test', clock })
  const staff = createStaff({ pool: identity.auth, clock, random, hashing, keys })
  const api = openPool(identity.urls.api, { applicationName: 'test', max: 4 })
  const commands: unknown[] = []
  const ingest: Ingest = {
    submit: () => Promise.reject(new Error('not used')),
    command: async (command) => {
      commands.push(command)
      return { eventIds: ['e0000000-0000-4000-8000-000000000000'], positions: ['review_events-1@7'] }
    },
    sweep: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const query = queryEndpoints({
    pool: api,
    waitVisible: () => Promise.resolve(true),
    clock: systemClock,
    time: () => identity.time.now,
    readEvent: () => Promise.resolve(null),
    ingest,
    settings: { ...queryDefaults, cursorSecret: Buffer.alloc(32, 7) },
  })
  const endpoints = [...identityEndpoints(identity.identity), ...agentEndpoints(staff), ...query]
  const authenticate = (token: string) => identity.identity.authenticate(token)
  const server = await serve(endpoints, {}, { authenticate })
  const url = (path: string): string => `${server.url}/api/v1${path}`

  const world: World = {
    ...{ identity, staff, server, api, commands },
    async client(email) {
      const { tenantId, organizationId } = await identity.join(email, email)
      await identity.owner.query(
        `insert into lifecycle.organizations (tenant_id, organization_id, company_name, status, owner_user_id, created_at,
           src_topic, src_part, src_offset, changed_at)
         values ($1, $2, $3, 'active', $1, to_timestamp(0), 'auth_events', 0, 1, to_timestamp(0))`,
        [tenantId, organizationId, email],
      )
      return { tenantId, organizationId, email }
    },
    async agent(name, team, role = 'agent') {
      const email = `${name.toLowerCase()}@house.example`
      const made = await staff.hire(operator, {
        email,
        first_name: name,
        last_name: 'Hill',
        role,
        team: { name: team },
      })
      const { body } = await world.login(email, made.initial_password)
      return { userId: made.user_id, token: String(body.access_token) }
    },
    login: (email, secret = password) => call(url('/auth/login'), { body: { email, password: secret } }),
    get: (path, { token }) => call(url(path), { token }),
    post: (path, { token }, body) => call(url(path), { method: 'POST', token, body }),
    del: (path, { token }) => call(url(path), { method: 'DELETE', token }),
    async [Symbol.asyncDispose]() {
      await server.close()
      await api.end()
      await identity[Symbol.asyncDispose]()
    },
  }
  return world
}

export const statusAndCode = ({ status, body }: Called): string =>
  `${status}${body?.code === undefined ? '' : ` ${String(body.code)}`}`
