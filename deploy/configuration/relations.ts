/** What must hold between settings that are each fine alone. One line per finding. */

import { isIP } from 'node:net'
import { knownPrices } from '../../connectors/llm/prices.ts'
import type { Config, Values } from '../config.ts'
import { roles } from './variables.ts'

type Relation = (config: Config, values: Values) => string | null
type ProviderName = Exclude<keyof Config['providers'], 'llm'>

const providerNames: readonly ProviderName[] = [
  'perplexity',
  'webscraper',
  'sendgrid',
  'docusign',
  'stripe',
  'mixpanel',
]
const prefixOf = {
  perplexity: 'PERPLEXITY',
  webscraper: 'WEBSCRAPER',
  sendgrid: 'SENDGRID',
  docusign: 'DOCUSIGN',
  stripe: 'STRIPE',
  mixpanel: 'MIXPANEL',
} as const

export function brokenRelations(config: Config, values: Values): string[] {
  const relations = [
    ...between,
    ...kafka,
    ...registry,
    ...objects,
    ...reached,
    ...served,
    ...warped,
    ...development,
    ...production,
    ...providerNames.flatMap(ofProvider),
    ...docuSign,
    llmInProduction,
    ...llmVendors.flatMap(ofVendor),
    secretsDiffer,
    previousDiffer,
  ]
  return relations.map((relation) => relation(config, values)).filter((line) => line !== null)
}

const between: readonly Relation[] = [
  ({ stream }) =>
    below(['COMMIT_INTERVAL_MS', stream.commitIntervalMs], ['TRANSACTION_TIMEOUT_MS', stream.transactionTimeoutMs]),
  ({ stream }) =>
    below(['TRANSACTION_TIMEOUT_MS', stream.transactionTimeoutMs], ['SESSION_TIMEOUT_MS', stream.sessionTimeoutMs]),
  ({ stream }) =>
    atMost(
      ['HEARTBEAT_INTERVAL_MS', stream.heartbeatIntervalMs],
      ['a third of SESSION_TIMEOUT_MS', Math.floor(stream.sessionTimeoutMs / 3)],
    ),
  ({ stream }) =>
    atMost(['COMMIT_MIN_INTERVAL_MS', stream.commitMinIntervalMs], ['COMMIT_INTERVAL_MS', stream.commitIntervalMs]),
  ({ state }) => atMost(['STATE_FLUSH_BYTES', state.flushBytes], ['STATE_BUFFER_BYTES', state.bufferBytes]),
]

const kafka: readonly Relation[] = [
  (_, values) =>
    values.KAFKA_BROKERS === null && values.KAFKA_SSL === 'true'
      ? 'KAFKA_SSL: is given without KAFKA_BROKERS; wanted both, or neither for the embedded log'
      : null,
  (_, values) =>
    values.KAFKA_SSL_CA !== null && values.KAFKA_SSL === 'false'
      ? 'KAFKA_SSL_CA: is given without KAFKA_SSL=true; wanted both'
      : null,
  (_, values) =>
    (values.KAFKA_SASL_USERNAME === null) === (values.KAFKA_SASL_PASSWORD === null)
      ? null
      : 'KAFKA_SASL_USERNAME: one of name and KAFKA_SASL_PASSWORD is given; wanted both, or neither',
  (_, values) =>
    values.KAFKA_SASL_USERNAME !== null && values.KAFKA_BROKERS === null
      ? 'KAFKA_SASL_USERNAME: is given without KAFKA_BROKERS; wanted both, or neither for the embedded log'
      : null,
  ({ mode, kafka: of }) =>
    mode === 'production' && of?.sasl?.mechanism === 'PLAIN' && of.tls === null
      ? 'KAFKA_SASL_MECHANISM: PLAIN is given without KAFKA_SSL=true; wanted both in production: the password would be sent as it is'
      : null,
]

