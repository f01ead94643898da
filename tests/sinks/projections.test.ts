/** What each projection makes of its events. Every scenario runs for two tenants with equal ids. */

import { describe, expect, test } from 'vitest'
import type { AnyEvent } from '../../schemas/index.ts'
import {
  authEvents,
  billingEvents,
  clientEvents,
  demoEvents,
  documentEvents,
  erased,
  researchEvents,
  reviewEvents,
} from '../../schemas/index.ts'
import type { AnyProjection, Table } from '../../sinks/index.ts'
import { MemoryTables, projections, resourceProjections } from '../../sinks/index.ts'
import { auditLogs, auditLogsTable } from '../../sinks/projections/audit-logs.ts'
import { documents, documentsTable, documentVersionsTable } from '../../sinks/projections/documents.ts'
import { dunning, dunningTable } from '../../sinks/projections/dunning.ts'
import { clientMilestones, clientMilestonesTable } from '../../sinks/projections/client-milestones.ts'
import {
  demoChatMessagesTable,
  demoEngagedTable,
  demoEngagementTable,
  demos,
  demosTable,
  demoVersionsTable,
} from '../../sinks/projections/demos.ts'
import { enrichmentData, enrichmentDataTable } from '../../sinks/projections/enrichment-data.ts'
import { invoices, invoicesTable, refundsTable } from '../../sinks/projections/invoices.ts'
import {
  lifecycleInstances,
  lifecycleInstancesTable,
  lifecycleStepsTable,
} from '../../sinks/projections/lifecycle-instances.ts'
import { mrr, mrrPointsTable } from '../../sinks/projections/mrr.ts'
import { organizations, organizationsTable } from '../../sinks/projections/organizations.ts'
import {
  researchCompetitorsTable,
  researchFindings,
  researchFindingsTable,
} from '../../sinks/projections/research-findings.ts'
import { researchSessions, researchSessionsTable } from '../../sinks/projections/research-sessions.ts'
import { reviewQueue, reviewQueueTable } from '../../sinks/projections/review-queue.ts'
import { subscriptions, subscriptionsTable } from '../../sinks/projections/subscriptions.ts'
import { teamMemberships, teamMembershipsTable } from '../../sinks/projections/team-memberships.ts'
import { checkedChange } from '../../sinks/row-check.ts'
import { eventOf, tenantA, tenantB, userId } from './sink-fixture.ts'

type Said = readonly [type: string, payload?: Readonly<Record<string, unknown>>]

/** The rows of a table after these events, said by both tenants in turn; asserts that the tenants' rows are alike. */
async function rowsAfter(
  projection: AnyProjection,
  table: Table,
  said: readonly Said[],
): Promise<readonly (Record<string, unknown> | null)[]> {
  const tables = new MemoryTables()
  const source = {
    sink: projection.name,
    topic: projection.reads.name,
    partition: 0,
    clusterId: 'c',
    topicId: 't',
    partitions: 1,
  }
  const claim = await tables.claim(source, 0n)
  let from = 0n
  for (const [n, [type, payload = {}]] of said.entries()) {
    for (const tenant of [tenantA, tenantB]) {
      const event = {
        ...eventOf(projection.reads, type, payload, { tenant, timestamp: 1000 + n }),
        event_id: `e${n}`,
        organization_id: userId(77),
      }
      const changes = projection
        .apply(event as never, { topic: source.topic, partition: 0, offset: from })
        .map(checkedChange)
      expect(
        projection.apply(event as never, { topic: source.topic, partition: 0, offset: from }).map(checkedChange),
      ).toEqual(changes)
      expect(changes.every((change) => projection.tables.includes(change.table))).toBe(true)
      await tables.commit({
        claim,
        from,
        next: from + 1n,
        changes: changes.map((change) => ({ ...change, offset: from, at: event.timestamp })),
      })
      from += 1n
    }
  }
  const of = (tenant: string): (Record<string, unknown> | null)[] =>
    tables
      .rows(table)
      .filter(({ key }) => key['tenant_id'] === tenant)
      .map(({ values }) => values)
  expect(of(tenantA)).toEqual(of(tenantB))
  return of(tenantA)
}

