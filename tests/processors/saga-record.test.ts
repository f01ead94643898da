/** What the saga keeps of a lifecycle, and that it alone orders what is undone. */

import { expect, test } from 'vitest'
import { services } from '../../processors/index.ts'
import { lifecycleSaga } from '../../processors/lifecycle-saga/index.ts'
import {
  created,
  days,
  day,
  engaged,
  researchCompleted,
  seconds,
} from '../../processors/lifecycle-saga/scenario-data.ts'
import { playScenario, scenarioEvent, scenarioTenants, servicePlayer } from '../../processors/scenario.ts'
import type { ScenarioInput, ScenarioTenant } from '../../processors/define.ts'
import type { SagaState } from '../../processors/lifecycle-saga/state.ts'
import { clientEvents, uuidv5 } from '../../schemas/index.ts'
import { scenariosOf } from './scenarios.ts'

const player = () => servicePlayer(lifecycleSaga())
const recordOf = (of: ReturnType<typeof player>, tenant: ScenarioTenant): SagaState => {
  const { tenantId, organizationId } = scenarioTenants[tenant]
  return of.states().get(`lifecycles ${tenantId}|${organizationId}`) as SagaState
}
function tell(of: ReturnType<typeof player>, ...inputs: readonly ScenarioInput[]): void {
  for (const when of inputs) {
    if (!('payload' in when)) throw new Error('these are events')
    const { topic, type, payload, at, tenant = 'a' } = when
    const by = { type: 'user', id: 'user-1' } as const
    of.send({ topic, event: scenarioEvent(tenant, type, payload, at, uuidv5(`${tenant} ${type} ${at}`), by) })
  }
}

test('keeps of each organization its step, since when, until when, what was done and how often it was tried (4.5.2)', () => {
  const saga = player()
  tell(saga, created, researchCompleted(seconds(4)), engaged(days(1)))
  tell(saga, { ...created, tenant: 'b' })
  expect(recordOf(saga, 'a')).toMatchObject({
    step: 'nda',
    status: 'running',
    started_at: days(1),
    deadline: days(31),
    attempts: 1,
    done: [
      { step: 'research', at: seconds(4), ms: 4_000, ref: 's1' },
      { step: 'demo', at: days(1), ms: day - 4_000, ref: 'd1' },
    ],
  })
  expect(recordOf(saga, 'b')).toMatchObject({ step: 'research', status: 'running', deadline: seconds(300), done: [] })
})

test('a record that was begun is never deleted, whatever is played (4.5.14)', async () => {
  const service = lifecycleSaga()
  let kept = 0
  for (const scenario of await scenariosOf(service))
    await playScenario(
      scenario,
      servicePlayer(service, (processor, state, input, context) => {
        const step = processor.handle(state, input as never, context)
        if (state === null) return step
        expect(step.state, scenario.it).not.toBeNull()
        kept += 1
        return step
      }),
    )
  expect(kept).toBeGreaterThan(100)
})

test('nobody else speaks of the lifecycle, so nobody else orders that a step is undone (4.5.4)', () => {
  const writers = services().flatMap(({ name, processors }) =>
    processors.some(({ writes }) => writes.some((topic) => topic.name === clientEvents.name)) ? [name] : [],
  )
  expect(writers).toEqual(['lifecycle-saga'])
})