const registry: readonly Relation[] = [
  (_, values) => {
    if (values.SCHEMA_REGISTRY_URL !== null) return null
    const given = registrySettings.find((name) => values[name] !== null)
    return given === undefined
      ? null
      : `${given}: is given without SCHEMA_REGISTRY_URL; wanted both, or neither for the embedded registry`
  },
  (_, values) => {
    if (values.SCHEMA_REGISTRY_URL === null) return null
    const { username, password, search, hash } = new URL(values.SCHEMA_REGISTRY_URL)
    if (username !== '' || password !== '')
      return 'SCHEMA_REGISTRY_URL: has a name or a password in it; wanted them in SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD'
    return search === '' && hash === '' ? null : 'SCHEMA_REGISTRY_URL: has a ? or a # in it; wanted the root alone'
  },
  (_, values) =>
    (values.SCHEMA_REGISTRY_USERNAME === null) === (values.SCHEMA_REGISTRY_PASSWORD === null)
      ? null
      : 'SCHEMA_REGISTRY_USERNAME: one of name and SCHEMA_REGISTRY_PASSWORD is given; wanted both, or neither',
  (_, values) =>
    values.SCHEMA_REGISTRY_USERNAME !== null && values.SCHEMA_REGISTRY_TOKEN !== null
      ? 'SCHEMA_REGISTRY_TOKEN: is given with SCHEMA_REGISTRY_USERNAME; wanted one of them'
      : null,
  (_, values) =>
    values.SCHEMA_REGISTRY_CA !== null && values.SCHEMA_REGISTRY_URL?.startsWith('http:') === true
      ? 'SCHEMA_REGISTRY_CA: is given with an address of plain http; wanted https'
      : null,
  ({ mode }, values) =>
    mode === 'production' && isPlainHttpElsewhere(values.SCHEMA_REGISTRY_URL)
      ? 'SCHEMA_REGISTRY_URL: is plain http to another machine; wanted https in production: who is between could say what our records mean'
      : null,
]

const registrySettings = [
  'SCHEMA_REGISTRY_USERNAME',
  'SCHEMA_REGISTRY_PASSWORD',
  'SCHEMA_REGISTRY_TOKEN',
  'SCHEMA_REGISTRY_CA',
] as const

const objects: readonly Relation[] = [
  (_, values) => {
    if (values.S3_BUCKET !== null) {
      const missing = s3Keys.find((name) => values[name] === null)
      return missing === undefined ? null : `${missing}: is not given; wanted with S3_BUCKET`
    }
    const given = ([...s3Keys, 'S3_ENDPOINT'] as const).find((name) => values[name] !== null)
    return given === undefined
      ? null
      : `${given}: is given without S3_BUCKET; wanted both, or neither for files in DATA_DIR`
  },
  (_, values) =>
    isPlainHttpElsewhere(values.S3_ENDPOINT)
      ? 'S3_ENDPOINT: is plain http to another machine; wanted https, contracts are sent there'
      : null,
]

/** What others must find: links that lead to us, files that every process sees, words of providers that are heard. */
const reached: readonly Relation[] = [
  ({ mode }, values) =>
    mode === 'production' && values.PUBLIC_URL === null
      ? 'PUBLIC_URL: is not given; wanted in production: links in mail and in QR codes would lead to HOST and PORT'
      : null,
  ({ mode }, values) =>
    mode === 'production' && isPlainHttpElsewhere(values.PUBLIC_URL)
      ? 'PUBLIC_URL: is plain http; wanted https in production: who has the address of a demo sees the demo'
      : null,
  ({ mode, kafka: of, s3 }) =>
    mode === 'production' && of !== null && s3 === null
      ? 'S3_BUCKET: is not given; wanted in production with KAFKA_BROKERS: a file in DATA_DIR is not there for another process'
      : null,
  ...(['docusign', 'stripe', 'sendgrid'] as const).map(
    (name): Relation =>
      ({ mode, webhooks }) =>
        mode === 'production' && Object.keys(webhooks[name]).length === 0
          ? `WEBHOOK_SECRETS_${prefixOf[name]}: is not given; wanted in production: what ${name} posts could not be verified, so nothing of it would count`
          : null,
  ),
]

const s3Keys = ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const

/** What this build cannot do yet: refused, never ignored. */
const served: readonly Relation[] = [
  ({ stream, kafka: of }) =>
    stream.workers === 1 || of !== null
      ? null
      : `STREAM_WORKERS: ${stream.workers} is given without KAFKA_BROKERS; wanted both: the embedded log serves one thread`,
  ({ stream }) =>
    stream.processingGuarantee === 'exactly_once_v2'
      ? null
      : 'PROCESSING_GUARANTEE: at_least_once is given, but this build is always exactly once; wanted exactly_once_v2',
]

