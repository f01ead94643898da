/** The client says what the ingest API would say, before anything is sent. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acceptSubmission } from '../../api/ingest/accept.ts'
import { ApiProblem, ingestDefaults } from '../../api/index.ts'
import type { ApiKeyPrincipal } from '../../api/index.ts'
import { ClientError } from '../../client/index.ts'
import { judgeEvent } from '../../client/judge.ts'
import { eventTimeBounds, topics } from '../../schemas/index.ts'

const now = 1_767_225_600_000
const principal: ApiKeyPrincipal = {
  kind: 'api_key',
  tenantId: 't1',
  organizationId: 'o1',
  keyId: 'k1',
  role: 'producer',
  scopes: ['events:write'],
  perMinute: 0,
  perDay: 0,
}
const settings = { ...ingestDefaults, transactionalId: 'x' }

interface Sent {
  readonly topic: string
  readonly type: string
  readonly payload: Record<string, unknown>
  readonly timestamp?: unknown
}

const ingestSays = (event: Sent): string => {
  try {
    acceptSubmission(event, principal, now, settings)
    return 'taken'
  } catch (error) {
    if (error instanceof ApiProblem) return error.detail
    throw error
  }
}
const clientSays = ({ topic, ...event }: Sent): string => {
  try {
    judgeEvent(topic, event, now, eventTimeBounds, null)
    return 'taken'
  } catch (error) {
    if (error instanceof ClientError) return error.message
    throw error
  }
}

/** Every declared example. */
const examples: readonly Sent[] = topics.flatMap((topic) =>
  Object.entries(topic.events as Record<string, { example: Record<string, unknown>; visibility: string }>)
    // What a person decides is refused by the credential, not by the event.
    .filter(([type]) => !type.startsWith('review_') || !type.endsWith('_requested') || type === 'review_requested')
    .map(([type, { example }]) => ({ topic: topic.name, type, payload: example })),
)
const publicExamples = examples.filter((event) => ingestSays(event) === 'taken')

test('the same of every declared event', () => {
  expect(publicExamples.length).toBeGreaterThanOrEqual(3)
  for (const event of examples) expect([event.type, clientSays(event)]).toEqual([event.type, ingestSays(event)])
})

test('and of every event that somebody gets wrong', () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, '', 'email', 'fax', 0, -1, 1.5, 2 ** 53, true, {}, [], 'x\0', '\ud800', 2 ** 31),
    fc.string({ maxLength: 5 }),
    fc.jsonValue(),
  )
  const wrong = fc.record({
    event: fc.constantFrom(...publicExamples),
    field: fc.nat(10),
    name: fc.constantFrom('', 'extra', 'event_id'),
    value,
    removes: fc.boolean(),
    timestamp: fc.oneof(fc.constant(undefined), fc.constantFrom<unknown>(now, now + 1e9, now - 1e12, 'now', 1.5, null)),
  })
  let refused = 0
  fc.assert(
    fc.property(wrong, ({ event, field, name, value: given, removes, timestamp }) => {
      const names = Object.keys(event.payload)
      const chosen = name === '' ? names[field % names.length]! : name
      const payload: Record<string, unknown> = { ...event.payload, [chosen]: given }
      if (removes) delete payload[chosen]
      const sent = { ...event, payload, ...(timestamp === undefined ? {} : { timestamp }) }
      const said = ingestSays(sent)
      // A key that cannot be made is found by the ingest API when it places the event.
      const placed = clientSays(sent)
      if (said === 'taken' && /^(contact|experiment)_id /.test(placed)) return
      expect(placed).toBe(said)
      if (said !== 'taken') refused += 1
    }),
    { numRuns: 3_000 },
  )
  expect(refused).toBeGreaterThan(500)
})
