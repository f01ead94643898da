/** The timeline's rows: of every event of every topic, without what is about a person. Two tenants, alike. */

import { describe, expect, test } from 'vitest'
import type { AnyEventTopic, EventDefinition } from '../../schemas/index.ts'
import { authEvents, clientEvents, personalNames, topics } from '../../schemas/index.ts'
import type { Row } from '../../sinks/index.ts'
import { resourceProjections, timelines } from '../../sinks/index.ts'
import { summaryFieldChars } from '../../sinks/projections/timeline.ts'
import { checkedChange } from '../../sinks/row-check.ts'
import { eventOf, organizationId, tenantA, tenantB } from './sink-fixture.ts'

/** The row of this event, said by both tenants; asserts that each is its tenant's and else they are alike. */
function rowOf(topic: AnyEventTopic, type: string, payload: Readonly<Record<string, unknown>> = {}): Row {
  const projection = timelines.find(({ reads }) => reads === topic)!
  const [a, b] = [tenantA, tenantB].map((tenant) => {
    const event = eventOf(topic, type, payload, { tenant, timestamp: 1_000 })
    const changes = projection.apply(event, { topic: topic.name, partition: 0, offset: 0n }).map(checkedChange)
    expect(changes).toHaveLength(1)
    const [change] = changes
    expect(change).toMatchObject({ op: 'put', table: projection.tables[0], key: { tenant_id: tenant } })
    const { organization_id, ...values } = (change as { values: Row }).values
    expect(organization_id).toBe(organizationId(tenant, 1))
    return values
  })
  expect(b).toEqual(a)
  return a!
}

test('there is one of each topic, whatever the resources read', () => {
  expect(timelines.map(({ reads }) => reads)).toEqual(topics)
  expect(new Set(resourceProjections.map(({ name }) => name)).size).toBe(resourceProjections.length)
})

describe('a row', () => {
  test('says what happened, when, by whom, and what it says that is nobody’s', () => {
    expect(rowOf(clientEvents, 'stage_changed')).toEqual({
      event_type: 'stage_changed',
      occurred_at: 1_000,
      causation_id: '',
      correlation_id: 'lifecycle-1',
      source: 'test',
      actor_type: 'system',
      actor_id: 'test',
      summary: { from: 'researching', to: 'demo', reason: 'research_completed' },
    })
  })

  test('holds no personal field of any event of any topic', () => {
    const secret = 'canary-of-a-person'
    let seen = 0
    for (const topic of topics) {
      for (const [type, definition] of Object.entries(topic.events as Record<string, EventDefinition>)) {
        const names = personalNames(definition)
        seen += names.length
        const row = rowOf(topic, type, Object.fromEntries(names.map((name) => [name, { deep: [secret] }])))
        expect(JSON.stringify(row), `${topic.name} ${type}`).not.toContain(secret)
        expect(Object.keys(row['summary'] as object).filter((name) => names.includes(name))).toEqual([])
      }
    }
    expect(seen).toBeGreaterThan(30)
  })

  test('leaves a long field out and keeps the others', () => {
    const row = rowOf(clientEvents, 'stage_changed', { reason: 'x'.repeat(summaryFieldChars) })
    expect(row['summary']).toEqual({ from: 'researching', to: 'demo' })
  })
})

test('an event that names no organization, or is of a type to come, is on nobody’s', () => {
  const [projection] = timelines
  const event = eventOf(authEvents, 'login_succeeded')
  const place = { topic: 'auth_events', partition: 0, offset: 0n }
  expect(projection!.apply(event, place)).toHaveLength(1)
  expect(projection!.apply({ ...event, organization_id: '' }, place)).toEqual([])
  expect(projection!.apply({ ...event, event_type: 'of_tomorrow' }, place)).toEqual([])
})
