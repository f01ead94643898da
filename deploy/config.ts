/**
 * The only reader of the environment: texts become one frozen, typed object, or one line per error. Nothing else in the
 * project looks at `process.env`; settings travel as arguments.
 *
 *   const result = readConfig()
 *   if ('errors' in result) { for (const line of result.errors) console.error(line); process.exit(exitConfig) }
 *
 * A variable set to nothing counts as absent. A name that was meant for us but is misspelt is an error.
 */

import { resolve } from 'node:path'
import process from 'node:process'
import type { ModelPrice } from '../connectors/llm/prices.ts'
import { flatPrice } from '../connectors/llm/prices.ts'
import { misspeltNames } from './configuration/misspelt.ts'
import { readByLibraries } from './configuration/read-by-libraries.ts'
import { brokenRelations } from './configuration/relations.ts'
import type { Secrets } from './configuration/secrets.ts'
import type { EndpointSecrets, ValueOf, Variable } from './configuration/variable.ts'
import type { Role, VariableName } from './configuration/variables.ts'
import { variables } from './configuration/variables.ts'

export type { Role } from './configuration/variables.ts'
export type { EndpointSecrets } from './configuration/variable.ts'
export type { Secrets } from './configuration/secrets.ts'
export { loadSecrets, SecretsError } from './configuration/secrets.ts'

/** EX_CONFIG of sysexits.h: what a process ends with when its configuration is wrong. */
export const exitConfig = 78

export interface ProviderConfig {
  /** Live exactly when a key was given. */
  readonly mode: 'sandbox' | 'live'
  /** Without a slash at its end; null in the sandbox, whose address is known when it listens. */
  readonly baseUrl: string | null
  readonly apiKey: string | null
  readonly timeoutMs: number
  /** Null is no limit. */
  readonly ratePerMinute: number | null
  readonly concurrency: number
}

export interface LlmVendorConfig {
  /** Without a slash at its end; null in the sandbox. */
  readonly baseUrl: string | null
  readonly apiKey: string | null
  readonly model: string
  /** Null: that of the price table. */
  readonly price: ModelPrice | null
  readonly timeoutMs: number
}

export interface LlmConfig {
  /** Live exactly when a vendor's key was given. */
  readonly mode: 'sandbox' | 'live'
  /** Null: is not asked, as only the other has a key. */
  readonly openai: LlmVendorConfig | null
  readonly anthropic: LlmVendorConfig | null
  readonly embeddingModel: string
  /** Null: that of the price table. */
  readonly embeddingPrice: ModelPrice | null
  /** Null is no limit. */
  readonly ratePerMinute: number | null
  readonly concurrency: number
  readonly primaryAttempts: number
  /** Null: the models' own. */
  readonly effort: 'low' | 'medium' | 'high' | null
  /** Null is no limit. */
  readonly tenantDailyBudgetMicrodollars: number | null
  /** Of that budget: how far a demo's visitors may bring the day's sum. */
  readonly visitorsPercent: number
}

export interface DocuSignConfig extends ProviderConfig {
  /** Null in the sandbox, which has its own. */
  readonly authUrl: string | null
  readonly privateKey: string | null
  readonly userId: string
  readonly accountId: string
}

export interface KafkaConfig {
  /** `host:port` */
  readonly bootstrap: readonly string[]
  /** Null: no TLS. */
  readonly tls: { /** PEM; null: the system's. */ readonly caFile: string | null } | null
  readonly sasl: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    readonly username: string
    readonly password: string
  } | null
}

export interface RegistryConfig {
  /** Without a slash at its end. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password: string } | { readonly token: string } | null
  /** PEM; null: the system's. */
  readonly caFile: string | null
}

export interface S3Config {
  /** Without a slash at its end; null is AWS itself. */
  readonly endpointUrl: string | null
  readonly bucket: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly timeoutMs: number
}