test('every event of a projected topic, as its example, gives rows that SQL can hold', async () => {
  for (const projection of projections) {
    const events = projection.reads.events as Readonly<
      Record<string, { readonly example: Readonly<Record<string, unknown>> }>
    >
    const fixed = { owner_user_id: userId(1), user_id: userId(2) }
    const said = Object.entries(events).map(([type, { example }]) => {
      const ids = Object.entries(fixed).filter(([name]) => name in example)
      return [type, Object.fromEntries(ids)] as const
    })
    for (const table of projection.tables) await rowsAfter(projection, table, said)
  }
})

describe('organizations', () => {
  const created: Said = ['organization_created', { owner_user_id: userId(1) }]
  test('created, updated with what is known, suspended', async () => {
    const rows = await rowsAfter(organizations, organizationsTable, [
      created,
      ['organization_updated', { changed: { industry: 'Freight', employees: 12, company_name: 7 } }],
      ['organization_suspended', { reason: 'payment_failed' }],
    ])
    expect(rows).toEqual([
      {
        company_name: 'Acme',
        domain: 'acme.example',
        industry: 'Freight',
        owner_user_id: userId(1),
        plan_hint: null,
        status: 'suspended',
        suspended_reason: 'payment_failed',
        created_at: 1000,
      },
    ])
  })
  test('deleted is a tombstone that a late update does not raise', async () => {
    expect(
      await rowsAfter(organizations, organizationsTable, [
        created,
        ['organization_deleted'],
        ['organization_updated', { changed: { industry: 'x' } }],
      ]),
    ).toEqual([null])
  })
})

test('team-memberships: the founder owns it; members come, change and go', async () => {
  const said: Said[] = [
    ['organization_created', { owner_user_id: userId(1) }],
    ['member_added', { user_id: userId(2), role: 'member' }],
    ['member_role_changed', { user_id: userId(2), old_role: 'member', new_role: 'admin' }],
    ['member_added', { user_id: userId(3), role: 'member' }],
    ['member_removed', { user_id: userId(3) }],
  ]
  expect(await rowsAfter(teamMemberships, teamMembershipsTable, said)).toEqual([
    { role: 'owner', joined_at: 1000 },
    { role: 'admin', joined_at: 1001 },
    null,
  ])
  expect(await rowsAfter(teamMemberships, teamMembershipsTable, [...said, ['organization_deleted']])).toEqual([
    null,
    null,
    null,
  ])
})

test('audit-logs: one row for each event, without personal fields', async () => {
  const rows = await rowsAfter(auditLogs, auditLogsTable, [
    ['signup_requested'],
    ['login_succeeded', { user_id: userId(1), ip_hash: 'abc' }],
    ['call_requested', { request: { to: 'ada@acme.example' } }],
  ])
  expect(
    rows.map((row) => [
      row?.['event_type'],
      row?.['occurred_at'],
      row?.['actor_type'],
      row?.['user_id'],
      row?.['ip_hash'],
    ]),
  ).toEqual([
    ['signup_requested', 1000, 'system', null, '5f2c'],
    ['login_succeeded', 1001, 'system', userId(1), 'abc'],
    ['call_requested', 1002, 'system', null, null],
  ])
  expect(rows[0]?.['detail']).toEqual({
    password_hash_ref: 'auth.users:u1',
    company_name: 'Acme',
    domain: 'acme.example',
    ip_hash: '5f2c',
  })
  expect(JSON.stringify(rows)).not.toMatch(/ada@|Ada|Byron/)
})

