import { mkdtempSync, readFileSync, rmSync, statSync, chmodSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { editDistance } from '../../deploy/configuration/misspelt.ts'
import { variables } from '../../deploy/configuration/variables.ts'
import { knownPrices } from '../../connectors/llm/prices.ts'
import { pricesOf } from '../../deploy/providers.ts'
import { objectStoreNotice } from '../../deploy/object-store.ts'
import type { Config, Environment } from '../../deploy/config.ts'
import { allPoints } from '../house/crash-points.ts'
import { loadSecrets, printConfig, readConfig, SecretsError } from '../../deploy/config.ts'

const goodSecret = (letter: string): string => letter.repeat(32)
const allSecrets = {
  JWT_SECRET: goodSecret('a'),
  CODE_SECRET: goodSecret('b'),
  EMAIL_PEPPER: goodSecret('c'),
  DATA_KEY_SECRET: goodSecret('d'),
  DATABASE_ROLE_SECRET: goodSecret('e'),
}

function configOf(environment: Environment): Config {
  const result = readConfig(environment)
  if ('errors' in result) throw new Error(result.errors.join('\n'))
  return result.config
}

function errorsOf(environment: Environment, services: readonly string[] | null = null): readonly string[] {
  const result = readConfig(environment, services)
  return 'errors' in result ? result.errors : []
}

describe('defaults', () => {
  test('are these', async () => {
    const printed = printConfig(configOf({})).map((line) => line.replace(resolve('.'), '.'))
    await expect(`${printed.join('\n')}\n`).toMatchFileSnapshot('../golden/config.txt')
  })

  test('are frozen to the bottom', () => {
    const config = configOf({})
    expect(() => Object.assign(config.stream, { commitIntervalMs: 1 })).toThrow(TypeError)
    expect(() => Object.assign(config.providers.sendgrid.from, { email: 'x' })).toThrow(TypeError)
  })

  test('stay when a variable is set to nothing', () => {
    expect(configOf({ PORT: '', DATABASE_URL: '', SERVICES: '' })).toEqual(configOf({}))
  })
})

describe('a good value', () => {
  test('reaches its place', () => {
    const config = configOf({
      PORT: '0',
      ROLES: 'api, sinks',
      SERVICES: 'identity, research',
      STATE_FLUSH_BYTES: '65536',
    })
    expect(config.http.port).toBe(0)
    expect(config.roles).toEqual(['api', 'sinks'])
    expect(config.services).toEqual(['identity', 'research'])
    expect(config.state.flushBytes).toBe(65536)
  })

  test('secrets of tokens before: several, none of them shown', () => {
    const config = configOf({ JWT_SECRETS_PREVIOUS: `${goodSecret('y')}, ${goodSecret('z')}`, API_KEY_PER_MINUTE: '0' })
    expect(config.identity.previousTokenSecrets).toEqual([goodSecret('y'), goodSecret('z')])
    expect(config.identity.apiKeyPerMinute).toBe(0)
    expect(printConfig(config).join('\n')).not.toContain('yyyy')
    expect(printConfig(config)).toContain('identity.previousTokenSecrets = (given)')
  })

  test('proxies that are trusted are addresses and networks', () => {
    expect(configOf({ TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.1,fd00::/8,::1' }).http.trustedProxies).toEqual([
      ...['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '::1'],
    ])
    expect(configOf({}).http.trustedProxies).toEqual([])
  })

  test('brokers make Kafka the log', () => {
    expect(configOf({}).kafka).toBeNull()
    const plain = configOf({ KAFKA_BROKERS: 'kafka-1:9092, kafka-2:9092' }).kafka
    expect(plain).toEqual({ bootstrap: ['kafka-1:9092', 'kafka-2:9092'], tls: null, sasl: null })
    const sasl = { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'app', KAFKA_SASL_PASSWORD: 'hunter22' }
    expect(configOf({ KAFKA_BROKERS: 'k:1', KAFKA_SSL: 'true', KAFKA_SSL_CA: 'ca.pem', ...sasl }).kafka).toMatchObject({
      tls: { caFile: 'ca.pem' },
      sasl: { mechanism: 'PLAIN', username: 'app', password: 'hunter22' },
    })
  })

  test('an address makes the registry an outside one', () => {
    expect(configOf({}).registry).toBeNull()
    const url = 'https://registry.test/apis/ccompat/v7/'
    expect(configOf({ SCHEMA_REGISTRY_URL: url }).registry).toEqual({
      url: 'https://registry.test/apis/ccompat/v7',
      credentials: null,
      caFile: null,
    })
    const basic = { SCHEMA_REGISTRY_USERNAME: 'app', SCHEMA_REGISTRY_PASSWORD: 'hunter22' }
    expect(configOf({ SCHEMA_REGISTRY_URL: url, SCHEMA_REGISTRY_CA: 'ca.pem', ...basic }).registry).toMatchObject({
      credentials: { username: 'app', password: 'hunter22' },
      caFile: 'ca.pem',
    })
    expect(configOf({ SCHEMA_REGISTRY_URL: url, SCHEMA_REGISTRY_TOKEN: 'abc' }).registry).toMatchObject({
      credentials: { token: 'abc' },
    })
    // In development, and to this machine, it may be plain.
    expect(errorsOf({ SCHEMA_REGISTRY_URL: 'http://registry.test' })).toEqual([])
  })

  test('every crash point of the list can be named', () => {
    for (const point of allPoints) expect(configOf({ CRASH_POINT: `${point}:2` }).crashPoint).toBe(`${point}:2`)
    expect(errorsOf({ CRASH_POINT: `C${allPoints.length + 1}` })).toHaveLength(1)
  })

  test('a key makes a provider live, at its own address and rate', () => {
    const { perplexity } = configOf({ PERPLEXITY_API_KEY: 'pplx-12345678' }).providers
    expect(perplexity).toMatchObject({ mode: 'live', ratePerMinute: 10, baseUrl: 'https://api.perplexity.ai' })
    const elsewhere = configOf({ PERPLEXITY_API_KEY: 'pplx-12345678', PERPLEXITY_BASE_URL: 'http://127.0.0.1:9/x/' })
    expect(elsewhere.providers.perplexity.baseUrl).toBe('http://127.0.0.1:9/x')
  })

  test('a key makes language models live, and a vendor without one is never the sandbox then', () => {
    expect(configOf({}).providers.llm).toMatchObject({
      ...{ mode: 'sandbox', ratePerMinute: null, primaryAttempts: 2, effort: 'low' },
      openai: { model: 'gpt-6-luna', baseUrl: null },
      anthropic: { model: 'claude-sonnet-5-5', baseUrl: null },
    })
    const { llm } = configOf({ ANTHROPIC_API_KEY: 'sk-ant-12345678', LLM_EFFORT: 'default' }).providers
    expect(llm).toMatchObject({ mode: 'live', openai: null, ratePerMinute: 500, effort: null })
    expect(llm.anthropic?.baseUrl).toBe('https://api.anthropic.com')
    const both = configOf({ OPENAI_API_KEY: 'sk-12345678', OPENAI_MODEL: 'gpt-7', OPENAI_MODEL_PRICE: '0.15/12' })
    expect(both.providers.llm.openai?.price).toMatchObject({ input: 150_000, output: 12_000_000 })
    const { embeddingPrice } = configOf({ OPENAI_EMBEDDING_PRICE: '0.02' }).providers.llm
    expect([embeddingPrice?.input, llm.embeddingPrice]).toEqual([20_000, null])
    const priced = { OPENAI_API_KEY: 'sk-12345678', OPENAI_MODEL_PRICE: '7/8', OPENAI_EMBEDDING_PRICE: '0.5' }
    const { models } = pricesOf(configOf(priced).providers.llm)
    expect(models['gpt-6-luna']).toMatchObject({ input: 7_000_000, output: 8_000_000 })
    expect(models['text-embedding-3-small']).toMatchObject({ input: 500_000 })
    expect(pricesOf(configOf({}).providers.llm)).toEqual(knownPrices)
    expect(configOf({ LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: '0' }).providers.llm).toMatchObject({
      tenantDailyBudgetMicrodollars: null,
    })
  })

  test('names that others use in every environment are left alone', () => {
    const foreign = { PATH: '/bin', HOME: '/', NODE_ENV: 'production', NODE: 'x', LOST: 'x', SESSION_MANAGER: 'x' }
    const kubernetes = {
      KAFKA_SERVICE_HOST: '10.0.0.1',
      SCHEMA_REGISTRY_PORT_8081_TCP_ADDR: 'x',
      REDIS_PORT: 'tcp://x',
      REDIS_PORT_6379_TCP_ADDR: 'x',
    }
    expect(errorsOf({ ...foreign, ...kubernetes, KAFKA_HOME: '/opt/kafka', npm_config_port: '1' })).toEqual([])
  })
})

describe('one line per error, naming variable, given and wanted', () => {
  test.each<[Environment, string]>([
    [{ PORT: '80a' }, 'PORT: "80a" is given; wanted a whole number from 0 to 65535'],
    [{ PORT: '65536' }, 'PORT: "65536" is given; wanted a whole number from 0 to 65535'],
    [
      { COMMIT_INTERVAL_MS: '5s' },
      'COMMIT_INTERVAL_MS: "5s" is given; wanted a whole number of milliseconds from 1 to 3600000, without a unit',
    ],
    [{ COMMIT_INTERVAL_MS: '1e3' }, 'COMMIT_INTERVAL_MS: "1e3" is given'],
    [{ STATE_FLUSH_BYTES: '-1' }, 'STATE_FLUSH_BYTES: "-1" is given'],
    [{ MODE: 'prod' }, 'MODE: "prod" is given; wanted development or production'],
    [{ ROLES: 'api,api' }, 'ROLES: "api,api" is given'],
    [{ ROLES: 'api,wrker' }, 'ROLES: "api,wrker" is given; wanted all, or some of api, worker, effects, sinks'],
    [{ DATABASE_URL: 'mysql://u:hunter22@h/d' }, 'DATABASE_URL: a value of 22 characters is given'],
    [{ JWT_SECRET: 'hunter22' }, 'JWT_SECRET: a value of 8 characters is given; wanted at least 32 characters'],
    [{ TRUSTED_PROXIES: 'proxy.local' }, 'TRUSTED_PROXIES: "proxy.local" is given; wanted none, or addresses'],
    [{ TRUSTED_PROXIES: '10.0.0.0/33' }, 'TRUSTED_PROXIES: "10.0.0.0/33" is given'],
    [{ SENDGRID_FROM_EMAIL: 'nobody' }, 'SENDGRID_FROM_EMAIL: "nobody" is given; wanted an e-mail address'],
  ])('%o', (environment, line) => {
    const errors = errorsOf(environment)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(line)
    expect(errors[0]).not.toContain('hunter22')
    expect(errors[0]).not.toContain('\n')
  })

  test('all of them at once', () => {
    expect(errorsOf({ PORT: 'x', MODE: 'x', LOG_LEVEL: 'x', DATA_DIRR: 'x' })).toHaveLength(4)
  })

  test('an unknown service', () => {
    expect(errorsOf({ SERVICES: 'identity,reserch' }, ['identity', 'research'])).toEqual([
      'SERVICES: "reserch" is given; wanted some of identity, research',
    ])
  })
})

describe('a name that was meant for us', () => {
  test.each([
    ['DATA_DIRR', 'DATA_DIR'],
    ['DATADIR', 'DATA_DIR'],
    ['data_dir', 'DATA_DIR'],
    ['PROT', 'PORT'],
    ['ROLE', 'ROLES'],
    ['COMIT_INTERVAL_MS', 'COMMIT_INTERVAL_MS'],
    ['COMMIT_INTERVALL', 'COMMIT_INTERVAL_MS'],
    ['PERPLEXITY_KEY', 'PERPLEXITY_API_KEY'],
    ['JWT_SECRETS', 'JWT_SECRET'],
    ['SCHEMA_REGISTRY_URI', 'SCHEMA_REGISTRY_URL'],
    ['SCHEMA_REGISTRY_ADDRESS', 'SCHEMA_REGISTRY_URL'],
  ])('%s: %s is suggested', (name, meant) => {
    const errors = errorsOf({ [name]: 'hunter22' })
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(new RegExp(`^${name}: is not a setting; wanted ${meant}\\?`))
    expect(errors[0]).not.toContain('hunter22')
  })

  test('every name of ours with two letters swapped is noticed', () => {
    const swapped = fc.constantFrom(...Object.keys(variables)).chain((name) =>
      fc
        .integer({ min: 0, max: name.length - 2 })
        .filter((at) => name[at] !== name[at + 1])
        .map((at) => `${name.slice(0, at)}${name[at + 1]}${name[at]}${name.slice(at + 2)}`)
        .filter((other) => !(other in variables)),
    )
    fc.assert(
      fc.property(swapped, (name) => {
        expect(errorsOf({ [name]: '1' })).toHaveLength(1)
      }),
    )
  })

  test.each(['REDIS_URL', 'QDRANT_URL', 'NEO4J_URL'])('%s is refused with a reason, not ignored', (name) => {
    expect(errorsOf({ [name]: 'localhost:1' })[0]).toMatch(
      new RegExp(`^${name}: is given, but this build .*; unset it$`),
    )
  })

  test('edit distance: a metric that counts a swap once', () => {
    const word = fc.string({ unit: fc.constantFrom('A', 'B', '_'), maxLength: 8 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
      }),
    )
    expect(editDistance('PROT', 'PORT')).toBe(1)
    expect(editDistance('KITTEN', 'SITTING')).toBe(3)
  })
})

describe('settings that are fine alone but not together', () => {
  test.each<[Environment, string]>([
    [
      { COMMIT_INTERVAL_MS: '10000' },
      'COMMIT_INTERVAL_MS: 10000 is given; wanted less than TRANSACTION_TIMEOUT_MS (10000)',
    ],
    [
      { TRANSACTION_TIMEOUT_MS: '45000' },
      'TRANSACTION_TIMEOUT_MS: 45000 is given; wanted less than SESSION_TIMEOUT_MS (45000)',
    ],
    [
      { HEARTBEAT_INTERVAL_MS: '15001' },
      'HEARTBEAT_INTERVAL_MS: 15001 is given; wanted at most a third of SESSION_TIMEOUT_MS (15000)',
    ],
    [
      { COMMIT_MIN_INTERVAL_MS: '101' },
      'COMMIT_MIN_INTERVAL_MS: 101 is given; wanted at most COMMIT_INTERVAL_MS (100)',
    ],
    [
      { STATE_BUFFER_BYTES: '1048576' },
      'STATE_FLUSH_BYTES: 16777216 is given; wanted at most STATE_BUFFER_BYTES (1048576)',
    ],
    [{ STREAM_WORKERS: '2' }, 'STREAM_WORKERS: 2 is given without KAFKA_BROKERS'],
    [{ KAFKA_SSL: 'true' }, 'KAFKA_SSL: is given without KAFKA_BROKERS'],
    [{ KAFKA_BROKERS: 'k:9092', KAFKA_SSL_CA: 'ca.pem' }, 'KAFKA_SSL_CA: is given without KAFKA_SSL=true'],
    [{ KAFKA_BROKERS: 'k:9092', KAFKA_SASL_USERNAME: 'app' }, 'KAFKA_SASL_USERNAME: one of name and'],
    [{ S3_ENDPOINT: 'http://127.0.0.1:9000' }, 'S3_ENDPOINT: is given without S3_BUCKET'],
    [{ S3_ACCESS_KEY_ID: 'id' }, 'S3_ACCESS_KEY_ID: is given without S3_BUCKET'],
    [{ S3_BUCKET: 'acme', S3_ACCESS_KEY_ID: 'id' }, 'S3_SECRET_ACCESS_KEY: is not given; wanted with S3_BUCKET'],
    [
      {
        S3_BUCKET: 'acme',
        S3_ACCESS_KEY_ID: 'id',
        S3_SECRET_ACCESS_KEY: 'secret',
        S3_ENDPOINT: 'http://objects.example',
      },
      'S3_ENDPOINT: is plain http to another machine',
    ],
    [
      { KAFKA_SASL_USERNAME: 'app', KAFKA_SASL_PASSWORD: 'hunter22' },
      'KAFKA_SASL_USERNAME: is given without KAFKA_BROKERS',
    ],
    [{ SCHEMA_REGISTRY_TOKEN: 'hunter22' }, 'SCHEMA_REGISTRY_TOKEN: is given without SCHEMA_REGISTRY_URL'],
    [{ SCHEMA_REGISTRY_CA: 'ca.pem' }, 'SCHEMA_REGISTRY_CA: is given without SCHEMA_REGISTRY_URL'],
    [
      { SCHEMA_REGISTRY_USERNAME: 'app', SCHEMA_REGISTRY_PASSWORD: 'hunter22' },
      'SCHEMA_REGISTRY_USERNAME: is given without SCHEMA_REGISTRY_URL',
    ],
    [
      { SCHEMA_REGISTRY_URL: 'https://app:hunter22@r.test' },
      'SCHEMA_REGISTRY_URL: has a name or a password in it; wanted them in SCHEMA_REGISTRY_USERNAME',
    ],
    [{ SCHEMA_REGISTRY_URL: 'https://r.test/?key=hunter22' }, 'SCHEMA_REGISTRY_URL: has a ? or a # in it'],
    [
      { SCHEMA_REGISTRY_URL: 'https://r.test', SCHEMA_REGISTRY_PASSWORD: 'hunter22' },
      'SCHEMA_REGISTRY_USERNAME: one of name and',
    ],
    [
      {
        SCHEMA_REGISTRY_URL: 'https://r.test',
        SCHEMA_REGISTRY_USERNAME: 'app',
        SCHEMA_REGISTRY_PASSWORD: 'hunter22',
        SCHEMA_REGISTRY_TOKEN: 'hunter22',
      },
      'SCHEMA_REGISTRY_TOKEN: is given with SCHEMA_REGISTRY_USERNAME; wanted one of them',
    ],
    [
      { SCHEMA_REGISTRY_URL: 'http://127.0.0.1:8081', SCHEMA_REGISTRY_CA: 'ca.pem' },
      'SCHEMA_REGISTRY_CA: is given with an address of plain http; wanted https',
    ],
    [{ CLOCK: 'warp', ROLES: 'api' }, 'CLOCK: warp is given with a part of the platform; wanted all'],
    [{ CLOCK: 'warp', SERVICES: 'research' }, 'CLOCK: warp is given with a part of the platform; wanted all'],
    [{ CLOCK: 'warp', PERPLEXITY_API_KEY: 'hunter22' }, 'CLOCK: warp is given with a key for perplexity; wanted'],
    [{ SANDBOX_URL: 'http://127.0.0.1:9000' }, 'SANDBOX_URL: is given without CLOCK=warp; wanted both'],
    [
      { CLOCK: 'warp', SANDBOX_URL: 'http://sandbox.test' },
      'SANDBOX_URL: is on another machine; wanted an address of this one',
    ],
    [{ PROCESSING_GUARANTEE: 'at_least_once' }, 'PROCESSING_GUARANTEE: at_least_once is given, but'],
    [{ PERPLEXITY_BASE_URL: 'https://p.test' }, 'PERPLEXITY_BASE_URL: is given without PERPLEXITY_API_KEY'],
    [
      { WEBSCRAPER_BASE_URL: 'http://w.test', WEBSCRAPER_API_KEY: 'hunter22' },
      'WEBSCRAPER_BASE_URL: is plain http to another machine; wanted https',
    ],
    [{ SENDGRID_API_KEY: 'hunter22' }, 'SENDGRID_FROM_EMAIL: is not given'],
    [{ MIXPANEL_API_KEY: 'account:secret' }, 'MIXPANEL_PROJECT_ID: is not given; wanted with a service account'],
    [{ OPENAI_BASE_URL: 'https://o.test' }, 'OPENAI_BASE_URL: is given without OPENAI_API_KEY'],
    [
      { ANTHROPIC_BASE_URL: 'http://a.test', ANTHROPIC_API_KEY: 'hunter22' },
      'ANTHROPIC_BASE_URL: is plain http to another machine; wanted https',
    ],
    [
      { OPENAI_MODEL: 'gpt-7' },
      'OPENAI_MODEL: "gpt-7" is given, whose price is not known here; wanted OPENAI_MODEL_PRICE',
    ],
    [
      { JWT_SECRET: goodSecret('a'), CODE_SECRET: goodSecret('a') },
      'CODE_SECRET: has the same value as JWT_SECRET; wanted a secret of its own',
    ],
    [
      { JWT_SECRET: goodSecret('a'), JWT_SECRETS_PREVIOUS: goodSecret('a') },
      'JWT_SECRETS_PREVIOUS: has the value of JWT_SECRET; wanted what JWT_SECRET was before',
    ],
    [
      { JWT_SECRETS_PREVIOUS: `${goodSecret('a')},${goodSecret('a')}` },
      'JWT_SECRETS_PREVIOUS: has a secret twice; wanted each once',
    ],
    [
      { JWT_SECRETS_PREVIOUS: `${goodSecret('a')},hunter22` },
      'JWT_SECRETS_PREVIOUS: a value of 41 characters is given; wanted up to 8 secrets of at least 32 characters',
    ],
  ])('%o', (environment, line) => {
    const errors = errorsOf(environment)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(line)
    expect(errors[0]).not.toContain('hunter22')
  })

  test('a database of your own asks for every secret', () => {
    const url = 'postgres://owner:hunter22@db.test/lifecycle'
    expect(errorsOf({ DATABASE_URL: url })).toHaveLength(5)
    expect(errorsOf({ DATABASE_URL: url, ...allSecrets })).toEqual([])
  })

  test('production has no sandbox and no generated secret', () => {
    const errors = errorsOf({ MODE: 'production' })
    expect(errors.filter((line) => line.includes('_API_KEY: is not given; wanted in production'))).toHaveLength(7)
    expect(errors.filter((line) => line.includes('wanted in production: at least 32'))).toHaveLength(5)
  })

  test('production names where people reach it, in https', () => {
    const lines = (environment: Environment) =>
      errorsOf({ MODE: 'production', ...environment }).filter((line) => line.startsWith('PUBLIC_URL'))
    expect(lines({})).toEqual([
      'PUBLIC_URL: is not given; wanted in production: links in mail and in QR codes would lead to HOST and PORT',
    ])
    expect(lines({ PUBLIC_URL: 'http://us.test' })).toEqual([
      expect.stringMatching(/^PUBLIC_URL: is plain http; wanted https/),
    ])
    for (const PUBLIC_URL of ['https://us.test', 'http://127.0.0.1:8080']) expect(lines({ PUBLIC_URL })).toEqual([])
    expect(errorsOf({})).toEqual([])
  })

  test('production on Kafka keeps files where every process sees them; elsewhere a line says that nobody else does', () => {
    const bucket = { S3_BUCKET: 'acme', S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'secret' }
    const lines = (environment: Environment) =>
      errorsOf({ MODE: 'production', ...environment }).filter((line) => line.startsWith('S3_'))
    expect(lines({ KAFKA_BROKERS: 'k:1' })).toEqual([
      'S3_BUCKET: is not given; wanted in production with KAFKA_BROKERS: a file in DATA_DIR is not there for another process',
    ])
    expect([lines({ KAFKA_BROKERS: 'k:1', ...bucket }), lines({})]).toEqual([[], []])
    for (const part of [{ KAFKA_BROKERS: 'k:1' }, { ROLES: 'api' }, { SERVICES: 'identity' }]) {
      expect(objectStoreNotice(configOf(part))).toContain('no other process sees them')
      expect(objectStoreNotice(configOf({ ...part, ...bucket }))).toBeNull()
    }
    expect(objectStoreNotice(configOf({}))).toBeNull()
  })

  test('production can verify what providers post', () => {
    const lines = (environment: Environment) =>
      errorsOf({ MODE: 'production', ...environment }).filter((line) => line.startsWith('WEBHOOK_SECRETS_'))
    expect(lines({}).map((line) => line.split(':')[0])).toEqual([
      'WEBHOOK_SECRETS_DOCUSIGN',
      'WEBHOOK_SECRETS_STRIPE',
      'WEBHOOK_SECRETS_SENDGRID',
    ])
    expect(lines({ WEBHOOK_SECRETS_STRIPE: `main=${'x'.repeat(16)}` })).toHaveLength(2)
  })

  test.each([
    ['LANGSMITH_TRACING', 'true'],
    ['LANGSMITH_TRACING_V2', 'true'],
    ['LANGCHAIN_TRACING_V2', 'TRUE'],
    ['LANGCHAIN_TRACING', 'true'],
    ['ANTHROPIC_CUSTOM_HEADERS', 'x-a: b'],
    ['OPENAI_CUSTOM_HEADERS', 'x-a: b'],
  ])('%s, which a library would read by itself, is refused; set to nothing or to false it is not', (name, value) => {
    const errors = errorsOf({ [name]: value })
    expect(errors).toEqual([expect.stringMatching(new RegExp(`^${name}: is given, but .*; unset it$`))])
    expect(errors[0]).not.toContain('x-a')
    expect(errorsOf({ [name]: '' })).toEqual([])
    if (name.includes('TRACING')) expect(errorsOf({ [name]: 'false' })).toEqual([])
  })

  test('DocuSign is whole or not there', () => {
    const key = '-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----'
    const ours = { SIGNER_EMAIL: 'ada@acme.test', SELLER_ADDRESS: '2 High Road; SW1 London' }
    const more = { DOCUSIGN_USER_ID: 'u', DOCUSIGN_ACCOUNT_ID: 'a', ...ours }
    const whole = { DOCUSIGN_API_KEY: 'integration', DOCUSIGN_PRIVATE_KEY: key, ...more }
    expect(errorsOf(whole)).toEqual([])
    for (const name of ['DOCUSIGN_PRIVATE_KEY', 'DOCUSIGN_USER_ID', 'DOCUSIGN_ACCOUNT_ID', ...Object.keys(ours)])
      expect(errorsOf({ ...whole, [name]: '' })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))])
    expect(errorsOf({ ...whole, DOCUSIGN_AUTH_URL: 'http://auth.test' })).toHaveLength(1)
    // An account is on one of several servers, and only DocuSign knows on which.
    expect(configOf(whole).providers.docusign).toMatchObject({
      ...{ mode: 'live', baseUrl: null, authUrl: 'https://account.docusign.com' },
    })
    expect(errorsOf({ DOCUSIGN_PRIVATE_KEY: 'no key' })).toEqual([
      'DOCUSIGN_PRIVATE_KEY: a value of 6 characters is given; wanted a private key in PEM, from BEGIN to END',
    ])
  })

  test('the seller has an address of a few lines, and everything else of it in one', () => {
    const { seller } = configOf({
      SELLER_NAME: 'Acme',
      SELLER_ADDRESS: ' 2 High Road; SW1 London ;UK',
      SELLER_REGISTRATION: '',
    })
    expect(seller).toEqual({
      name: 'Acme',
      address: ['2 High Road', 'SW1 London', 'UK'],
      registration: null,
      governingLaw: 'England and Wales',
      jurisdiction: 'London',
    })
    for (const address of ['a;;b', ';', 'x'.repeat(121), 'a;b;c;d;e;f;g'])
      expect(errorsOf({ SELLER_ADDRESS: address })).toEqual([
        expect.stringMatching(/^SELLER_ADDRESS: .*wanted up to 6 lines of 120 characters with ; between them$/),
      ])
    expect(errorsOf({ SELLER_NAME: 'x'.repeat(201), SELLER_JURISDICTION: 'x'.repeat(81) })).toHaveLength(2)
  })

  test('webhook secrets are by endpoint, several while one is replaced', () => {
    const secret = 'x'.repeat(16)
    const of = (text: string) => {
      const read = readConfig({ WEBHOOK_SECRETS_DOCUSIGN: text })
      return 'errors' in read ? null : read.config.webhooks.docusign
    }
    expect(of(`main=${secret},${secret}y= eu=${secret}`)).toEqual({ main: [secret, `${secret}y=`], eu: [secret] })
    for (const wrong of [
      'main',
      `main=${secret.slice(1)}`,
      `a=${secret} a=${secret}`,
      `sandbox=${secret}`,
      `A=${secret}`,
    ])
      expect(of(wrong)).toBeNull()
  })

  test('production takes no registry in plain http from another machine', () => {
    const lines = (url: string) =>
      errorsOf({ MODE: 'production', SCHEMA_REGISTRY_URL: url }).filter((line) => line.startsWith('SCHEMA_REGISTRY_'))
    expect(lines('http://registry.test:8081')).toEqual([
      expect.stringMatching(/^SCHEMA_REGISTRY_URL: is plain http to another machine; wanted https in production/),
    ])
    for (const url of ['https://registry.test', 'http://127.0.0.1:8081', 'http://localhost:8081', 'http://[::1]:8081'])
      expect(lines(url)).toEqual([])
  })
})