/** A warped clock is for practice, and everything that it moves has to be in this process. */
const warped: readonly Relation[] = [
  ({ clock, mode }) =>
    clock === 'warp' && mode === 'production'
      ? 'CLOCK: warp is given in production; wanted real: nobody there waits for a clock that jumps'
      : null,
  ({ clock, stream, roles: of, services }) =>
    clock === 'warp' && (stream.workers !== 1 || of.length < roles.length || services !== 'all')
      ? 'CLOCK: warp is given with a part of the platform; wanted all ROLES, all SERVICES and STREAM_WORKERS=1: the clock jumps when nobody in this process works'
      : null,
  ({ clock, providers }) => {
    const live = Object.entries(providers).find(([, { mode }]) => mode === 'live')?.[0]
    return clock === 'warp' && live !== undefined
      ? `CLOCK: warp is given with a key for ${live}; wanted the sandbox alone: real services do not jump with it`
      : null
  },
  ({ clock, sandboxUrl }) =>
    sandboxUrl !== null && clock !== 'warp'
      ? 'SANDBOX_URL: is given without CLOCK=warp; wanted both, or neither for the sandbox of this process'
      : null,
  ({ sandboxUrl }) =>
    isPlainHttpElsewhere(sandboxUrl) ? 'SANDBOX_URL: is on another machine; wanted an address of this one' : null,
]

const secretVariables = {
  jwt: 'JWT_SECRET',
  code: 'CODE_SECRET',
  emailPepper: 'EMAIL_PEPPER',
  dataKey: 'DATA_KEY_SECRET',
  databaseRole: 'DATABASE_ROLE_SECRET',
} as const satisfies Record<keyof Config['secrets'], string>

const development: readonly Relation[] = [
  ({ mode, crashPoint }) =>
    mode === 'production' && crashPoint !== null
      ? 'CRASH_POINT: is given; wanted in development only: the process would kill itself'
      : null,
]

/** Secrets are generated only where DATA_DIR holds all the data they protect. */
const production: readonly Relation[] = Object.entries(secretVariables).map(
  ([name, variable]): Relation =>
    ({ mode, database, secrets }) => {
      if (secrets[name as keyof Config['secrets']] !== null) return null
      if (mode === 'production') return `${variable}: is not given; wanted in production: at least 32 characters`
      if (database.url !== null) return `${variable}: is not given; wanted with DATABASE_URL: at least 32 characters`
      return null
    },
)

function ofProvider(name: ProviderName): Relation[] {
  const prefix = prefixOf[name]
  return [
    ({ mode, providers }) =>
      mode === 'production' && providers[name].mode === 'sandbox'
        ? `${prefix}_API_KEY: is not given; wanted in production, which has no sandbox`
        : null,
    (_, values) =>
      values[`${prefix}_BASE_URL`] !== null && values[`${prefix}_API_KEY`] === null
        ? `${prefix}_BASE_URL: is given without ${prefix}_API_KEY; wanted both, or neither for the sandbox`
        : null,
    (_, values) =>
      isPlainHttpElsewhere(values[`${prefix}_BASE_URL`])
        ? `${prefix}_BASE_URL: is plain http to another machine; wanted https, keys are sent there`
        : null,
    ({ providers }) =>
      name === 'sendgrid' && providers.sendgrid.mode === 'live' && providers.sendgrid.from.email.endsWith('.example')
        ? 'SENDGRID_FROM_EMAIL: is not given; wanted the address that SendGrid knows as a sender'
        : null,
    (_, values) =>
      name === 'mixpanel' && (values.MIXPANEL_API_KEY ?? '').includes(':') && values.MIXPANEL_PROJECT_ID === null
        ? 'MIXPANEL_PROJECT_ID: is not given; wanted with a service account in MIXPANEL_API_KEY'
        : null,
  ]
}

const docuSignSettings = ['DOCUSIGN_PRIVATE_KEY', 'DOCUSIGN_USER_ID', 'DOCUSIGN_ACCOUNT_ID'] as const