test('research-sessions: started, then completed or failed, with the figures of the events', async () => {
  const [completed] = await rowsAfter(researchSessions, researchSessionsTable, [
    ['research_started'],
    ['research_completed'],
    ['research_stale'],
  ])
  expect(completed).toEqual({
    organization_id: userId(77),
    status: 'completed',
    plan: ['company_info', 'competitor', 'pricing'],
    started_at: 1000,
    ended_at: 1001,
    findings_count: 5,
    competitors_count: 3,
    min_confidence: 0.64,
    cost_microdollars: 41_000,
    failure_reason: null,
    stale_at: 1002,
  })
  const [failed] = await rowsAfter(researchSessions, researchSessionsTable, [['research_started'], ['research_failed']])
  expect(failed).toMatchObject({ status: 'failed', ended_at: 1001, failure_reason: 'exhausted', findings_count: null })
})

test('research-findings: each finding as it was recorded, each competitor once', async () => {
  const said: Said[] = [
    ['finding_recorded'],
    ['finding_recorded', { finding_id: 'f2', finding_type: 'pricing', data: null, citations: [] }],
    ['competitor_identified', { name: 'Globex', confidence_score: 0.7 }],
    ['competitor_identified', { name: ' GLOBEX ', confidence_score: 0.9 }],
    ['competitor_identified', { name: 'Initech' }],
  ]
  const findings = await rowsAfter(researchFindings, researchFindingsTable, said)
  expect(findings.map((row) => [row?.['finding_type'], row?.['data'], row?.['recorded_at']])).toEqual([
    ['company_info', { employees: 120, founded: 2011 }, 1000],
    ['pricing', null, 1001],
  ])
  expect(findings[0]?.['citations']).toEqual([
    { title: 'About Acme', url: 'https://acme.example/about', date: '2026-01-01' },
  ])
  const competitors = await rowsAfter(researchFindings, researchCompetitorsTable, said)
  expect(competitors.map((row) => [row?.['name'], row?.['confidence_score']])).toEqual([
    [' GLOBEX ', 0.9],
    ['Initech', 0.7],
  ])
})

test('research-findings: a later record replaces the finding, and one a person withdrew is gone with its competitor', async () => {
  const globex = { finding_id: 'f2', finding_type: 'competitor', data: { name: 'Globex' } }
  const said: Said[] = [
    ['finding_recorded', { confidence_score: 0.4 }],
    ['finding_recorded', { confidence_score: 1, finding_source: 'human' }],
    ['finding_recorded', { ...globex, confidence_score: 0.4 }],
    ['competitor_identified', { name: 'Globex' }],
    ['competitor_identified', { name: 'Initech' }],
    ['finding_recorded', { ...globex, confidence_score: 0, finding_source: 'human' }],
  ]
  const findings = await rowsAfter(researchFindings, researchFindingsTable, said)
  expect(findings.map((row) => row?.['finding_source'] ?? 'gone')).toEqual(['human', 'gone'])
  const competitors = await rowsAfter(researchFindings, researchCompetitorsTable, said)
  expect(competitors.map((row) => row?.['name'] ?? 'gone').sort()).toEqual(['Initech', 'gone'])
})

describe('enrichment-data', () => {
  test('a value a person withdrew is gone; the next finding is taken', async () => {
    const rows = await rowsAfter(enrichmentData, enrichmentDataTable, [
      ['finding_recorded', { data: { employees: 100, city: 'Oslo' }, confidence_score: 0.8 }],
      ['finding_recorded', { data: { employees: 100, city: 'Oslo' }, confidence_score: 0, finding_source: 'human' }],
      ['finding_recorded', { data: { employees: 90 }, confidence_score: 0.5 }],
    ])
    expect(rows.map((row) => row?.['value'] ?? 'gone')).toEqual([90, 'gone'])
  })
  const finding = (
    finding_id: string,
    data: unknown,
    confidence_score: number,
    finding_source = 'perplexity',
  ): Said => ['finding_recorded', { finding_id, data, confidence_score, finding_source }]
  test('each field on its own, the surest value, the later of two as sure; a person is always sure', async () => {
    const rows = await rowsAfter(enrichmentData, enrichmentDataTable, [
      finding('e0', { employees: 100, founded: 2011, motto: null }, 0.8),
      finding('e1', { employees: 90, city: 'Oslo' }, 0.5),
      finding('e2', { founded: 2012 }, 0.8),
      finding('e3', { employees: 130 }, 1, 'human'),
      finding('e4', { employees: 95 }, 0.99),
    ])
    expect(
      rows.map((row) => [row?.['value'], row?.['confidence_score'], row?.['finding_source'], row?.['finding_id']]),
    ).toEqual([
      [130, 1, 'human', 'e3'],
      [2012, 0.8, 'perplexity', 'e2'],
      ['Oslo', 0.5, 'perplexity', 'e1'],
    ])
  })
  test('a competitor is one value under its name, however it came', async () => {
    const rows = await rowsAfter(enrichmentData, enrichmentDataTable, [
      [
        'finding_recorded',
        { finding_type: 'competitor', data: { name: 'Globex', url: 'https://globex.example' }, confidence_score: 0.6 },
      ],
      ['competitor_identified', { name: 'globex', confidence_score: 0.7 }],
      ['finding_recorded', { finding_type: 'tech_stack', data: ['node'], confidence_score: 0.6 }],
    ])
    expect(rows.map((row) => row?.['value'])).toEqual([
      { name: 'globex', url: 'https://globex.example', pricing: { starter: 49 } },
      ['node'],
    ])
  })
})

