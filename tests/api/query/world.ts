/** The query API over a real database with rows of two tenants, behind a real server. */

import { queryDefaults, queryEndpoints } from '../../../api/index.ts'
import type { Endpoint, Ingest, QueryOptions, QuerySettings, UserPrincipal, WaitVisible } from '../../../api/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import type { TestServer } from '../http/world.ts'
import {
  call,
  organizationOf,
  person,
  principalOf,
  serve,
  systemClock,
  tenantA,
  tenantB,
  tokenOf,
  unauthorized,
} from '../http/world.ts'

export const now = Date.parse('2026-01-15T12:00:00Z')
const at = (minutes: number): string => new Date(now + minutes * 60_000).toISOString()

export interface World extends AsyncDisposable {
  readonly server: TestServer
  readonly endpoints: readonly Endpoint[]
  readonly owner: Pool
  readonly commands: unknown[]
  /** Users whose tokens are no good any more. */
  readonly removed: Set<string>
  /** What `waitVisible` answers, and what it was asked. */
  readonly visible: { answer: boolean; asked: string[] }
  get(path: string, as?: UserPrincipal): ReturnType<typeof call>
  post(path: string, body: unknown, as?: UserPrincipal): ReturnType<typeof call>
  insert(table: string, row: Readonly<Record<string, unknown>>): Promise<void>
}

export const ownerA = person(tenantA)
export const ownerB = person(tenantB)