test('the printed configuration shows no secret', () => {
  const canary = 'hunter22hunter22hunter22hunter22hunter'
  const printed = printConfig(
    configOf({
      ...allSecrets,
      JWT_SECRET: canary,
      KAFKA_BROKERS: 'k:1',
      KAFKA_SASL_USERNAME: 'app',
      KAFKA_SASL_PASSWORD: canary,
      SCHEMA_REGISTRY_URL: 'https://registry.test',
      SCHEMA_REGISTRY_USERNAME: 'app',
      SCHEMA_REGISTRY_PASSWORD: canary,
      DATABASE_URL: `postgres://owner:${canary}@db.test/lifecycle?sslpassword=${canary}`,
      SENDGRID_API_KEY: canary,
      S3_BUCKET: 'acme',
      S3_ACCESS_KEY_ID: canary,
      S3_SECRET_ACCESS_KEY: canary,
      SENDGRID_FROM_EMAIL: 'us@company.test',
    }),
  ).join('\n')
  expect(printed).not.toContain('hunter22')
  for (const secret of Object.values(allSecrets)) expect(printed).not.toContain(secret)
  const token = configOf({ SCHEMA_REGISTRY_URL: 'https://registry.test', SCHEMA_REGISTRY_TOKEN: canary })
  expect(printConfig(token).join('\n')).not.toContain('hunter22')
  expect(printed).toContain('secrets.jwt = (given)')
  expect(printed).toContain('database.url = postgres://owner:***@db.test/lifecycle')
})