describe('lifecycle-instances', () => {
  const said: Said[] = [
    ['lifecycle_started'],
    ['step_started', { step: 'research', deadline: 5000 }],
    ['step_failed', { step: 'research', class: 'exhausted', attempt: 2 }],
    ['step_started', { step: 'research', deadline: 6000 }],
    ['step_completed', { step: 'research', ms: 42 }],
    ['stage_changed', { from: 'researching', to: 'demo', reason: 'research_completed' }],
    ['step_started', { step: 'demo', deadline: 9000 }],
  ]
  test('where it stands, and how each step went', async () => {
    expect(await rowsAfter(lifecycleInstances, lifecycleInstancesTable, said)).toMatchObject([
      {
        lifecycle_id: 'lifecycle-1',
        status: 'running',
        stage: 'demo',
        stage_at: 1005,
        current_step: 'demo',
        started_at: 1000,
        ended_at: null,
      },
    ])
    expect(await rowsAfter(lifecycleInstances, lifecycleStepsTable, said)).toEqual([
      {
        status: 'completed',
        started_at: 1003,
        deadline: 6000,
        ended_at: 1004,
        ms: 42,
        failure_class: null,
        failed_attempts: null,
      },
      {
        status: 'started',
        started_at: 1006,
        deadline: 9000,
        ended_at: null,
        ms: null,
        failure_class: null,
        failed_attempts: null,
      },
    ])
  })
  test('compensated and aborted; an erased client leaves tombstones', async () => {
    const aborted: Said[] = [
      ...said,
      ['compensation_started', { from_step: 'demo', reason: 'declined' }],
      ['compensation_requested', { step: 'research' }],
      ['compensation_step_failed', { step: 'research', class: 'retry' }],
      ['compensation_step_done', { step: 'research' }],
      ['lifecycle_aborted', { reason: 'declined', compensated: ['research'] }],
    ]
    expect(await rowsAfter(lifecycleInstances, lifecycleInstancesTable, aborted)).toMatchObject([
      { status: 'aborted', abort_reason: 'declined', compensated: ['research'], ended_at: 1011 },
    ])
    expect((await rowsAfter(lifecycleInstances, lifecycleStepsTable, aborted))[0]).toMatchObject({
      status: 'compensated',
      failure_class: 'retry',
    })
    const gone: Said[] = [...aborted, ['client_erased']]
    expect(await rowsAfter(lifecycleInstances, lifecycleInstancesTable, gone)).toEqual([null])
    expect(await rowsAfter(lifecycleInstances, lifecycleStepsTable, gone)).toEqual([null, null])
  })
})

