/**
 * How every read runs. Invariants:
 *
 * Q1 One READ ONLY transaction as the api role, which sees the asker's tenants and no others (row-level security).
 * Q2 An id of another tenant is an id that does not exist: the same 404, by the same statement.
 * Q3 A read waits for its `min_position` first, within a bound, and says so when that did not come.
 * Q4 Bounded: statements by the pool's time limit, tenants by their turns (at the database, and at waiting for a
 *    position), pages by their limit.
 */

import type { Pool, PoolClient, Viewer } from '../../connectors/postgres/index.ts'
import { readOnly, sqlState } from '../../connectors/postgres/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { Principal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Cursors, Place } from './cursor.ts'
import { cursors } from './cursor.ts'
import type { ListQuery, ReadQuery } from './parameters.ts'
import { isUuid } from './parameters.ts'
import type { QuerySettings } from './settings.ts'
import { turns } from './turns.ts'

/** Whether everything up to a position is visible in a projection; resolves false when it is not in time. */
export type WaitVisible = (position: string, projection: string, timeoutMs: number) => Promise<boolean>

export interface ReaderOptions {
  /** Connected as role `api`, opened with a statement time limit of 2 s. */
  readonly pool: Pool
  readonly waitVisible: WaitVisible
  /** Real time. */
  readonly clock: Clock
  readonly settings: QuerySettings
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly next_cursor: string | null
}

/** A page of a list: rows after `place`, one more than the limit asked for, and where each row stands. */
export interface PageRequest<T> {
  /** Names the list, for its cursors. */
  readonly list: string
  /** Filters; a cursor is good under the same ones only. */
  readonly filters?: Readonly<Record<string, string | undefined>>
  fetch(client: PoolClient, after: Place | null, limit: number): Promise<readonly T[]>
  placeOf(row: T): Place
}

export interface Reader {
  /** `projections` are the tables' names in sinks/. @throws ApiProblem */
  read<T>(
    principal: Principal,
    query: ReadQuery,
    projections: readonly string[],
    work: (client: PoolClient) => Promise<T>,
  ): Promise<T>
  page<T>(
    principal: Principal,
    query: ListQuery,
    projections: readonly string[],
    request: PageRequest<T>,
  ): Promise<Page<T>>
}

export function createReader({ pool, waitVisible, clock, settings }: ReaderOptions): Reader {
  const line = turns(settings.readsPerTenant, settings.waitingPerTenant)
  const waits = turns(settings.visibleWaitsPerTenant, settings.waitingPerTenant)
  const signer: Cursors = cursors(settings.cursorSecret, settings.cursorMs, clock)

  /** Q3. */
  async function awaitPositions(positions: readonly string[], projections: readonly string[]): Promise<void> {
    const seen = positions.flatMap((position) =>
      projections.map((projection) => waitVisible(position, projection, settings.visibleWaitMs)),
    )
    if ((await Promise.all(seen)).every(Boolean)) return
    throw new ApiProblem(504, 'not_yet_visible', 'What you wait for is written, but not yet visible here.', {
      headers: { 'Retry-After': '1' },
    })
  }

  async function read<T>(
    principal: Principal,
    query: ReadQuery,
    projections: readonly string[],
    work: (client: PoolClient) => Promise<T>,
  ): Promise<T> {
    const viewer = viewerOf(principal)
    const who = viewer.tenantId ?? viewer.userId
    const { min_position: positions } = query
    if (positions !== undefined) await waits.take(who, () => awaitPositions(positions, projections))
    try {
      return await line.take(who, () => readOnly(pool, viewer, work))
    } catch (error) {
      throw inWords(error)
    }
  }

  return {
    read,
    async page(principal, query, projections, { list, filters = {}, fetch, placeOf }) {
      const scope = [
        principal.tenantId,
        viewerOf(principal).userId,
        list,
        JSON.stringify(Object.entries(filters).sort()),
      ]
      const after = query.cursor === undefined ? null : signer.open(scope, query.cursor)
      const rows = await read(principal, query, projections, (client) => fetch(client, after, query.limit + 1))
      const items = rows.slice(0, query.limit)
      const last = items.at(-1)
      const more = rows.length > query.limit && last !== undefined
      return { items, next_cursor: more ? signer.sign(scope, placeOf(last)) : null }
    },
  }
}

/** An API key sees what its tenant sees. */
export function viewerOf(principal: Principal): Viewer {
  if (principal.kind === 'api_key') return { tenantId: principal.tenantId, userId: principal.keyId, userType: 'client' }
  const { userType, tenantId, userId } = principal
  return { tenantId: userType === 'agent' ? null : tenantId, userId, userType }
}

/** 57014: over the time limit. 25006: something behind a read tried to write, which is our bug but not the caller's way in. */
function inWords(error: unknown): unknown {
  const state = sqlState(error)
  if (state === '57014')
    return new ApiProblem(503, 'too_expensive', 'This took too long; ask for less.', {
      headers: { 'Retry-After': '1' },
    })
  if (state === '25006')
    return new ApiProblem(405, 'read_only', 'Reads do not write.', { headers: { Allow: 'GET, HEAD' } })
  if (
    state?.startsWith('08') === true ||
    state?.startsWith('57P') === true ||
    state === '53300' ||
    isUnreachable(error)
  )
    return new ApiProblem(503, 'database_unavailable', 'The database is away; try again.', {
      headers: { 'Retry-After': '1' },
    })
  return error
}

/** No server answered: a refused or lost connection, or none free in time. */
function isUnreachable(error: unknown): boolean {
  if (sqlState(error) !== null || !(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  return code?.startsWith('E') === true || /connection|timeout/i.test(error.message)
}

/** Q2. */
export const notFound = (): ApiProblem => new ApiProblem(404, 'not_found', 'There is no such thing.')

/** The organization, as the asker may see it. @throws ApiProblem 404 */
export async function visibleOrganization(client: PoolClient, id: string): Promise<OrganizationRow> {
  // A text that is no UUID asks the same question and gets the same answer, in the same time.
  const { rows } = await client.query<OrganizationRow>(
    `select tenant_id, organization_id, company_name, domain, industry, plan_hint, status, suspended_reason, owner_user_id, created_at
     from lifecycle.organizations where organization_id = $1`,
    [isUuid(id) ? id : '00000000-0000-0000-0000-000000000000'],
  )
  const row = rows[0]
  if (row === undefined) throw notFound()
  return row
}

export interface OrganizationRow {
  readonly tenant_id: string
  readonly organization_id: string
  readonly company_name: string | null
  readonly domain: string | null
  readonly industry: string | null
  readonly plan_hint: string | null
  readonly status: string | null
  readonly suspended_reason: string | null
  readonly owner_user_id: string | null
  readonly created_at: Date | null
}
