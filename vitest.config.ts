import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Vite names its own mode MODE, which is a setting of ours: unset for the processes that tests start.
    env: { MODE: '' },
    pool: 'forks',
    maxWorkers: 2,
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
