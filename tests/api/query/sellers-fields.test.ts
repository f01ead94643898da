/**
 * What is the seller's alone: written with a canary in every such place, then looked for in every answer that a client's people
 * and programs get, and in their stream. Agents are shown it, so that the canaries are known to be there.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { UserPrincipal } from '../../../api/index.ts'
import { queryDefaults } from '../../../api/index.ts'
import type { AnyEvent, EventDefinition, EventTopic } from '../../../schemas/index.ts'
import { exampleEvent, impersonalPayload, sellersFields, topics } from '../../../schemas/index.ts'
import { insertAgents } from '../../contracts/agent-rows.ts'
import { call, keyOf, organizationOf, person, serve, tenantA, tenantB, tokenOf } from '../http/world.ts'
import type { TestServer } from '../http/world.ts'
import { eventRow } from './timeline-world.ts'
import type { World } from './world.ts'
import { documentOf, fill, now, openWorld, reviewRow } from './world.ts'

/** Stands in every field of {@link sellersFields}, as a text or as a number. */
const canaryText = 'canary-sellers-7f31'
const canaryNumber = 73_137_313
const agent = person(tenantA, { userType: 'agent', role: 'agent', userId: '0d000000-0000-4000-8000-000000000001' })
const tenants = [tenantA, tenantB]

let world: World
/** The same endpoints, where API keys may read. */
let forPrograms: TestServer
const stored = new Map<string, AnyEvent>()

interface Told {
  readonly topic: EventTopic
  readonly type: string
  readonly id: string
  readonly definition: EventDefinition
  readonly payload: Readonly<Record<string, unknown>>
  readonly withheld: readonly string[]
}

const isShown = (value: unknown): boolean =>
  [canaryText, String(canaryNumber)].some((canary) => (JSON.stringify(value) ?? '').includes(canary))

/** Every declared event that has something of the seller's, with a canary there. */
const told: readonly Told[] = topics.flatMap((any) => {
  const topic = any as unknown as EventTopic
  return Object.entries(topic.events).flatMap(([type, definition]) => {
    const subjects = type === 'review_requested' ? ['document', 'refund', 'step'] : [null]
    return subjects.flatMap((subject) => {
      const example = exampleEvent(topic, type).event
      const base = subject === null ? example : { ...example, subject_type: subject }
      const withheld = [...sellersFields(type, base)].filter((name) => Object.hasOwn(definition.fields, name))
      const canaries = withheld.map((name) => [name, typeof base[name] === 'number' ? canaryNumber : canaryText])
      const payload = { ...base, ...Object.fromEntries(canaries) }
      const id = `${topic.name}-${type}-${subject ?? 'any'}`
      return withheld.length === 0 ? [] : [{ topic, type, id, definition, payload, withheld }]
    })
  })
})

