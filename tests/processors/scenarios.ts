import type { Scenario, Service } from '../../processors/index.ts'

/** A service's scenarios, found by its processors' names: each folder holds its own. */
export async function scenariosOf(service: Service): Promise<readonly Scenario[]> {
  const modules = await Promise.all(
    service.processors.map(
      ({ name }) =>
        import(`../../processors/${name}/scenarios.ts`) as Promise<{ readonly scenarios: readonly Scenario[] }>,
    ),
  )
  return modules.flatMap((module) => module.scenarios)
}