const docuSign: readonly Relation[] = [
  ...docuSignSettings.map(
    (name): Relation =>
      (_, values) =>
        (values[name] === null) === (values.DOCUSIGN_API_KEY === null)
          ? null
          : `${name}: one of it and DOCUSIGN_API_KEY is given; wanted both, or neither for the sandbox`,
  ),
  (_, values) =>
    values.DOCUSIGN_AUTH_URL !== null && values.DOCUSIGN_API_KEY === null
      ? 'DOCUSIGN_AUTH_URL: is given without DOCUSIGN_API_KEY; wanted both, or neither for the sandbox'
      : null,
  (_, values) =>
    isPlainHttpElsewhere(values.DOCUSIGN_AUTH_URL)
      ? 'DOCUSIGN_AUTH_URL: is plain http to another machine; wanted https, keys are sent there'
      : null,
  ({ providers, signer }) =>
    providers.docusign.mode === 'live' && signer.email.endsWith('.example')
      ? 'SIGNER_EMAIL: is not given; wanted the address of the person who signs for us'
      : null,
  ({ providers, seller }) =>
    providers.docusign.mode === 'live' && seller.address.at(-1)?.endsWith(' Example') === true
      ? 'SELLER_ADDRESS: is not given; wanted our postal address, people sign what it stands in'
      : null,
]

const llmVendors = ['openai', 'anthropic'] as const
const vendorPrefix = { openai: 'OPENAI', anthropic: 'ANTHROPIC' } as const

const llmInProduction: Relation = ({ mode, providers }) =>
  mode === 'production' && providers.llm.mode === 'sandbox'
    ? 'OPENAI_API_KEY: is not given; wanted in production, or ANTHROPIC_API_KEY: it has no sandbox'
    : null

function ofVendor(name: (typeof llmVendors)[number]): Relation[] {
  const prefix = vendorPrefix[name]
  return [
    (_, values) =>
      values[`${prefix}_BASE_URL`] !== null && values[`${prefix}_API_KEY`] === null
        ? `${prefix}_BASE_URL: is given without ${prefix}_API_KEY; wanted both, or neither for the sandbox`
        : null,
    (_, values) =>
      isPlainHttpElsewhere(values[`${prefix}_BASE_URL`])
        ? `${prefix}_BASE_URL: is plain http to another machine; wanted https, keys are sent there`
        : null,
    ({ providers }) => {
      const vendor = providers.llm[name]
      if (vendor === null || vendor.price !== null || vendor.model in knownPrices.models) return null
      const shown = JSON.stringify(vendor.model)
      return `${prefix}_MODEL: ${shown} is given, whose price is not known here; wanted ${prefix}_MODEL_PRICE too`
    },
  ]
}

/** One secret for two purposes lets a leak of one open the other. */
const secretsDiffer: Relation = ({ secrets }) => {
  const given = Object.entries(secrets).filter(([, value]) => value !== null)
  for (const [index, [name, value]] of given.entries()) {
    const twin = given.slice(index + 1).find(([, other]) => other === value)
    if (twin === undefined) continue
    const variable = (of: string): string => secretVariables[of as keyof Config['secrets']]
    return `${variable(twin[0])}: has the same value as ${variable(name)}; wanted a secret of its own`
  }
  return null
}

const previousDiffer: Relation = ({ identity, secrets }) => {
  const previous = identity.previousTokenSecrets
  if (new Set(previous).size < previous.length) return 'JWT_SECRETS_PREVIOUS: has a secret twice; wanted each once'
  const twin = Object.entries(secrets).find(([, value]) => value !== null && previous.includes(value))
  if (twin === undefined) return null
  const variable = secretVariables[twin[0] as keyof Config['secrets']]
  return `JWT_SECRETS_PREVIOUS: has the value of ${variable}; wanted what JWT_SECRET was before`
}

function isPlainHttpElsewhere(address: string | null): boolean {
  if (address === null) return false
  const { protocol, hostname } = new URL(address)
  return protocol === 'http:' && !isLoopback(hostname)
}

export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

type Named = readonly [name: string, value: number]

function below([name, value]: Named, [limitName, limit]: Named): string | null {
  return value < limit ? null : `${name}: ${value} is given; wanted less than ${limitName} (${limit})`
}

function atMost([name, value]: Named, [limitName, limit]: Named): string | null {
  return value <= limit ? null : `${name}: ${value} is given; wanted at most ${limitName} (${limit})`
}