export async function openWorld(
  options: {
    settings?: Partial<QuerySettings>
    more?: Partial<QueryOptions>
    statementTimeoutMs?: number
    poolMax?: number
  } = {},
): Promise<World> {
  const database = await scratchDatabase()
  const owner = openPool(database.ownerUrl, { applicationName: 'test', max: 2 })
  const pool = openPool(database.urls.api, {
    applicationName: 'test',
    max: options.poolMax ?? 8,
    statementTimeoutMs: options.statementTimeoutMs ?? 2_000,
  })
  const visible: World['visible'] = { answer: true, asked: [] }
  const commands: unknown[] = []
  const waitVisible: WaitVisible = async (position, projection, timeoutMs) => {
    visible.asked.push(`${position} in ${projection} within ${String(timeoutMs)}`)
    return visible.answer
  }
  const ingest: Ingest = {
    submit: () => Promise.reject(new Error('not used')),
    command: async (command, key) => {
      commands.push({ ...command, key })
      return { eventIds: ['e0000000-0000-4000-8000-000000000000'], positions: ['review_events-1@7'] }
    },
    sweep: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const settings = { ...queryDefaults, cursorSecret: Buffer.alloc(32, 7), ...options.settings }
  const endpoints = queryEndpoints({
    pool,
    waitVisible,
    clock: systemClock,
    time: () => now,
    ingest,
    settings,
    readEvent: () => Promise.resolve(null),
    ...options.more,
  })
  const removed = new Set<string>()
  const server = await serve(
    endpoints,
    {},
    {
      authenticate: async (token) => {
        const principal = principalOf(token)
        if (removed.has(principal.userId)) throw unauthorized()
        return principal
      },
    },
  )
  const api = `${server.url}/api/v1`
  return {
    server,
    endpoints,
    owner,
    commands,
    removed,
    visible,
    get: (path, as = ownerA) => call(api + path, { token: tokenOf(as) }),
    post: (path, body, as = ownerA) => call(api + path, { method: 'POST', token: tokenOf(as), body }),
    insert: (table, row) => insert(owner, table, row),
    async [Symbol.asyncDispose]() {
      await server.close()
      await Promise.all([owner.end(), pool.end()])
      await database.drop()
    },
  }
}

/** The sink's columns are added. */
async function insert(owner: Pool, table: string, row: Readonly<Record<string, unknown>>): Promise<void> {
  const whole: Record<string, unknown> =
    table === 'sink_offsets'
      ? row
      : { src_topic: 'research_events', src_part: 0, src_offset: 10, changed_at: at(0), ...row }
  const names = Object.keys(whole)
  const values = Object.values(whole).map((value) =>
    typeof value === 'object' && value !== null ? JSON.stringify(value) : value,
  )
  const marks = names.map((_, index) => `$${String(index + 1)}`)
  await owner.query(`insert into lifecycle.${table} (${names.join(', ')}) values (${marks.join(', ')})`, values)
}

/** Everything a researched organization has; `mark` occurs in every text of it. */
export const documentOf = (tenantId: string): string => `${tenantId.slice(0, -3)}300`
export const fileOf = (tenantId: string, name: string) => ({
  ...{ bucket: 'b', key: `tenants/${tenantId}/${name}.pdf`, version_id: 'v', sha256: 'aa55', bytes: 4 },
})

export async function fill(world: World, tenant_id: string, mark: string): Promise<void> {
  const organization_id = organizationOf(tenant_id)
  const place = { tenant_id, organization_id }
  const research_session_id = `session-${mark}`
  await world.insert('organizations', {
    ...place,
    company_name: `Company ${mark}`,
    domain: `${mark}.example`,
    status: 'active',
    owner_user_id: tenant_id,
    created_at: at(-60),
  })
  await world.insert('research_sessions', {
    ...place,
    research_session_id,
    status: 'completed',
    plan: ['company_info'],
    started_at: at(-30),
    ended_at: at(-20),
    findings_count: 1,
    competitors_count: 3,
    min_confidence: 0.7,
    cost_microdollars: 41_000,
  })
  await world.insert('research_findings', {
    ...place,
    finding_id: `finding-${mark}`,
    research_session_id,
    finding_type: 'company_info',
    data: { employees: 120 },
    confidence_score: 0.82,
    finding_source: 'perplexity',
    citations: [{ title: `About ${mark}`, url: 'https://x.example', date: null }],
    recorded_at: at(-25),
  })
  await world.insert('enrichment_data', {
    ...place,
    finding_type: 'company_info',
    field: 'employees',
    value: 120,
    confidence_score: 0.82,
    finding_source: 'perplexity',
    finding_id: `finding-${mark}`,
    found_at: at(-25),
  })
  for (const n of [1, 2, 3])
    await world.insert('research_competitors', {
      ...place,
      competitor_key: `rival${String(n)}`,
      name: `Rival ${String(n)} ${mark}`,
      confidence_score: 0.5 + n / 10,
      identified_at: at(-25),
    })
  const document = { ...place, document_id: documentOf(tenant_id), document_type: 'contract', currency: 'USD' }
  await world.insert('documents', {
    ...document,
    ...{ version: 2, status: 'sent', amount: 200, list_amount: 250, quantity: 4, generated_at: at(-9) },
    ...{ approved_by: mark, envelope_id: `envelope-${mark}`, sent_at: at(-8), expires_at: at(900) },
  })
  for (const version of [1, 2])
    await world.insert('document_versions', {
      ...document,
      ...{ version, template_version: 1, amount: 100 * version, generated_at: at(version - 11) },
      ref: fileOf(tenant_id, `v${String(version)}`),
      signed_ref: version === 1 ? fileOf(tenant_id, 'v1-signed') : null,
    })
  await world.insert('lifecycle_instances', {
    ...place,
    lifecycle_id: organization_id,
    template: 'standard',
    template_version: 1,
    stage: 'demo',
    stage_reason: mark,
    status: 'running',
    started_at: at(-59),
  })
  await world.insert('lifecycle_steps', {
    ...place,
    step: 'research',
    status: 'completed',
    started_at: at(-58),
    deadline: at(-53),
    ended_at: at(-57),
    ms: 60_000,
  })
  await world.insert('review_queue', reviewRow(tenant_id, `review-${mark}`, 'high', -5, { reason: mark }))
  const demo = { ...place, demo_id: `demo-${mark}` }
  const ref = { bucket: 'b', key: mark, version_id: 'v', sha256: 's', bytes: 1 }
  await world.insert('demos', {
    ...demo,
    status: 'published',
    version: 2,
    url: `https://x.example/d/${mark}`,
    qr_ref: ref,
    published_at: at(-10),
    expires_at: at(10_000),
  })
  for (const [version, minutes] of [
    [1, -40 * 24 * 60],
    [2, -10],
  ] as const)
    await world.insert('demo_versions', {
      ...demo,
      version,
      research_session_id,
      page_ref: ref,
      personalization: { headline: mark },
      model: 'm',
      generated_at: at(minutes),
      published_at: at(minutes),
    })
  await world.insert('demo_engagement', {
    ...demo,
    score: 72,
    sessions: 2,
    viewers: 1,
    steps_completed: 3,
    dwell_ms: 94_000,
    cta_clicked: true,
    bots_ignored: 1,
    changed_score_at: at(-5),
  })
  await world.insert('demo_engaged', { ...demo, score: 72, sessions: 2, engaged_at: at(-5) })
  await world.insert('demo_chat_messages', {
    ...demo,
    session_id: 's1',
    message_id: 'm1',
    role: 'visitor',
    excerpt: `Does it work, ${mark}?`,
    finding_ids: [],
    said_at: at(-6),
  })
  await world.insert('client_milestones', { ...place, step: 'nda', reached_at: at(-4), ms: 60_000 })
  await world.insert('audit_logs', {
    ...place,
    event_id: `audit-${mark}`,
    event_type: 'login_succeeded',
    occurred_at: at(-1),
    actor_type: 'user',
    actor_id: mark,
    detail: { mark },
  })
}

export const reviewRow = (
  tenant_id: string,
  review_id: string,
  risk: string,
  dueInMinutes: number,
  more: object = {},
) => ({
  tenant_id,
  organization_id: organizationOf(tenant_id),
  review_id,
  status: 'open',
  subject_type: 'document',
  subject_ref: 's1',
  reason: 'why',
  risk,
  proposed_action: {},
  options: ['approve', 'reject', 'edit'],
  requester: 'documents',
  requested_at: at(-120),
  due_at: at(dueInMinutes),
  ...more,
})