export interface Config {
  readonly mode: 'development' | 'production'
  readonly logLevel: ValueOf<(typeof variables)['LOG_LEVEL']>
  /** Absolute. */
  readonly dataDir: string
  readonly roles: readonly Role[]
  readonly services: readonly string[] | 'all'
  readonly clock: 'real' | 'warp'
  /** Without a slash at its end; null: the sandbox of this process. */
  readonly sandboxUrl: string | null
  /** Where this process kills itself, and at which pass. */
  readonly crashPoint: string | null
  readonly http: {
    readonly host: string
    readonly port: number
    /** Without a slash at its end. */
    readonly publicUrl: string
    readonly bodyLimitBytes: number
    /** 0 is no limit. */
    readonly rateLimitPerMinute: number
    /** Addresses and networks. */
    readonly trustedProxies: readonly string[]
  }
  readonly console: {
    /** Addresses in lower case. */
    readonly operators: readonly string[]
  }
  readonly timelineDays: number
  readonly identity: {
    /** Secrets that signed access tokens before; they still verify. */
    readonly previousTokenSecrets: readonly string[]
    /** Of API keys without a quota of their own; 0 is no limit. */
    readonly apiKeyPerMinute: number
    readonly apiKeyPerDay: number
  }
  readonly log: {
    readonly fsync: 'always' | 'interval' | 'never'
    readonly fsyncIntervalMs: number
    readonly topicPartitions: number
  }
  /** Null: the embedded log. */
  readonly kafka: KafkaConfig | null
  /** Null: the embedded registry. */
  readonly registry: RegistryConfig | null
  /** Null: files in DATA_DIR/objects. */
  readonly s3: S3Config | null
  readonly database: {
    /** Null: the embedded PostgreSQL. */
    readonly url: string | null
  }
  readonly stream: {
    readonly workers: number
    readonly processingGuarantee: 'exactly_once_v2' | 'at_least_once'
    readonly commitIntervalMs: number
    readonly commitMinIntervalMs: number
    readonly transactionTimeoutMs: number
    readonly sessionTimeoutMs: number
    readonly heartbeatIntervalMs: number
    readonly standbyReplicas: number
    readonly leaveOnClose: boolean
    readonly timerRestartGraceMs: number
  }
  readonly state: { readonly flushBytes: number; readonly flushMs: number; readonly bufferBytes: number }
  /** As given; what is null is generated by `loadSecrets`, where that is allowed. */
  readonly secrets: { readonly [K in keyof Secrets]: Secrets[K] | null }
  /** Who we are in documents. */
  readonly seller: {
    readonly name: string
    readonly address: readonly string[]
    readonly registration: string | null
    readonly governingLaw: string
    readonly jurisdiction: string
  }
  /** Who signs for us. */
  readonly signer: { readonly email: string; readonly name: string }
  readonly webhooks: Readonly<Record<'docusign' | 'sendgrid' | 'stripe', EndpointSecrets>>
  readonly providers: {
    readonly perplexity: ProviderConfig
    readonly webscraper: ProviderConfig
    readonly stripe: ProviderConfig
    readonly docusign: DocuSignConfig
    readonly sendgrid: ProviderConfig & { readonly from: { readonly email: string; readonly name: string } }
    readonly mixpanel: ProviderConfig & { readonly projectId: string | null }
    readonly llm: LlmConfig
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * @param environment the process's own unless told
 * @param services names that SERVICES may contain; not checked when absent
 */
export function readConfig(
  environment: Environment = process.env,
  services: readonly string[] | null = null,
): { readonly config: Config } | { readonly errors: readonly string[] } {
  const { values, errors } = readValues(environment)
  errors.push(...misspeltNames(environment), ...readByLibraries(environment))
  if (errors.length > 0) return { errors }
  const config = assemble(values as Values)
  errors.push(...brokenRelations(config, values as Values), ...unknownServices(config, services))
  return errors.length > 0 ? { errors } : { config: deepFreeze(config) }
}

/** The environment for a child process of ours: this one's, with these settings instead. */
export function environmentWith(settings: Environment): Environment {
  return { ...process.env, ...settings }
}

/** Every variable, parsed. */
export type Values = { readonly [K in VariableName]: ValueOf<(typeof variables)[K]> }

function readValues(environment: Environment): { values: Record<string, unknown>; errors: string[] } {
  const values: Record<string, unknown> = {}
  const errors: string[] = []
  for (const [name, variable] of Object.entries(variables) as [string, Variable<unknown>][]) {
    const given = environment[name]
    const text = given === undefined || given === '' ? variable.fallback : given
    const parsed = text === null ? { success: true as const, data: null } : variable.schema.safeParse(text)
    if (parsed.success) values[name] = parsed.data
    else errors.push(`${name}: ${shown(text ?? '', variable)} is given; wanted ${variable.wanted}`)
  }
  return { values, errors }
}

/** What was given, as it may be repeated in a log. */
function shown(text: string, variable: Variable<unknown>): string {
  if (variable.secret) return `a value of ${text.length} characters`
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

function assemble(values: Values): Config {
  return {
    mode: values.MODE,
    logLevel: values.LOG_LEVEL,
    dataDir: resolve(values.DATA_DIR),
    roles: values.ROLES,
    services: values.SERVICES === 'all' ? 'all' : values.SERVICES.split(',').map((name) => name.trim()),
    clock: values.CLOCK,
    sandboxUrl: values.SANDBOX_URL?.replace(/\/+$/, '') ?? null,
    crashPoint: values.CRASH_POINT,
    http: {
      host: values.HOST,
      port: values.PORT,
      publicUrl: (values.PUBLIC_URL ?? `http://${hostInUrl(values.HOST)}:${values.PORT}`).replace(/\/+$/, ''),
      bodyLimitBytes: values.BODY_LIMIT_BYTES,
      rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
      trustedProxies: values.TRUSTED_PROXIES,
    },
    console: { operators: operatorsOf(values.CONSOLE_OPERATORS) },
    timelineDays: values.TIMELINE_DAYS,
    identity: {
      previousTokenSecrets: values.JWT_SECRETS_PREVIOUS ?? [],
      apiKeyPerMinute: values.API_KEY_PER_MINUTE,
      apiKeyPerDay: values.API_KEY_PER_DAY,
    },
    log: {
      fsync: values.LOG_FSYNC,
      fsyncIntervalMs: values.LOG_FSYNC_INTERVAL_MS,
      topicPartitions: values.TOPIC_PARTITIONS,
    },
    kafka: kafkaOf(values),
    registry: registryOf(values),
    s3: s3Of(values),
    database: { url: values.DATABASE_URL },
    stream: {
      workers: values.STREAM_WORKERS,
      processingGuarantee: values.PROCESSING_GUARANTEE,
      commitIntervalMs: values.COMMIT_INTERVAL_MS,
      commitMinIntervalMs: values.COMMIT_MIN_INTERVAL_MS,
      transactionTimeoutMs: values.TRANSACTION_TIMEOUT_MS,
      sessionTimeoutMs: values.SESSION_TIMEOUT_MS,
      heartbeatIntervalMs: values.HEARTBEAT_INTERVAL_MS,
      standbyReplicas: values.STANDBY_REPLICAS,
      leaveOnClose: values.LEAVE_ON_CLOSE === 'true',
      timerRestartGraceMs: values.TIMER_RESTART_GRACE_MS,
    },
    state: {
      flushBytes: values.STATE_FLUSH_BYTES,
      flushMs: values.STATE_FLUSH_MS,
      bufferBytes: values.STATE_BUFFER_BYTES,
    },
    secrets: {
      jwt: values.JWT_SECRET,
      code: values.CODE_SECRET,
      emailPepper: values.EMAIL_PEPPER,
      dataKey: values.DATA_KEY_SECRET,
      databaseRole: values.DATABASE_ROLE_SECRET,
    },
    seller: {
      name: values.SELLER_NAME,
      address: values.SELLER_ADDRESS,
      registration: values.SELLER_REGISTRATION,
      governingLaw: values.SELLER_GOVERNING_LAW,
      jurisdiction: values.SELLER_JURISDICTION,
    },
    signer: { email: values.SIGNER_EMAIL, name: values.SIGNER_NAME },
    webhooks: {
      docusign: values.WEBHOOK_SECRETS_DOCUSIGN,
      sendgrid: values.WEBHOOK_SECRETS_SENDGRID,
      stripe: values.WEBHOOK_SECRETS_STRIPE,
    },
    providers: {
      docusign: docuSignOf(values),
      perplexity: providerOf(values, 'PERPLEXITY'),
      webscraper: providerOf(values, 'WEBSCRAPER'),
      stripe: providerOf(values, 'STRIPE'),
      sendgrid: {
        ...providerOf(values, 'SENDGRID'),
        from: { email: values.SENDGRID_FROM_EMAIL, name: values.SENDGRID_FROM_NAME },
      },
      mixpanel: { ...providerOf(values, 'MIXPANEL'), projectId: values.MIXPANEL_PROJECT_ID },
      llm: llmOf(values),
    },
  }
}

const operatorsOf = (list: string): readonly string[] =>
  list === 'nobody' ? [] : list.split(',').map((address) => address.trim().toLowerCase())

const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

function kafkaOf(values: Values): KafkaConfig | null {
  if (values.KAFKA_BROKERS === null) return null
  const username = values.KAFKA_SASL_USERNAME
  return {
    bootstrap: values.KAFKA_BROKERS.split(',').map((broker) => broker.trim()),
    tls: values.KAFKA_SSL === 'true' ? { caFile: values.KAFKA_SSL_CA } : null,
    sasl:
      username === null
        ? null
        : { mechanism: values.KAFKA_SASL_MECHANISM, username, password: values.KAFKA_SASL_PASSWORD ?? '' },
  }
}

function registryOf(values: Values): RegistryConfig | null {
  if (values.SCHEMA_REGISTRY_URL === null) return null
  const { SCHEMA_REGISTRY_USERNAME: username, SCHEMA_REGISTRY_TOKEN: token } = values
  const basic = username === null ? null : { username, password: values.SCHEMA_REGISTRY_PASSWORD ?? '' }
  return {
    url: values.SCHEMA_REGISTRY_URL.replace(/\/+$/, ''),
    credentials: token === null ? basic : { token },
    caFile: values.SCHEMA_REGISTRY_CA,
  }
}

function s3Of(values: Values): S3Config | null {
  if (values.S3_BUCKET === null) return null
  return {
    endpointUrl: values.S3_ENDPOINT?.replace(/\/+$/, '') ?? null,
    bucket: values.S3_BUCKET,
    region: values.S3_REGION,
    accessKeyId: values.S3_ACCESS_KEY_ID ?? '',
    secretAccessKey: values.S3_SECRET_ACCESS_KEY ?? '',
    timeoutMs: values.S3_TIMEOUT_MS,
  }
}

/** The only place that knows a provider's host. */
const ownAddresses = {
  PERPLEXITY: 'https://api.perplexity.ai',
  WEBSCRAPER: 'https://api.webscraper.io/api/v1',
  SENDGRID: 'https://api.sendgrid.com',
  STRIPE: 'https://api.stripe.com',
  MIXPANEL: 'https://api.mixpanel.com',
  OPENAI: 'https://api.openai.com/v1',
  ANTHROPIC: 'https://api.anthropic.com',
  /** By account: DocuSign says which. */
  DOCUSIGN: null,
} as const

function providerOf(
  values: Values,
  name: 'PERPLEXITY' | 'WEBSCRAPER' | 'SENDGRID' | 'STRIPE' | 'DOCUSIGN' | 'MIXPANEL',
): ProviderConfig {
  const apiKey = values[`${name}_API_KEY`]
  const given = values[`${name}_BASE_URL`]
  const ratePerMinute = values[`${name}_RATE_PER_MINUTE`]
  return {
    mode: apiKey === null ? 'sandbox' : 'live',
    baseUrl: apiKey === null ? null : ((given ?? ownAddresses[name])?.replace(/\/+$/, '') ?? null),
    apiKey,
    timeoutMs: values[`${name}_TIMEOUT_MS`],
    ratePerMinute: apiKey === null || ratePerMinute === 0 ? null : ratePerMinute,
    concurrency: values[`${name}_CONCURRENCY`],
  }
}

const docuSignAuth = 'https://account.docusign.com'

function docuSignOf(values: Values): DocuSignConfig {
  const common = providerOf(values, 'DOCUSIGN')
  const live = common.mode === 'live'
  return {
    ...common,
    authUrl: live ? (values.DOCUSIGN_AUTH_URL ?? docuSignAuth).replace(/\/+$/, '') : null,
    privateKey: values.DOCUSIGN_PRIVATE_KEY,
    userId: values.DOCUSIGN_USER_ID ?? 'sandbox',
    accountId: values.DOCUSIGN_ACCOUNT_ID ?? 'sandbox',
  }
}

function llmOf(values: Values): LlmConfig {
  const live = values.OPENAI_API_KEY !== null || values.ANTHROPIC_API_KEY !== null
  const budget = values.LLM_TENANT_DAILY_BUDGET_MICRODOLLARS
  return {
    mode: live ? 'live' : 'sandbox',
    openai: llmVendorOf(values, 'OPENAI', live),
    anthropic: llmVendorOf(values, 'ANTHROPIC', live),
    embeddingModel: values.OPENAI_EMBEDDING_MODEL,
    embeddingPrice:
      values.OPENAI_EMBEDDING_PRICE === null ? null : flatPrice(inMillionths(values.OPENAI_EMBEDDING_PRICE), 0),
    ratePerMinute: !live || values.LLM_RATE_PER_MINUTE === 0 ? null : values.LLM_RATE_PER_MINUTE,
    concurrency: values.LLM_CONCURRENCY,
    primaryAttempts: values.LLM_PRIMARY_ATTEMPTS,
    effort: values.LLM_EFFORT === 'default' ? null : values.LLM_EFFORT,
    tenantDailyBudgetMicrodollars: budget === 0 ? null : budget,
    visitorsPercent: values.LLM_VISITORS_PERCENT,
  }
}

const inMillionths = (usd: string): number => Math.round(Number(usd) * 1e6)

/** Where one vendor is live the other never answers out of the sandbox. */
function llmVendorOf(values: Values, name: 'OPENAI' | 'ANTHROPIC', live: boolean): LlmVendorConfig | null {
  const apiKey = values[`${name}_API_KEY`]
  if (live && apiKey === null) return null
  const [input, output] = (values[`${name}_MODEL_PRICE`] ?? '').split('/').map(inMillionths)
  return {
    baseUrl: live ? (values[`${name}_BASE_URL`] ?? ownAddresses[name]).replace(/\/+$/, '') : null,
    apiKey,
    model: values[`${name}_MODEL`],
    price: input === undefined || output === undefined ? null : flatPrice(input, output),
    timeoutMs: values[`${name}_TIMEOUT_MS`],
  }
}

function unknownServices(config: Config, services: readonly string[] | null): string[] {
  if (config.services === 'all' || services === null) return []
  return config.services
    .filter((name) => !services.includes(name))
    .map((name) => `SERVICES: ${JSON.stringify(name)} is given; wanted some of ${services.join(', ')}`)
}

/** The configuration for a person's eyes, a line per setting; secrets and addresses (which may hold one) are masked. */
export function printConfig(config: Config): string[] {
  return flatten('', config).map(([path, value]) => `${path} = ${masked(path, value)}`)
}

function flatten(path: string, value: unknown): [string, unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, value]]
  return Object.entries(value).flatMap(([name, inner]) => flatten(path === '' ? name : `${path}.${name}`, inner))
}

function masked(path: string, value: unknown): string {
  if (value === null) return '-'
  if (path.endsWith('TokenSecrets') && Array.isArray(value)) return value.length === 0 ? '-' : '(given)'
  if (
    path.startsWith('secrets.') ||
    path.startsWith('webhooks.') ||
    path.endsWith('.apiKey') ||
    path.endsWith('.privateKey') ||
    path.endsWith('.password') ||
    path.endsWith('.token') ||
    /AccessKey(Id)?$|accessKeyId$/.test(path)
  )
    return '(given)'
  if ((path.endsWith('.url') || path.endsWith('Url')) && typeof value === 'string') return withoutPassword(value)
  return Array.isArray(value) ? value.join(',') : String(value)
}

function withoutPassword(address: string): string {
  const url = new URL(address)
  if (url.password !== '') url.password = '***'
  for (const name of [...url.searchParams.keys()])
    if (/pass|secret|token|key/i.test(name)) url.searchParams.set(name, '***')
  return url.toString()
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (inner !== null && typeof inner === 'object') deepFreeze(inner as object)
  return Object.freeze(value)
}
