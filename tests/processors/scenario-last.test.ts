/** What stands for an earlier event in a scenario is not the event itself. */

import { expect, test } from 'vitest'
import type { Player, Told } from '../../processors/scenario.ts'
import { playScenario, scenarioEvent } from '../../processors/scenario.ts'
import type { Scenario } from '../../processors/index.ts'
import { last } from '../../processors/index.ts'
import { documentEvents } from '../../schemas/index.ts'

/** Emits one call for each input, of the ids given. */
function caller(...ids: readonly string[]): Player {
  const left = [...ids]
  return {
    advanceTo: () => [],
    send({ event }): readonly Told[] {
      const payload = { call_id: left.shift() ?? '', provider: 'p', operation: 'o', attempt: 1 }
      const called = scenarioEvent('a', 'call_requested', payload, event.timestamp, 'e', { type: 'user', id: 'u' })
      return [{ topic: documentEvents, event: called }]
    },
  }
}

const again: Scenario = {
  it: 'keeps the id',
  play: [
    { when: { topic: documentEvents, type: 'said', payload: {}, at: 1 }, then: [{ type: 'call_requested' }] },
    {
      when: { answer: {}, at: 2 },
      then: [{ type: 'call_requested', payload: { call_id: last('call_requested', 'call_id') } }],
    },
  ],
}

test('the same id as before fits, another does not, and where there is none before it is said', async () => {
  await playScenario(again, caller('one', 'one'))
  await expect(playScenario(again, caller('one', 'two'))).rejects.toThrow('call_requested.call_id')
  const first = { ...again, play: [{ ...again.play[1]!, when: again.play[0]!.when }] }
  await expect(playScenario(first, caller('one'))).rejects.toThrow('but there was none')
})