describe('generated secrets', () => {
  const directories: string[] = []
  const newDirectory = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
    directories.push(directory)
    return directory
  }
  afterEach(() => {
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
  })

  test('are made once, differ, and only the owner can read them', () => {
    const directory = join(newDirectory(), 'data')
    const secrets = loadSecrets(directory)
    expect(new Set(Object.values(secrets)).size).toBe(5)
    expect(statSync(join(directory, 'secrets.json')).mode & 0o777).toBe(0o600)
    expect(loadSecrets(directory)).toEqual(secrets)
    expect(loadSecrets(newDirectory())).not.toEqual(secrets)
  })

  test('a given secret wins and is not written', () => {
    const directory = newDirectory()
    expect(loadSecrets(directory, { jwt: goodSecret('z') }).jwt).toBe(goodSecret('z'))
    expect(readFileSync(join(directory, 'secrets.json'), 'utf8')).not.toContain('zzz')
    expect(loadSecrets(directory).jwt).not.toBe(goodSecret('z'))
  })

  test('a file that others could read is closed to them', () => {
    const directory = newDirectory()
    loadSecrets(directory)
    chmodSync(join(directory, 'secrets.json'), 0o644)
    loadSecrets(directory)
    expect(statSync(join(directory, 'secrets.json')).mode & 0o777).toBe(0o600)
  })

  test.each(['', '{', '{"jwt":"short"}', '{"jwtt":"x"}'])('a damaged file is refused, not replaced: %s', (content) => {
    const directory = newDirectory()
    const file = join(directory, 'secrets.json')
    writeFileSync(file, content)
    expect(() => loadSecrets(directory)).toThrow(SecretsError)
    expect(readFileSync(file, 'utf8')).toBe(content)
  })
})