describe('review-queue', () => {
  const requested: Said = ['review_requested', { proposed_action: { employees: 120 } }]
  test('requested, claimed, released, escalated, decided', async () => {
    const opened: Said[] = [
      requested,
      ['review_claimed'],
      ['review_released'],
      ['review_escalated', { to_queue: 'supervisors' }],
    ]
    expect(await rowsAfter(reviewQueue, reviewQueueTable, opened)).toMatchObject([
      {
        status: 'open',
        queue: 'supervisors',
        claimed_by: null,
        lease_until: null,
        proposed_action: { employees: 120 },
        requested_at: 1000,
      },
    ])
    expect(await rowsAfter(reviewQueue, reviewQueueTable, [requested, ['review_claimed']])).toMatchObject([
      { status: 'claimed', claimed_by: 'h1', lease_until: 1_767_226_500_000 },
    ])
    expect(
      await rowsAfter(reviewQueue, reviewQueueTable, [
        requested,
        ['review_decided', { decision: 'edit', edits: { employees: 130 } }],
      ]),
    ).toMatchObject([
      {
        status: 'decided',
        decision: 'edit',
        edits: { employees: 130 },
        comment: 'Fine.',
        decided_by: 'h1',
        decided_at: 1001,
      },
    ])
    expect(await rowsAfter(reviewQueue, reviewQueueTable, [requested, ['review_expired']])).toMatchObject([
      { status: 'expired', fallback: 'proceed_marked_unverified', decided_at: 1001, claimed_by: null },
    ])
    const expires: Said[] = [
      requested,
      ['review_claimed'],
      ['review_expired', { fallback: 'escalate' }],
      ['review_escalated'],
    ]
    expect(await rowsAfter(reviewQueue, reviewQueueTable, expires)).toMatchObject([
      { status: 'open', fallback: 'escalate', queue: 'supervisors', decided_at: null, claimed_by: null },
    ])
  })
  test('personal fields that were erased are null, and nothing else is', async () => {
    const said: Said[] = [
      ['review_requested', { proposed_action: erased }],
      ['review_decided', { edits: erased, comment: erased }],
    ]
    expect(await rowsAfter(reviewQueue, reviewQueueTable, said)).toMatchObject([
      { proposed_action: null, edits: null, comment: null, status: 'decided', reason: 'confidence 0.41 is below 0.60' },
    ])
  })
})

describe('documents', () => {
  const file = (key: string) => ({ bucket: 'b', key, version_id: 'v1', sha256: `hash of ${key}`, bytes: 1 })
  const drawn = (version: number, amount: number): Said => [
    'document_generated',
    { document_id: 'd1', document_type: 'contract', version, amount, ref: file(`v${version}`) },
  ]
  const signed: Said = [
    'document_signed',
    { document_id: 'd1', version: 2, signed_ref: file('signed'), certificate_ref: file('certificate'), signed_at: 7 },
  ]
  const said: readonly Said[] = [
    drawn(1, 100),
    ['document_approved', { document_id: 'd1', version: 1, by: 'policy' }],
    ['envelope_sent', { document_id: 'd1', version: 1, envelope_id: 'e1' }],
    drawn(2, 200),
    ['document_approved', { document_id: 'd1', version: 2, by: 'h1' }],
    ['envelope_sent', { document_id: 'd1', version: 2, envelope_id: 'e2' }],
    ['reminder_due', { document_id: 'd1', n: 2 }],
    ['document_viewed', { document_id: 'd1' }],
    signed,
    ['document_move_ignored', { document_id: 'd1' }],
    ['call_requested'],
  ]

  test('stand as their newest version', async () => {
    const [row] = await rowsAfter(documents, documentsTable, said)
    expect(row).toMatchObject({
      ...{ document_type: 'contract', version: 2, status: 'signed', amount: 200, envelope_id: 'e2' },
      ...{ approved_by: 'h1', reminders: 2, signed_at: 7, viewed_at: 1007, terms: { quantity: 40 } },
    })
  })

  test('a new version forgets how the one before stood', async () => {
    const [row] = await rowsAfter(documents, documentsTable, said.slice(0, 4))
    expect(row).toMatchObject({ version: 2, status: 'generated' })
    expect([row?.['envelope_id'], row?.['approved_by'], row?.['sent_at']]).toEqual([null, null, null])
  })

  test('each version keeps its figures, files and hashes (5.3.9)', async () => {
    const [first, second] = await rowsAfter(documents, documentVersionsTable, said)
    expect(first).toMatchObject({ amount: 100, envelope_id: 'e1', ref: file('v1') })
    expect(first?.['signed_ref'] ?? null).toBeNull()
    expect(second).toMatchObject({ amount: 200, signed_ref: file('signed'), certificate_ref: file('certificate') })
  })

  test.each([
    ['document_declined', 'declined', 'budget'],
    ['document_voided', 'voided', 'compensation'],
    ['document_rejected', 'rejected', 'rejected by h1'],
    ['document_generation_failed', 'failed', 'exhausted'],
    ['document_expired', 'expired', null],
  ])('%s ends it, with its reason (5.3.1, 5.3.8)', async (type, status, reason) => {
    const [row] = await rowsAfter(documents, documentsTable, [drawn(1, 1), [type, { document_id: 'd1' }]])
    expect(row).toMatchObject({ status, ended_at: 1001, reason })
  })

  test('what was never drawn up has no row', async () => {
    expect(await rowsAfter(documents, documentsTable, [['document_voided', { document_id: 'd1' }]])).toEqual([])
  })
})

