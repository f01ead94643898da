import { defineConfig } from 'vitest/config'
import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'

/** What takes a minute or more begins, the longest first: none of it is what everything else waits for in the end. */
const long = [
  ...['tests/deploy/chaos-ledger', 'tests/planted/', 'tests/deploy/chaos-providers', 'tests/simulation/simulation'],
  ...['tests/e2e/processes', 'tests/connectors/kafka/wire/cluster', 'tests/interop/', 'tests/conformance/'],
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = long.findIndex((part) => moduleId.includes(part))
      return found === -1 ? long.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Vite names its own mode MODE, which is a setting of ours: unset for the processes that tests start.
    env: { MODE: '' },
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    coverage: {
      provider: 'v8',
      include: [
        'topology',
        'state-stores',
        'connectors',
        'schemas',
        'processors',
        'sinks',
        'api',
        'deploy',
        'client',
        'examples',
      ].map((folder) => `${folder}/**/*.ts`),
      reporter: ['json-summary'],
      reportOnFailure: true,
    },
  },
})
