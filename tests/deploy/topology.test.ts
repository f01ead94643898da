import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { defaultDemoChatSettings, demoChatTopology } from '../../connectors/agents/index.ts'
import { effectsTopology } from '../../connectors/effects/index.ts'
import { compileService, services } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { Serde } from '../../topology/index.ts'
import { describe } from '../../topology/index.ts'
import { HandClock } from '../../topology/testing/index.ts'

const file = new URL('../golden/topology.txt', import.meta.url)
const noSerde = { prepare: () => Promise.resolve() } as unknown as Required<Serde<never>>
const keyRing = { load: () => Promise.resolve(), get: () => undefined }

/** The diff of the golden file is the review of a change of wiring; UPDATE=1 writes it anew. */
test('the wiring of all applications is as recorded', () => {
  const compiled = services().map((service) => compileService(service, { event: () => noSerde as never, keyRing }))
  const effects = effectsTopology({
    providers: [],
    topics: topics.filter((topic) => topic.name === 'research_events'),
    codec: () => noSerde as never,
    clock: new HandClock(),
  })
  const demoChat = demoChatTopology({
    codec: noSerde,
    keyRing,
    model: { complete: () => Promise.reject(new Error('not to be asked')) },
    clock: new HandClock(),
    time: new HandClock(),
    settings: defaultDemoChatSettings,
  })
  const drawn = [...compiled, effects, demoChat].map(describe).join('\n')
  if (process.env['UPDATE'] === '1' || !existsSync(file)) writeFileSync(file, drawn)
  const recorded = readFileSync(file, 'utf8')
  expect(drawn, 'the wiring changed: UPDATE=1 npm test -- tests/deploy/topology.test.ts records it').toBe(recorded)
})
