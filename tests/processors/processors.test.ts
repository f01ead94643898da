/** Plays every scenario of every processor, and holds every service to the contract all processors keep. */

import { describe, expect, test } from 'vitest'
import type { Scenario, Service } from '../../processors/index.ts'
import { services } from '../../processors/index.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'
import { processorContract } from '../contracts/processor.ts'

/** Found by the processor's name: its folder holds its scenarios. */
async function scenariosOf(service: Service): Promise<readonly Scenario[]> {
  const modules = await Promise.all(
    service.processors.map(
      ({ name }) =>
        import(`../../processors/${name}/scenarios.ts`) as Promise<{ readonly scenarios: readonly Scenario[] }>,
    ),
  )
  return modules.flatMap((module) => module.scenarios)
}

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