beforeAll(async () => {
  const readEvent = (topic: string, _: number, offset: bigint) =>
    Promise.resolve(stored.get(`${topic}@${String(offset)}`) ?? null)
  world = await openWorld({
    more: { readEvent },
    settings: {
      stream: { ...queryDefaults.stream, lookMs: 20, longestMs: 20_000, perUser: 9, perTenant: 9, inAll: 99 },
    },
  })
  forPrograms = await serve(
    world.endpoints,
    {},
    {
      authenticateApiKey: async (key) => ({
        ...{
          kind: 'api_key',
          tenantId: key.slice(4),
          organizationId: organizationOf(key.slice(4)),
          keyId: key.slice(4),
        },
        ...{ role: 'producer', scopes: ['read', 'events:write'], perMinute: 0, perDay: 0 },
      }),
    },
  )
  await insertAgents(world.owner, { [agent.userId]: [agent.userId] })
  const sinks = [...new Set(told.map(({ topic }) => topic.name))]
  for (const topic of sinks)
    await world.insert('sink_offsets', {
      ...{ sink: `timeline-${topic.replaceAll('_', '-')}`, topic, part: 0, cluster_id: 'c', topic_id: 't' },
      ...{ partitions: 1, next_offset: 0, epoch: 1 },
    })
  for (const tenant of tenants) {
    await fill(world, tenant, tenant)
    await world.owner.query(
      'insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at) values ($1, $2, $2, $3, now())',
      [tenant, agent.userId, 'owner'],
    )
    const review = {
      reason: canaryText,
      proposed_action: { margin: canaryText },
      edits: { to: canaryText },
      comment: canaryText,
    }
    for (const subject_type of ['document', 'refund', 'step', 'config', 'prd'])
      await world.insert(
        'review_queue',
        reviewRow(tenant, `${subject_type}-${tenant}`, 'high', 1, { ...review, subject_type }),
      )
    await world.owner.query('update lifecycle.research_sessions set cost_microdollars = $1', [canaryNumber])
    for (const table of ['documents', 'document_versions'])
      await world.owner.query(`update lifecycle.${table} set margin_basis_points = $1`, [canaryNumber])
    await world.insert('documents', {
      ...{
        tenant_id: tenant,
        organization_id: organizationOf(tenant),
        document_id: documentOf(tenant).replace(/300$/, '301'),
      },
      ...{
        document_type: 'pricing',
        version: 1,
        status: 'rejected',
        reason: canaryText,
        generated_at: new Date(now - 540_000).toISOString(),
      },
    })
  }
})
afterAll(async () => {
  await forPrograms.close()
  await world[Symbol.asyncDispose]()
})

/** Their rows and their events, after the streams have begun. */
async function happen(): Promise<void> {
  for (const [n, { topic, type, id, definition, payload }] of told.entries()) {
    for (const [t, tenant] of tenants.entries()) {
      const offset = n * tenants.length + t
      const summary = impersonalPayload(definition, payload)
      const row = eventRow(tenant, offset, {
        topic: topic.name,
        event_id: `${id}-${tenant}`,
        type,
        summary,
        cause: 'root',
      })
      await world.insert(`timeline_${topic.name}`, row)
      stored.set(`${topic.name}@${String(offset)}`, { ...payload, tenant_id: tenant } as unknown as AnyEvent)
    }
  }
  for (const tenant of tenants)
    await world.insert(
      'timeline_client_events',
      eventRow(tenant, 9_000, { topic: 'client_events', event_id: 'root', type: 'stage_changed' }),
    )
  await world.owner.query('update lifecycle.sink_offsets set next_offset = 10000')
}

const clientsOf = (tenant: string): readonly UserPrincipal[] =>
  ['owner', 'admin', 'member'].map((role) => person(tenant, { role }))

const pathsOf = (tenant: string): readonly string[] => [
  '/documents',
  `/documents/${documentOf(tenant)}`,
  `/documents/${documentOf(tenant).replace(/300$/, '301')}`,
  '/reviews',
  '/reviews?status=all',
  ...['document', 'refund', 'step', 'config', 'prd'].map((subject) => `/reviews/${subject}-${tenant}`),
  `/research/${organizationOf(tenant)}/sessions`,
  ...timelinePaths(tenant),
]
const timelinePaths = (tenant: string): readonly string[] => [
  `/organizations/${organizationOf(tenant)}/timeline?limit=200`,
  `/organizations/${organizationOf(tenant)}/timeline/root/causes`,
  ...told.map(({ id }) => `/organizations/${organizationOf(tenant)}/timeline/${id}-${tenant}`),
]

/** All that a stream tells until `count` events have come, or the time is over. */
async function listen(as: UserPrincipal, count: number, begun: () => void): Promise<string> {
  const abort = new AbortController()
  const names = [...new Set(told.map(({ topic }) => topic.name))].join(',')
  const response = await fetch(`${world.server.url}/api/v1/stream?topics=${names}`, {
    headers: { authorization: `Bearer ${tokenOf(as)}` },
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(15_000)]),
  })
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('event: start')) begun()
    if ((text.match(/^event: event$/gm) ?? []).length >= count) break
  }
  abort.abort()
  return text
}