describe('demos', () => {
  const generated = (version = 1): Said => ['demo_generated', { version }]
  const published = (version = 1): Said => ['demo_published', { version, url: `https://x.example/d/${version}` }]
  test('a new version stands in the row, and the first publication is remembered', async () => {
    const said = [generated(), published(), generated(2), published(2)]
    expect(await rowsAfter(demos, demosTable, said)).toEqual([
      expect.objectContaining({
        status: 'published',
        version: 2,
        url: 'https://x.example/d/2',
        published_at: 1003,
        ended_at: null,
      }),
    ])
    const versions = await rowsAfter(demos, demoVersionsTable, said)
    expect(versions.map((row) => [row?.['generated_at'], row?.['published_at']])).toEqual([
      [1000, 1001],
      [1002, 1003],
    ])
  })
  test('a demo expires, or is taken down and published again', async () => {
    const of = async (...said: Said[]) => (await rowsAfter(demos, demosTable, [generated(), published(), ...said]))[0]
    expect(await of(['demo_expired'])).toMatchObject({ status: 'expired', ended_at: 1002, end_reason: 'expired' })
    expect(await of(['demo_unpublished', { reason: 'compensation' }])).toMatchObject({
      status: 'unpublished',
      end_reason: 'compensation',
    })
    expect(await of(['demo_unpublished'], published(2))).toMatchObject({ status: 'published', end_reason: null })
  })
  test('engagement is the newest, and when it passed the bar stays', async () => {
    const said: Said[] = [
      ['demo_engagement_changed', { score: 41, cta_clicked: 'no' }],
      ['demo_engagement_changed', { score: 72, cta_clicked: 'yes' }],
      ['demo_engaged', { score: 72, sessions: 2 }],
      ['demo_engagement_changed', { score: 90, cta_clicked: 'yes' }],
    ]
    expect(await rowsAfter(demos, demoEngagementTable, said)).toEqual([
      expect.objectContaining({ score: 90, cta_clicked: true, changed_score_at: 1003 }),
    ])
    expect(await rowsAfter(demos, demoEngagedTable, said)).toEqual([
      expect.objectContaining({ score: 72, sessions: 2, engaged_at: 1002 }),
    ])
  })
  test('an erased client leaves no row of any table; the words of a conversation are personal', async () => {
    const asked: Said = ['demo_simulation_message', { message_id: 'm1', role: 'visitor', excerpt: 'Hello?' }]
    const answered: Said = ['demo_simulation_message', { message_id: 'm1', role: 'assistant', excerpt: 'Yes.' }]
    const said: Said[] = [generated(), published(), asked, answered, ['demo_engagement_changed'], ['demo_engaged']]
    const rows = await rowsAfter(demos, demoChatMessagesTable, said)
    expect(rows.map((row) => row?.['excerpt'])).toEqual(['Hello?', 'Yes.'])
    expect(await rowsAfter(demos, demoChatMessagesTable, [['demo_simulation_message', { excerpt: erased }]])).toEqual([
      expect.objectContaining({ excerpt: null }),
    ])
    expect([demosTable.columns.url.personal, demoChatMessagesTable.columns.excerpt.personal]).toEqual([true, true])
    for (const table of demos.tables) {
      const left = await rowsAfter(demos, table, [...said, ['demo_unpublished', { reason: 'erased' }]])
      expect(left.length).toBeGreaterThan(0)
      expect(left.every((row) => row === null)).toBe(true)
    }
  })
})

