/**
 * Who may import whom. Arrows point one way: deploy → api, sinks, connectors → processors, schemas → topology → state-stores,
 * connectors/kafka. The engine is the last three; it imports nothing of the application.
 *
 * A place is a folder with one door. `values` may be imported by its door, also at run time; `types` only with
 * `import type`. A path that ends in .ts names a single file.
 */

export interface Allowance {
  readonly values: readonly string[]
  readonly types?: readonly string[]
  /** npm packages; node's own modules are always allowed, except where `pure`. */
  readonly packages?: readonly string[]
  /** Nothing of the machine: no file, no network, no clock of its own. */
  readonly pure?: boolean
}

const anything: Allowance = { values: ['*'], packages: ['*'] }

const connector: Allowance = {
  values: ['schemas', 'topology', 'connectors/kafka', 'connectors/postgres', 'connectors/http'],
  types: ['connectors/effects'],
}

const endpoints: Allowance = {
  values: ['api/http', 'schemas', 'sinks', 'connectors/kafka', 'connectors/postgres', 'topology/errors.ts'],
  types: ['topology', 'connectors/registry'],
  packages: ['zod', 'prom-client'],
}

/** By place, the longest match first; `connectors/*` and `api/*` stand for those not named. */
export const importMap: Readonly<Record<string, Allowance>> = {
  // The engine.
  topology: { values: ['state-stores', 'connectors/kafka'], packages: [] },
  'state-stores': { values: [], packages: ['@nxtedition/rocksdb'] },
  'connectors/kafka': { values: [], packages: ['@node-rs/crc32', '@platformatic/kafka'] },

  // The application.
  schemas: { values: ['topology/errors.ts'], types: ['topology'], packages: [] },
  processors: { values: ['schemas', 'topology'], packages: [], pure: true },
  sinks: { values: ['schemas', 'topology', 'connectors/kafka', 'connectors/postgres'], packages: [] },
  'connectors/postgres': { values: [], packages: ['pg'] },
  'connectors/http': { values: [], types: ['connectors/effects'], packages: [] },
  'connectors/registry': { ...connector, packages: ['zod'] },
  'connectors/storage': { values: ['connectors/http'], packages: ['@aws-sdk/client-s3'] },
  'connectors/rendering': {
    ...connector,
    values: ['schemas', 'connectors/storage'],
    packages: ['pdfkit', 'qrcode'],
  },
  'connectors/sandbox': { ...connector, values: [...connector.values, 'connectors/storage'], packages: ['zod'] },
  'connectors/agents': {
    ...connector,
    packages: ['@langchain/core', '@langchain/langgraph', '@langchain/langgraph-checkpoint'],
  },
  'connectors/payments': { ...connector, packages: ['zod', 'stripe'] },
  'connectors/llm': { ...connector, packages: ['openai', '@anthropic-ai/sdk', 'ajv', 'zod'] },
  'connectors/*': { ...connector, packages: ['zod'] },
  'api/http': { values: [], types: ['schemas', 'topology'], packages: ['express', 'pino', 'prom-client', 'zod'] },
  'api/auth': { ...endpoints, packages: ['zod', 'jose', 'bcrypt'] },
  'api/demo': { ...endpoints, values: [...endpoints.values, 'api/ingest'] },
  'api/agents': { ...endpoints, values: [...endpoints.values, 'api/auth'] },
  'api/query': { ...endpoints, values: [...endpoints.values, 'api/ingest'] },
  // Its modules run in browsers; the libraries they name are served to them.
  'api/console': { values: ['api/http', 'schemas'], packages: ['amaro', '@dagrejs/dagre', 'uplot'] },
  'api/webhooks': { ...endpoints, values: [...endpoints.values, 'api/ingest'] },
  'api/*': endpoints,
  api: {
    values: [
      'api/http',
      'api/agents',
      'api/auth',
      'api/console',
      'api/demo',
      'api/ingest',
      'api/operator',
      'api/query',
      'api/relay',
      'api/webhooks',
      ...endpoints.values,
    ],
    packages: [],
  },

  // What runs in other people's processes: nothing of the platform's own comes with it.
  client: { values: ['schemas', 'connectors/kafka', 'topology/errors.ts'], types: ['topology'], packages: [] },

  // What puts it together; nothing imports these.
  deploy: anything,
  examples: anything,
  bench: anything,
  tests: anything,
}

/** Doors besides `index.ts` and `port.ts`, each with its reason. */
export const furtherDoors: Readonly<Record<string, string>> = {
  'topology/testing/index.ts': "the engine's second subpath export, for tests",
  'topology/errors.ts': 'one class; the door would load the whole engine into a codec',
  'topology/clock.ts': 'types alone',
  'topology/graph/serde.ts': 'the codec interface, types alone',
  'connectors/llm/prices.ts': 'a table; the door would load two SDKs into whoever reads the configuration',
  'deploy/local/kafka.ts': 'benchmarks start a broker of their own; deploy has no door, nothing is built on it',
  'deploy/machine.ts': 'likewise: time and chance of the machine',
  'examples/acquire.ts': 'started as a process of its own',
  'examples/acquire/acquisition.ts': "a company's way from sign-up on, which chaos has its own companies go",
  'examples/acquire/fates.ts': 'how its companies behave, as the sandbox is told',
  'examples/acquire/house.ts': 'who decides for us meanwhile',
  'examples/acquire/http.ts': 'its client, which outlives kills of the server',
  'examples/acquire/lifecycle.ts': 'its way to the end',
  'examples/companies.ts': 'a list of names',
  'api/http/endpoint.ts': 'what an endpoint is; the door would load the server',
  'api/http/body.ts': 'reads bytes; the door would load the server',
  'api/http/rate-limit.ts': 'counts requests; the door would load the server',
  'api/http/exchange.ts': 'what is known of a request under way; the door would load the server',
  'api/http/server.ts': 'what a mount is, types alone',
  'api/http/validate.ts': 'checks bodies; the door would load the server',
  'api/http/json.ts': 'one strict parser; the door would load the server',
  'api/http/problem.ts': 'one error class; the door would load the server',
}

/** Layers inside the engine's heart: what is declared does not know what runs it. */
export const innerLayers: readonly {
  readonly within: string
  readonly never: readonly string[]
  readonly why: string
}[] = [
  {
    within: 'topology/graph/',
    never: ['topology/runtime/', 'topology/testing/', 'topology/dsl/'],
    why: 'a topology is a value; what runs it is given the value',
  },
  {
    within: 'topology/dsl/',
    never: ['topology/runtime/', 'topology/testing/'],
    why: 'the DSL returns graph nodes',
  },
  {
    within: 'topology/runtime/',
    never: ['topology/testing/', 'topology/dsl/'],
    why: 'the same runtime runs in tests and in production',
  },
]