test('the list names fields that there are', () => {
  const withheld = new Set(told.flatMap(({ type, withheld: names }) => names.map((name) => `${type}.${name}`)))
  expect([...withheld]).toEqual(
    expect.arrayContaining([
      'document_generated.margin_basis_points',
      'research_completed.cost',
      'call_answered.cost_microdollars',
      'call_requested.request',
      'usage_aggregated.unit_cost',
      'review_requested.reason',
      'review_requested.proposed_action',
      'review_decided.comment',
    ]),
  )
})

describe('what is the seller’s alone', () => {
  test('is in no client’s stream, and in an agent’s', async () => {
    const perTenant = told.length + 1
    const everybody = [...tenants.map((tenant) => person(tenant)), person(tenantA, { role: 'member' }), agent]
    const begun = everybody.map(() => Promise.withResolvers<void>())
    const streams = everybody.map((as, n) => listen(as, perTenant * (as === agent ? 2 : 1), () => begun[n]!.resolve()))
    await Promise.all(begun.map(({ promise }) => promise))
    await happen()
    const texts = await Promise.all(streams)
    texts.forEach((text, n) => {
      const as = everybody[n]!
      const count = (text.match(/^event: event$/gm) ?? []).length
      expect(count).toBe(perTenant * (as === agent ? 2 : 1))
      expect([as.role, as.tenantId, isShown(text)]).toEqual([as.role, as.tenantId, as === agent])
    })
  }, 30_000)

  test.each(tenants)('is in no answer to a client, and in an agent’s: %s', async (tenant) => {
    for (const path of pathsOf(tenant)) {
      for (const as of clientsOf(tenant)) {
        const { status, body } = await world.get(path, as)
        expect([path, as.role, status, isShown(body)]).toEqual([path, as.role, 200, false])
      }
      const { status, body } = await world.get(path, agent)
      expect([path, status, isShown(body)]).toEqual([path, 200, true])
    }
  })

  test('is in no answer to a client’s program', async () => {
    for (const tenant of tenants) {
      const paths = pathsOf(tenant).filter((path) => path.startsWith('/reviews') || path.startsWith('/research'))
      for (const path of paths) {
        const { status, body } = await call(`${forPrograms.url}/api/v1${path}`, { token: keyOf(tenant) })
        expect([path, status, isShown(body)]).toEqual([path, 200, false])
      }
    }
  })

  test('is named as withheld in an event shown whole, and the rest of the event is there', async () => {
    const generated = told.find(({ type }) => type === 'document_generated')!
    const path = `/organizations/${organizationOf(tenantA)}/timeline/${generated.id}-${tenantA}`
    const { body } = await world.get(path, person(tenantA))
    expect(body).toMatchObject({ hidden: ['margin_basis_points'], payload: { amount: 168_000, quantity: 40 } })
    expect(body.summary).toMatchObject({ amount: 168_000, discount_basis_points: 1_429 })
    expect((await world.get(path, agent)).body).toMatchObject({
      hidden: [],
      payload: { margin_basis_points: canaryNumber },
    })
  })

  test('a finding’s review, and why a client declined, stay the client’s to read', async () => {
    await world.insert(
      'review_queue',
      reviewRow(tenantB, 'finding', 'low', 1, {
        subject_type: 'finding',
        reason: 'not sure',
        proposed_action: { a: 1 },
      }),
    )
    expect((await world.get('/reviews/finding', person(tenantB))).body).toMatchObject({
      decider: 'client',
      reason: 'not sure',
      proposed_action: { a: 1 },
    })
    await world.owner.query(
      `update lifecycle.documents set status = 'declined', reason = 'budget' where document_id = $1`,
      [documentOf(tenantB)],
    )
    expect((await world.get(`/documents/${documentOf(tenantB)}`, person(tenantB))).body.reason).toBe('budget')
  })
})
