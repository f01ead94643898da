/** The review queue where scenarios do not reach: a state of its first version, and times behind the timer. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Input, StepContext } from '../../processors/index.ts'
import { reviewQueueDefaults, reviewQueueService } from '../../processors/index.ts'
import { reviewQueue } from '../../processors/review-queue/index.ts'
import type { QueueState } from '../../processors/review-queue/state.ts'
import { reviewQueueState } from '../../processors/review-queue/state.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'
import { reviewEvents, stateCodec } from '../../schemas/index.ts'
import { keyRing } from './codecs.ts'

const processor = reviewQueue(reviewQueueDefaults)
const codec = stateCodec(reviewQueueState, { keyRing })

interface Fixture {
  readonly key: string
  readonly hex: string
}
const fixture = JSON.parse(
  readFileSync(new URL('../golden/states/review-queue-reviews-1.json', import.meta.url), 'utf8'),
) as Fixture

const context = (time: number, eventId = `e${time}`): StepContext => ({
  ...{ time, eventId, tenantId: 'tenant-a', organizationId: 'o1', key: fixture.key, correlationId: 'c' },
  id: (name) => `${eventId}:${name}`,
})
const command = (event_type: string, payload: object, by = 'h1') =>
  ({ event_type, ...payload, actor: { type: 'user', id: by } }) as unknown as Input<typeof reviewEvents.events>

describe('a state of version 1', () => {
  const state = codec.deserialize(Buffer.from(fixture.hex, 'hex'), Buffer.from(fixture.key))

  test('keeps what was decided and what was commanded; what is open waits without end, and can be claimed (RQ1, RQ4)', () => {
    const late = processor.handle(
      state,
      command('review_decision_requested', { review_id: 'r1', decision: 'reject' }),
      context(9),
    )
    expect(late.emit).toMatchObject([{ type: 'review_decision_rejected', payload: { reason: 'late' } }])
    const repeated = processor.handle(
      state,
      command('review_decision_requested', { review_id: 'r2', decision: 'approve' }),
      context(9, 'e1'),
    )
    expect(repeated).toEqual({ state })
    const claim = processor.handle(state, command('review_claim_requested', { review_id: 'r2' }), context(9))
    expect(claim.emit).toMatchObject([{ type: 'review_claimed', payload: { human_agent_id: 'h1' } }])
    expect(claim.timers).toEqual({ review_due: 9 + reviewQueueDefaults.leaseMs })
    const looked = processor.handle(
      claim.state,
      { event_type: '$timer', timer: 'review_due', due_at: 1e15 },
      context(1e15),
    )
    expect(looked.emit).toMatchObject([{ type: 'review_released', payload: { review_id: 'r2' } }])
  })
})

describe('times behind the timer (RQ3)', () => {
  const review = { review_id: 'r1', subject_type: 'finding', requested_at: 0, decided: false } as const
  const request = (due_at: number) =>
    command('review_requested', { review_id: 'r2', subject_type: 'config', due_at }, 'research')

  test('the timer is never armed at or before its last firing: the late review expires with the next one (T2)', () => {
    const state: QueueState = { reviews: [{ ...review, due_at: 5_000 }], handled: [], fired_at: 1_000 }
    const step = processor.handle(state, request(900), context(500))
    expect(step.timers).toEqual({ review_due: 1_001 })
    const looked = processor.handle(
      step.state,
      { event_type: '$timer', timer: 'review_due', due_at: 1_001 },
      context(1_001),
    )
    expect(looked.emit).toMatchObject([{ type: 'review_expired', payload: { review_id: 'r2', fallback: 'reject' } }])
    expect(looked.timers).toEqual({ review_due: 5_000 })
  })

  test('a lease holds until its end, and not at it (RQ2)', () => {
    const lease = { holder: 'h1', until: 5_000 }
    const state: QueueState = { reviews: [{ ...review, due_at: 9_000, lease }], handled: [] }
    const claim = command('review_claim_requested', { review_id: 'r1' }, 'h2')
    const typesAt = (time: number) => processor.handle(state, claim, context(time)).emit?.map(({ type }) => type)
    expect(typesAt(4_999)).toEqual(['review_claim_rejected'])
    expect(typesAt(5_000)).toEqual(['review_claimed'])
  })

  test('what comes due later than the timer stands leaves it alone', () => {
    const state: QueueState = { reviews: [{ ...review, due_at: 5_000 }], handled: [] }
    expect(processor.handle(state, request(6_000), context(500)).timers).toBeUndefined()
  })

  test('a subject that no fallback is declared for is escalated', () => {
    const state: QueueState = { reviews: [{ ...review, subject_type: 'moon', due_at: 1_000 }], handled: [] }
    const looked = processor.handle(state, { event_type: '$timer', timer: 'review_due', due_at: 1_000 }, context(1_000))
    expect(looked.emit?.map(({ type }) => type)).toEqual(['review_expired', 'review_escalated'])
    expect(looked.state?.reviews).toMatchObject([{ decided: false, due_at: null }])
  })
})

test('a lease is as long as the settings say (RQ2)', async () => {
  const service = reviewQueueService({ ...reviewQueueDefaults, leaseMs: 1_000 })
  const said = { topic: reviewEvents, at: 0 }
  const requested = { ...reviewEvents.events.review_requested.example, due_at: 1e9 }
  for (const tenant of ['a', 'b'] as const)
    await playScenario(
      {
        it: 'a short lease',
        play: [
          { when: { ...said, tenant, type: 'review_requested', payload: requested } },
          {
            when: { ...said, tenant, type: 'review_claim_requested', payload: { review_id: 'r1' } },
            then: [{ type: 'review_claimed', payload: { lease_until: 1_000 } }],
          },
          { when: { advanceTo: 1_000 }, then: [{ type: 'review_released' }] },
        ],
      },
      servicePlayer(service),
    )
})