test('client-milestones: when each step was finished; nothing of an erased client', async () => {
  const said: Said[] = [
    ['step_started', { step: 'nda' }],
    ['step_completed', { step: 'nda', ms: 7 }],
    ['step_completed', { step: 'contract', ms: 9 }],
  ]
  expect(await rowsAfter(clientMilestones, clientMilestonesTable, said)).toEqual([
    { reached_at: 1001, ms: 7 },
    { reached_at: 1002, ms: 9 },
  ])
  expect(await rowsAfter(clientMilestones, clientMilestonesTable, [...said, ['client_erased']])).toEqual([null, null])
})

describe('values that SQL cannot hold are bad records', () => {
  const put = (over: Partial<AnyEvent>): (() => unknown) => {
    const event = { ...eventOf(authEvents, 'organization_created', { owner_user_id: userId(1) }), ...over }
    return () =>
      organizations.apply(event as never, { topic: 'auth_events', partition: 0, offset: 0n }).map(checkedChange)
  }
  test.each([
    ['a tenant that is no UUID', { tenant_id: 't1' }, 'organizations.tenant_id: not a UUID'],
    ['a missing value', { company_name: undefined }, 'organizations.company_name: missing'],
    ['a NUL', { company_name: 'a\0b' }, 'organizations.company_name: not clean text'],
    ['half a surrogate pair', { company_name: 'a\ud800' }, 'organizations.company_name: not clean text'],
    ['text that is too long', { company_name: 'x'.repeat(1_000_001) }, 'organizations.company_name: too long'],
    ['a number for text', { company_name: 7 }, 'organizations.company_name: not text'],
    ['a time before 1970', { timestamp: -1 }, 'organizations.created_at: not a time'],
    ['no number for a time', { timestamp: Number.NaN }, 'organizations.created_at: not a time'],
  ])('%s', (_, over, says) => {
    expect(put(over)).toThrow(says)
  })
  test('inside JSON as well, and only there where it is meant', () => {
    const finding = (data: unknown): (() => unknown) => {
      const event = eventOf(researchEvents, 'finding_recorded', { data })
      return () =>
        researchFindings
          .apply(event as never, { topic: 'research_events', partition: 0, offset: 0n })
          .map(checkedChange)
    }
    expect(finding({ a: ['\0'] })).toThrow('research_findings.data: holds text that is not clean')
    expect(finding({ a: '\ud800' })).toThrow('not clean')
    expect(finding({ a: '\\u0000', b: '😀' })).not.toThrow()
    expect(finding({ confidence: 1 })).not.toThrow()
  })
  test('topics of the list are those that are projected', () => {
    expect(new Set(resourceProjections.map(({ reads }) => reads.name))).toEqual(
      new Set(
        [authEvents, billingEvents, clientEvents, demoEvents, documentEvents, researchEvents, reviewEvents].map(
          ({ name }) => name,
        ),
      ),
    )
  })
})

