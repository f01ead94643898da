/** Every variable of ours. README's table and the defaults (`tests/golden/config.txt`) are checked against it. */

import type { Variable } from './variable.ts'
import {
  choice,
  endpointSecrets,
  given,
  lines,
  list,
  networks,
  pem,
  secret,
  secrets,
  text,
  url,
  whole,
} from './variable.ts'

export const roles = ['api', 'worker', 'effects', 'sinks'] as const
export type Role = (typeof roles)[number]

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const mebibyte = 1024 * 1024

export const variables = {
  MODE: choice(['development', 'production'], {
    meaning: 'production refuses sandbox providers and generated secrets',
    fallback: 'development',
  }),
  PORT: whole({ meaning: 'HTTP port; 0 takes a free one', fallback: '8080', min: 0, max: 65_535 }),
  HOST: text({
    meaning: 'address to listen on',
    fallback: '127.0.0.1',
    wanted: 'a host name or an IP address',
    pattern: /^[A-Za-z0-9.:-]{1,253}$/,
  }),
  PUBLIC_URL: url({
    meaning: 'where people reach us, for links to demos; wanted in production; HOST and PORT when absent',
    protocols: ['https:', 'http:'],
  }),
  DATA_DIR: text({
    meaning: 'embedded log, embedded database, state, generated secrets',
    fallback: './.data',
    wanted: 'a path',
    pattern: /^[^\0]*\S$/,
  }),
  DATABASE_URL: url({
    meaning: 'PostgreSQL 15 or later, as the owner (migrations); embedded when absent',
    protocols: ['postgres:', 'postgresql:'],
  }),
  KAFKA_BROKERS: given({
    meaning: 'some brokers of the Kafka cluster that is the log (3.9 or newer); embedded when absent',
    wanted: 'host:port, several with commas between them',
    pattern: /^\s*[^\s,:]+:\d{1,5}\s*(,\s*[^\s,:]+:\d{1,5}\s*)*$/,
  }),
  KAFKA_SSL: choice(['false', 'true'], { meaning: 'whether the brokers speak TLS', fallback: 'false' }),
  KAFKA_SSL_CA: given({
    meaning: "file with the certificates to trust, PEM; the system's when absent",
    wanted: 'a path',
    pattern: /^[^\0]*\S$/,
  }),
  KAFKA_SASL_MECHANISM: choice(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
    meaning: 'how we say who we are, with KAFKA_SASL_USERNAME',
    fallback: 'SCRAM-SHA-512',
  }),
  KAFKA_SASL_USERNAME: given({
    meaning: 'our principal; none when absent',
    wanted: 'a name without blanks',
    pattern: /^\S+$/,
  }),
  KAFKA_SASL_PASSWORD: secret({ meaning: 'of KAFKA_SASL_USERNAME', minLength: 1 }),
  SCHEMA_REGISTRY_URL: url({
    meaning: "root of a schema registry with Confluent's API; embedded and served at /registry when absent",
    protocols: ['http:', 'https:'],
  }),
  SCHEMA_REGISTRY_USERNAME: given({
    meaning: 'our name there; none when absent',
    wanted: 'a name without blanks and colons',
    pattern: /^[^\s:]+$/,
  }),
  SCHEMA_REGISTRY_PASSWORD: secret({ meaning: 'of SCHEMA_REGISTRY_USERNAME', minLength: 1 }),
  SCHEMA_REGISTRY_TOKEN: secret({ meaning: 'bearer token, instead of name and password', minLength: 1 }),
  SCHEMA_REGISTRY_CA: given({
    meaning: "file with the certificates to trust, PEM; the system's when absent",
    wanted: 'a path',
    pattern: /^[^\0]*\S$/,
  }),
  ROLES: list(roles, { meaning: 'what this process does', fallback: 'all' }),
  SERVICES: text({
    meaning: 'which services its worker hosts',
    fallback: 'all',
    wanted: 'all, or names of services with commas between them',
    pattern: /^[a-z][a-z0-9-]*(,\s*[a-z][a-z0-9-]*)*$/,
  }),
  STREAM_WORKERS: whole({
    meaning: 'stream threads in this process; more than one with KAFKA_BROKERS only',
    fallback: '1',
    min: 1,
    max: 256,
  }),
  STANDBY_REPLICAS: whole({
    meaning: 'copies of state that other processes keep ready',
    fallback: '0',
    min: 0,
    max: 16,
  }),
  LEAVE_ON_CLOSE: choice(['false', 'true'], {
    meaning: 'whether a process that ends gives its tasks to the others at once, or keeps them for SESSION_TIMEOUT_MS',
    fallback: 'false',
  }),
  PROCESSING_GUARANTEE: choice(['exactly_once_v2', 'at_least_once'], {
    meaning: 'as in Kafka Streams',
    fallback: 'exactly_once_v2',
  }),
  COMMIT_INTERVAL_MS: whole({
    meaning: 'longest time between commits',
    fallback: '100',
    min: 1,
    max: hourMs,
    unit: 'ms',
  }),
  COMMIT_MIN_INTERVAL_MS: whole({
    meaning: 'shortest time between commits when drained',
    fallback: '10',
    min: 0,
    max: hourMs,
    unit: 'ms',
  }),
  TRANSACTION_TIMEOUT_MS: whole({
    meaning: 'an open transaction is aborted after this time',
    fallback: '10000',
    min: 100,
    max: 15 * minuteMs,
    unit: 'ms',
  }),
  SESSION_TIMEOUT_MS: whole({
    meaning: 'a silent group member is dropped after this time',
    fallback: '45000',
    min: 1000,
    max: 30 * minuteMs,
    unit: 'ms',
  }),
  HEARTBEAT_INTERVAL_MS: whole({
    meaning: 'how often a member says that it lives',
    fallback: '3000',
    min: 100,
    max: 10 * minuteMs,
    unit: 'ms',
  }),
  STATE_FLUSH_BYTES: whole({
    meaning: 'changelog bytes after which state is written to disk',
    fallback: String(16 * mebibyte),
    min: 64 * 1024,
    max: 1024 * mebibyte,
    unit: 'bytes',
  }),
  STATE_FLUSH_MS: whole({
    meaning: 'time after which state is written to disk',
    fallback: '5000',
    min: 10,
    max: hourMs,
    unit: 'ms',
  }),
  STATE_BUFFER_BYTES: whole({
    meaning: 'bound of all write buffers of this process',
    fallback: String(256 * mebibyte),
    min: mebibyte,
    max: 64 * 1024 * mebibyte,
    unit: 'bytes',
  }),
  TIMER_RESTART_GRACE_MS: whole({
    meaning: 'how much longer a timer waits that came due while we were down',
    fallback: '60000',
    min: 0,
    max: 24 * hourMs,
    unit: 'ms',
  }),
  CRASH_POINT: given({
    meaning:
      'development only: the process kills itself at this place, C07:3 the third time it passes; topology/DESIGN.md has the list',
    wanted: 'a place as C07, or C07:3 for its third pass',
    pattern: /^C(0[1-9]|[12]\d|3[0-3])(:[1-9]\d{0,8})?$/,
  }),
  CLOCK: choice(['real', 'warp'], { meaning: 'warp: business time jumps when nothing is to do', fallback: 'real' }),
  SANDBOX_URL: url({
    meaning: 'development only, with CLOCK=warp: a sandbox in another process, which follows our business time',
    protocols: ['http:'],
  }),
  TOPIC_PARTITIONS: whole({ meaning: 'partitions of a topic when it is created', fallback: '3', min: 1, max: 1024 }),
  LOG_FSYNC: choice(['always', 'interval', 'never'], {
    meaning: 'when the embedded log syncs: before it acknowledges, every interval, or as the system likes',
    fallback: 'always',
  }),
  LOG_FSYNC_INTERVAL_MS: whole({
    meaning: 'the interval of LOG_FSYNC=interval',
    fallback: '1000',
    min: 1,
    max: hourMs,
    unit: 'ms',
  }),
  RATE_LIMIT_PER_MINUTE: whole({
    meaning: 'HTTP requests a minute and client address; 0 is no limit',
    fallback: '1000',
    min: 0,
    max: 100_000_000,
  }),
  TRUSTED_PROXIES: networks({
    meaning: "proxies in front of us: the address that limits count by is then their X-Forwarded-For's",
    fallback: 'none',
  }),
  BODY_LIMIT_BYTES: whole({
    meaning: 'largest HTTP body',
    fallback: String(mebibyte),
    min: 1024,
    max: 64 * mebibyte,
    unit: 'bytes',
  }),
  CONSOLE_OPERATORS: text({
    meaning: 'e-mail addresses of verified accounts that may use the operator pages of /console',
    fallback: 'nobody',
    wanted: 'nobody, or e-mail addresses with commas between them',
    pattern: /^(nobody|\s*[^\s@,]+@[^\s@,]+\s*(,\s*[^\s@,]+@[^\s@,]+\s*)*)$/,
  }),
  TIMELINE_DAYS: whole({
    meaning: 'how long the timeline of an organization is kept in the database; the topics keep everything',
    fallback: '365',
    min: 1,
    max: 36_500,
  }),
  LOG_LEVEL: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    meaning: 'what is written to standard output',
    fallback: 'info',
  }),
  JWT_SECRET: secret({ meaning: 'signs access tokens', minLength: 32 }),
  JWT_SECRETS_PREVIOUS: secrets({
    meaning: 'what JWT_SECRET was before, with commas between them: they verify and sign nothing; drop one after a day',
    minLength: 32,
    most: 8,
  }),
  API_KEY_PER_MINUTE: whole({
    meaning: 'requests a minute of an API key without a quota of its own; 0 is no limit',
    fallback: '60000',
    min: 0,
    max: 1_000_000_000,
  }),
  API_KEY_PER_DAY: whole({
    meaning: 'requests a day (UTC) of such a key; 0 is no limit',
    fallback: '10000000',
    min: 0,
    max: 1_000_000_000,
  }),
  CODE_SECRET: secret({ meaning: 'encrypts verification codes at rest', minLength: 32 }),
  EMAIL_PEPPER: secret({ meaning: 'keys the hashes of e-mail addresses', minLength: 32 }),
  DATA_KEY_SECRET: secret({ meaning: "wraps the tenants' data keys; lost means personal data is lost", minLength: 32 }),
  DATABASE_ROLE_SECRET: secret({ meaning: "the database roles' passwords derive from it", minLength: 32 }),
  S3_BUCKET: given({
    meaning:
      'bucket for documents and demos, made when missing; files in DATA_DIR/objects when absent, which one process alone sees',
    wanted: '3 to 63 small letters, digits, . and -',
    pattern: /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  }),
  S3_ENDPOINT: url({ meaning: "the store's address; AWS's own when absent", protocols: ['https:', 'http:'] }),
  S3_REGION: text({
    meaning: "the bucket's region",
    fallback: 'us-east-1',
    wanted: 'a region as eu-central-1',
    pattern: /^[a-z0-9-]{1,40}$/,
  }),
  S3_ACCESS_KEY_ID: secret({ meaning: 'wanted with S3_BUCKET', minLength: 2 }),
  S3_SECRET_ACCESS_KEY: secret({ meaning: 'wanted with S3_BUCKET', minLength: 2 }),
  S3_TIMEOUT_MS: whole({ meaning: 'of one request', fallback: '30000', min: 100, max: 15 * minuteMs, unit: 'ms' }),
  ...provider('PERPLEXITY', { timeoutMs: 60_000, ratePerMinute: 10, concurrency: 16 }),
  ...provider('WEBSCRAPER', { timeoutMs: 120_000, ratePerMinute: 13, concurrency: 4 }),
  ...provider('SENDGRID', { timeoutMs: 30_000, ratePerMinute: 600, concurrency: 16 }),
  ...provider('STRIPE', { timeoutMs: 30_000, ratePerMinute: 1_200, concurrency: 16 }),
  ...provider('MIXPANEL', { timeoutMs: 30_000, ratePerMinute: 600, concurrency: 4 }),
  MIXPANEL_PROJECT_ID: given({
    meaning: "the project, where MIXPANEL_API_KEY is a service account as name:secret and not the project's token",
    wanted: 'a number',
    pattern: /^\d{1,20}$/,
  }),
  ...vendor('OPENAI', { model: 'gpt-6-luna' }),
  ...vendor('ANTHROPIC', { model: 'claude-sonnet-5-5' }),
  OPENAI_EMBEDDING_MODEL: choice(['text-embedding-3-small', 'text-embedding-3-large'], {
    meaning: 'the model of vectors; what was embedded by another is to be embedded again',
    fallback: 'text-embedding-3-small',
  }),
  OPENAI_EMBEDDING_PRICE: given({
    meaning: 'US dollars for a million tokens that are embedded, as 0.02; that of the price table when absent',
    wanted: 'a price as 0.02',
    pattern: /^\d{1,4}(\.\d{1,6})?$/,
  }),
  LLM_RATE_PER_MINUTE: whole({
    meaning: 'language-model calls; 0 is no limit; the sandbox has none',
    fallback: '500',
    min: 0,
    max: 1_000_000,
    unit: 'calls',
  }),
  LLM_CONCURRENCY: whole({ meaning: 'calls in flight', fallback: '16', min: 1, max: 1000, unit: 'calls' }),
  LLM_PRIMARY_ATTEMPTS: whole({
    meaning: 'attempts of a call that ask OpenAI before Anthropic is asked',
    fallback: '2',
    min: 0,
    max: 100,
  }),
  LLM_EFFORT: choice(['default', 'low', 'medium', 'high'], {
    meaning: "how much the models think before they write; default is each model's own",
    fallback: 'low',
  }),
  LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: whole({
    meaning: 'what the calls of a tenant may cost in a UTC day, in millionths of a US dollar; 0 is no limit',
    fallback: '5000000',
    min: 0,
    max: 1_000_000_000_000,
  }),
  LLM_VISITORS_PERCENT: whole({
    meaning:
      "how far questions of a demo's visitors may bring a tenant's day, in percent of that budget; the rest is for its lifecycle",
    fallback: '50',
    min: 0,
    max: 100,
  }),
  SENDGRID_FROM_EMAIL: text({
    meaning: 'sender of our mail',
    fallback: 'no-reply@lifecycle.example',
    wanted: 'an e-mail address',
    pattern: /^[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>"]+$/,
  }),
  SENDGRID_FROM_NAME: text({
    meaning: "sender's name",
    fallback: 'Lifecycle',
    wanted: 'a name without ; and ,',
    pattern: /^[^;,\r\n]+$/,
  }),
  ...provider('DOCUSIGN', { timeoutMs: 30_000, ratePerMinute: 45, concurrency: 8 }),
  DOCUSIGN_PRIVATE_KEY: pem({ meaning: 'RSA key of the integration that DOCUSIGN_API_KEY names, PEM' }),
  DOCUSIGN_USER_ID: given({
    meaning: 'the user that the integration acts for',
    wanted: 'an id without blanks',
    pattern: /^\S+$/,
  }),
  DOCUSIGN_ACCOUNT_ID: given({
    meaning: "the user's account, by its id in the API",
    wanted: 'an id without blanks',
    pattern: /^\S+$/,
  }),
  DOCUSIGN_AUTH_URL: url({
    meaning: "where access tokens come from; DocuSign's own when absent",
    protocols: ['https:', 'http:'],
  }),
  SIGNER_EMAIL: text({
    meaning: 'who signs documents for us',
    fallback: 'signer@lifecycle.example',
    wanted: 'an e-mail address',
    pattern: /^[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>"]+$/,
  }),
  SIGNER_NAME: text({ meaning: "the signer's name", fallback: 'Lifecycle', wanted: 'a name', pattern: /^\S.*$/ }),
  SELLER_NAME: text({
    meaning: 'who we are in documents',
    fallback: 'Lifecycle',
    wanted: 'a name of up to 200 characters',
    pattern: /^\S.{0,199}$/,
  }),
  SELLER_ADDRESS: lines({
    meaning: 'our postal address in documents, its lines with ; between them',
    fallback: '1 Example Street; 00000 Example',
    most: 6,
    longest: 120,
  }),
  SELLER_REGISTRATION: given({
    meaning: 'where we are registered and under which number, in documents; left out when absent',
    wanted: 'a line of up to 200 characters',
    pattern: /^\S.{0,199}$/,
  }),
  SELLER_GOVERNING_LAW: text({
    meaning: 'whose laws our NDA and contract are under, after the words the laws of',
    fallback: 'England and Wales',
    wanted: 'a name of up to 80 characters',
    pattern: /^\S.{0,79}$/,
  }),
  SELLER_JURISDICTION: text({
    meaning: 'whose courts decide about them, after the words the courts of',
    fallback: 'London',
    wanted: 'a name of up to 80 characters',
    pattern: /^\S.{0,79}$/,
  }),
  WEBHOOK_SECRETS_DOCUSIGN: endpointSecrets({ meaning: 'HMAC keys of /webhooks/docusign/{endpoint}' }),
  WEBHOOK_SECRETS_STRIPE: endpointSecrets({ meaning: 'signing secrets of /webhooks/stripe/{endpoint}' }),
  WEBHOOK_SECRETS_SENDGRID: endpointSecrets({ meaning: 'public keys of /webhooks/sendgrid/{endpoint}' }),
} as const satisfies Readonly<Record<string, Variable<unknown>>>

type ProviderVariables<P extends string> = { readonly [K in `${P}_API_KEY`]: Variable<string | null> } & {
  readonly [K in `${P}_BASE_URL`]: Variable<string | null>
} & { readonly [K in `${P}_TIMEOUT_MS` | `${P}_RATE_PER_MINUTE` | `${P}_CONCURRENCY`]: Variable<number> }

/** What every provider can be told; without a key it is the sandbox. */
function provider<const P extends string>(
  name: P,
  defaults: { readonly timeoutMs: number; readonly ratePerMinute: number; readonly concurrency: number },
): ProviderVariables<P> {
  return {
    [`${name}_API_KEY`]: secret({ meaning: 'without it the provider is the sandbox', minLength: 8 }),
    [`${name}_BASE_URL`]: url({ meaning: "the provider's own when absent", protocols: ['https:', 'http:'] }),
    [`${name}_TIMEOUT_MS`]: whole({
      meaning: 'of one call',
      fallback: String(defaults.timeoutMs),
      min: 100,
      max: 15 * minuteMs,
      unit: 'ms',
    }),
    [`${name}_RATE_PER_MINUTE`]: whole({
      meaning: 'of the account; 0 is no limit; the sandbox has none',
      fallback: String(defaults.ratePerMinute),
      min: 0,
      max: 1_000_000,
      unit: 'calls',
    }),
    [`${name}_CONCURRENCY`]: whole({
      meaning: 'calls in flight',
      fallback: String(defaults.concurrency),
      min: 1,
      max: 1000,
      unit: 'calls',
    }),
  } as ProviderVariables<P>
}

type VendorVariables<P extends string> = {
  readonly [K in `${P}_API_KEY` | `${P}_BASE_URL` | `${P}_MODEL_PRICE`]: Variable<string | null>
} & { readonly [K in `${P}_MODEL`]: Variable<string> } & { readonly [K in `${P}_TIMEOUT_MS`]: Variable<number> }

/** What a vendor of language models can be told; without any vendor's key both are the sandbox. */
function vendor<const P extends string>(name: P, defaults: { readonly model: string }): VendorVariables<P> {
  return {
    [`${name}_API_KEY`]: secret({
      meaning: 'without it this vendor is not asked; without both, both are the sandbox',
      minLength: 8,
    }),
    [`${name}_BASE_URL`]: url({ meaning: "the vendor's own when absent", protocols: ['https:', 'http:'] }),
    [`${name}_MODEL`]: text({
      meaning: 'the model that is asked',
      fallback: defaults.model,
      wanted: 'the id of a model',
      pattern: /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/,
    }),
    [`${name}_MODEL_PRICE`]: given({
      meaning:
        'US dollars for a million tokens of input and of output, as 2.00/10.00; that of the price table when absent, needed for a model that is not in it',
      wanted: 'two prices as 2.00/10.00',
      pattern: /^\d{1,4}(\.\d{1,6})?\/\d{1,4}(\.\d{1,6})?$/,
    }),
    [`${name}_TIMEOUT_MS`]: whole({
      meaning: 'of one call',
      fallback: '60000',
      min: 100,
      max: 15 * minuteMs,
      unit: 'ms',
    }),
  } as VendorVariables<P>
}

export type VariableName = keyof typeof variables

/** Settings of the design that this build cannot serve yet: refused with a reason, never ignored. */
export const notServed: Readonly<Record<string, string>> = {
  REDIS_: 'this build keeps codes and limits in PostgreSQL and in memory only',
  QDRANT_: 'this build has no vector search yet',
  NEO4J_: 'this build has no graph yet',
}
