/** Plays every scenario of every processor, and holds every service to the contract all processors keep. */

import { describe, expect, test } from 'vitest'
import { services } from '../../processors/index.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'
import { processorContract } from '../contracts/processor.ts'
import { scenariosOf } from './scenarios.ts'

for (const service of services()) {
  const scenarios = await scenariosOf(service)
  describe(service.name, () => {
    test.each(scenarios.map((scenario) => [scenario.it, scenario] as const))('%s', async (_, scenario) => {
      await playScenario(scenario, servicePlayer(service))
    })
    processorContract(service, scenarios)
  })
}

test('durable names are unique', () => {
  const list = services()
  const processors = list.flatMap((service) => service.processors.map((processor) => processor.name))
  expect(new Set(list.map((service) => service.name)).size).toBe(list.length)
  expect(new Set(processors).size).toBe(processors.length)
})