describe('billing', () => {
  const sub = { subscription_id: 'sub_1', currency: 'USD' }
  const said: readonly Said[] = [
    ['subscription_created', { ...sub, customer_id: 'cus_1', plan: 'growth', status: 'incomplete', document_id: 'd1' }],
    [
      'subscription_activated',
      { ...sub, plan: 'growth', mrr: 80_000, period_start: 1, period_end: 2, effective_at: 500 },
    ],
    [
      'subscription_changed',
      { ...sub, old_mrr: 80_000, new_mrr: 0, movement: 'contraction', reason: 'unpaid', effective_at: 600 },
    ],
    ['subscription_canceled', { ...sub, mrr: 80_000, reason: 'payment_failed', effective_at: 700 }],
  ]

  test('subscriptions: from created to ended', async () => {
    const after = (n: number) => rowsAfter(subscriptions, subscriptionsTable, said.slice(0, n))
    expect(await after(1)).toMatchObject([{ status: 'created', customer_id: 'cus_1', document_id: 'd1' }])
    expect(await after(2)).toMatchObject([{ status: 'active', mrr: 80_000, activated_at: 500 }])
    expect(await after(3)).toMatchObject([{ status: 'unpaid', mrr: 0 }])
    expect(await after(4)).toMatchObject([{ status: 'canceled', mrr: 0, end_reason: 'payment_failed', ended_at: 700 }])
  })

  test('subscriptions: a change that is told after the end changes nothing of the row', async () => {
    const changed = { ...sub, old_mrr: 80_000, new_mrr: 90_000, movement: 'expansion', reason: 'terms' }
    const late: Said = ['subscription_changed', { ...changed, effective_at: 650 }]
    expect(await rowsAfter(subscriptions, subscriptionsTable, [...said, late])).toEqual(
      await rowsAfter(subscriptions, subscriptionsTable, said),
    )
  })

  test('mrr: a point for every fact, under its time, never changed', async () => {
    const points = await rowsAfter(mrr, mrrPointsTable, [...said, said[1]!])
    expect(points.map((row) => [row?.['mrr'], row?.['cause']])).toEqual([
      [80_000, 'activated'],
      [0, 'unpaid'],
      [0, 'payment_failed'],
      [80_000, 'activated'],
    ])
  })

  test('invoices, refunds and dunning', async () => {
    const of = { invoice_id: 'in_1', currency: 'USD' }
    const stage = (from: string, to: string, day: number): Said => [
      'dunning_stage_changed',
      { invoice_id: 'in_1', from, to, day },
    ]
    const story: readonly Said[] = [
      ['invoice_issued', { ...of, subscription_id: 'sub_1', amount_due: 80_000, due_at: 5 }],
      ['payment_failed', { ...of, attempt_count: 1, next_attempt_at: 9, decline_code: 'expired_card', hard: true }],
      stage('none', 'grace', 0),
      stage('grace', 'reminder_1', 0),
      ['invoice_paid', { ...of, amount_paid: 80_000 }],
      stage('reminder_1', 'recovered', 2),
      ['refund_issued', { ...of, refund_id: 're_1', amount: 10, reason: 'compensation' }],
    ]
    expect(await rowsAfter(invoices, invoicesTable, story.slice(0, 2))).toMatchObject([
      { status: 'open', attempt_count: 1, next_attempt_at: 9, decline_code: 'expired_card', hard_decline: true },
    ])
    expect(await rowsAfter(invoices, invoicesTable, story)).toMatchObject([
      { status: 'paid', amount_paid: 80_000, ended_at: 1004, next_attempt_at: null },
    ])
    expect(await rowsAfter(invoices, refundsTable, story)).toMatchObject([{ invoice_id: 'in_1', amount: 10 }])
    expect(await rowsAfter(dunning, dunningTable, story.slice(0, 4))).toMatchObject([
      { stage: 'reminder_1', began_at: 1002, stage_at: 1003, ended_at: null },
    ])
    expect(await rowsAfter(dunning, dunningTable, story)).toMatchObject([
      { stage: 'recovered', day: 2, began_at: 1002, ended_at: 1005 },
    ])
    for (const [type, to] of [
      ['invoice_voided', 'void'],
      ['invoice_uncollectible', 'uncollectible'],
    ] as const) {
      const ended: Said = [type, { ...of, amount: 80_000 }]
      expect(await rowsAfter(invoices, invoicesTable, [story[0]!, ended])).toMatchObject([{ status: to }])
    }
  })
})
