/**
 * The whole product in one process, in the order in which its parts need each other:
 *
 *   foundation (log, database, registry, keys) -> providers -> streams -> relay, sinks -> API
 *
 * `close` goes the other way: no new requests, then what is in hand is finished, then the stores are left flushed.
 */

import process from 'node:process'
import pino from 'pino'
import type { Logger } from 'pino'
import { Registry, collectDefaultMetrics } from 'prom-client'
import type { Endpoint, HealthReport, HttpServer, Identity, Ingest, Mount, Staff, Webhooks } from '../api/index.ts'
import {
  OutboxRelay,
  agentEndpoints,
  consoleHandler,
  createHttpServer,
  createIdentity,
  createIngest,
  createStaff,
  httpDefaults,
  identityEndpoints,
  identityLimits,
  identitySettings,
  ingestDefaults,
  ingestPrefix,
  ingestEndpoints,
  postgresOutbox,
  postgresReservations,
  queryDefaults,
  queryEndpoints,
  reviewSubjectsIn,
  tokenKeyOf,
} from '../api/index.ts'
import { forgetSpend } from '../connectors/llm/index.ts'
import { services } from '../processors/index.ts'
import { SinkRunner, postgresTables, projections } from '../sinks/index.ts'
import type { AdminSocket } from './admin-socket.ts'
import { serveAdmin } from './admin-socket.ts'
import { adminCommands } from './admin-commands.ts'
import type { Config } from './config.ts'
import { eventReader, operatorPages } from './console.ts'
import { openFoundation } from './foundation.ts'
import { portIsFree } from './local/free-port.ts'
import { machineClock, machineRandom } from './machine.ts'
import { objectStoreNotice } from './object-store.ts'
import { registryMount } from './open-registry.ts'
import { registerStreamMetrics, webhookCounter } from './metrics.ts'
import { demoPagesOf } from './demo-pages.ts'
import { demoPath, openProviders } from './providers.ts'
import type { Running } from './running.ts'
import { startStreams } from './streams/index.ts'
import { sweepTimeline } from './timeline-sweep.ts'
import { visibility } from './visibility.ts'
import { openWebhooks } from './webhooks.ts'
import { isAsked, openWarp, warpHandler } from './warp/open-warp.ts'
import type { Warp } from './warp/warp.ts'

export interface Platform {
  readonly url: string
  /** What is served below /api/v1. */
  readonly endpoints: readonly Endpoint[]
  close(): Promise<void>
}

export interface PlatformOptions {
  readonly config: Config
  readonly version: string
  /** One line for the operator. */
  readonly notice: (line: string) => void
  /** Called once when a part cannot go on: the process should end. */
  readonly failed: (error: Error) => void
}

export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const closers: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const part of closers.splice(0).reverse()) await part()
  }
  try {
    const running = await startParts(options, closers)
    const { url, endpoints } = await startDoors(options, running, closers)
    return { url, endpoints, close }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

/** Before anything is made. @throws Error with one line */
async function checkPort({ http }: Config): Promise<void> {
  if (http.port === 0 || (await portIsFree(http.port))) return
  throw new Error(`PORT: ${http.port} is taken; try another, such as PORT=${http.port + 1} npm start`)
}

async function startParts(options: PlatformOptions, closers: (() => Promise<void>)[]): Promise<Running> {
  const { config, notice, failed } = options
  await checkPort(config)
  const foundation = await openFoundation(config, notice)
  closers.push(() => foundation.close())
  const said = objectStoreNotice(config)
  if (said !== null) notice(said)
  const providers = await openProviders(foundation)
  closers.push(() => providers.close())
  if (config.roles.includes('effects'))
    closers.push(everyFewMinutes(() => forgetSpend(foundation.pools.effects, machineClock.now()), notice))
  const streams = await startStreams(foundation, providers, notice, failed)
  closers.push(() => streams.close())
  const sinks = new SinkRunner({
    log: foundation.log,
    projections,
    tables: postgresTables(foundation.pools.sink, foundation.crash),
    decode: foundation.codec,
    clock: machineClock,
    notice,
  })
  if (config.roles.includes('sinks')) {
    sinks.start()
    const sweep = () => sweepTimeline(foundation.pools.sink, config.timelineDays, foundation.time.now())
    closers.push(everyFewMinutes(sweep, notice))
  }
  closers.push(() => sinks.stop())
  const relay = new OutboxRelay({
    rows: postgresOutbox(foundation.pools.relay),
    log: foundation.log,
    encode: (topic, event) => foundation.codec({ name: topic }).serialize(event, Buffer.from(event.tenant_id, 'utf8')),
    prepare: (tenantIds) => foundation.keyRing.load(tenantIds),
    clock: machineClock,
    notice,
    crash: foundation.crash,
  })
  if (config.roles.includes('api')) relay.start()
  closers.push(() => relay.stop())
  return { foundation, providers, streams, sinks, relay }
}

/** HTTP, with health and metrics alone where there is no API, and the admin socket. */
async function startDoors(
  options: PlatformOptions,
  running: Running,
  closers: (() => Promise<void>)[],
): Promise<Pick<Platform, 'url' | 'endpoints'>> {
  const { config } = options
  const staff = staffOf(running)
  const admin: AdminSocket = await serveAdmin(config.dataDir, adminCommands(running, staff))
  closers.push(() => admin.close())
  const identity = identityOf(running)
  const metrics = new Registry()
  const { endpoints, webhooks, mounts } = config.roles.includes('api')
    ? openApi(options, running, { identity, staff, metrics }, closers)
    : { endpoints: [], webhooks: null, mounts: {} }
  const warp = openWarp(running, options.notice)
  const server = httpOf(options, running, { identity, metrics, endpoints, webhooks, mounts }, warp)
  const { url } = await server.listen(config.http.port, config.http.host)
  closers.push(() => server.close())
  running.providers.sandbox?.deliverTo(url)
  running.providers.resident?.deliverTo(url)
  warp?.start()
  closers.push(async () => warp?.stop())
  return { url, endpoints }
}

interface Doors {
  readonly endpoints: readonly Endpoint[]
  /** What else is served, by path. */
  readonly mounts: Readonly<Record<string, Mount>>
}

function openApi(
  { notice }: PlatformOptions,
  running: Running,
  { identity, staff, metrics }: Pick<Doors, 'identity' | 'metrics'> & { readonly staff: Staff },
  closers: (() => Promise<void>)[],
): Pick<Doors, 'endpoints' | 'webhooks' | 'mounts'> {
  const ingest = ingestOf(running, notice)
  closers.push(() => ingest.close())
  const webhooks = openWebhooks(running, ingest, webhookCounter(metrics))
  closers.push(everyFewMinutes(() => Promise.all([identity.sweep(), ingest.sweep(), webhooks.again()]), notice))
  const pages = operatorPages(running, identity, notice)
  return {
    endpoints: [...agentEndpoints(staff), ...endpointsOf(running, identity, ingest), ...pages],
    webhooks,
    mounts: { [demoPath]: demoPagesOf(running, ingest) },
  }
}

/** What is served beside health and metrics. */
interface Doors {
  readonly identity: Identity
  readonly metrics: Registry
  readonly endpoints: readonly Endpoint[]
  /** Null where there is no API. */
  readonly webhooks: Webhooks | null
  /** Beside the API, by path. */
  readonly mounts: Readonly<Record<string, Mount>>
}

function identityOf({ foundation, relay }: Running): Identity {
  const { config, secrets, keyRing, pools, time } = foundation
  const { previousTokenSecrets, apiKeyPerMinute, apiKeyPerDay } = config.identity
  const settings = identitySettings(
    {
      tokenKeys: [secrets.jwt, ...previousTokenSecrets].map(tokenKeyOf),
      codeSecret: Buffer.from(secrets.code),
      pepper: Buffer.from(secrets.emailPepper),
    },
    { apiKeyPerMinute, apiKeyPerDay },
  )
  return createIdentity({
    pool: pools.auth,
    clock: machineClock,
    time: () => time.now(),
    random: machineRandom,
    settings,
    keys: keyRing,
    nudge: () => relay.nudge(),
  })
}

function staffOf({ foundation, relay }: Running): Staff {
  const { keyRing, pools, time } = foundation
  return createStaff({
    pool: pools.auth,
    clock: machineClock,
    time: () => time.now(),
    random: machineRandom,
    hashing: identityLimits.hashing,
    keys: keyRing,
    nudge: () => relay.nudge(),
  })
}

function ingestOf({ foundation }: Running, notice: (line: string) => void): Ingest {
  const { log, codec, keyRing, pools, processId, time } = foundation
  return createIngest({
    log,
    codec: (name) => codec({ name }),
    keyRing,
    reservations: postgresReservations(pools.auth),
    reviewSubjects: reviewSubjectsIn(pools.api),
    clock: machineClock,
    time: () => time.now(),
    random: machineRandom,
    settings: { ...ingestDefaults, transactionalId: `${ingestPrefix}${processId}` },
    crash: foundation.crash,
    notice,
  })
}

function endpointsOf(running: Running, identity: Identity, ingest: Ingest): Endpoint[] {
  const { foundation, sinks, relay } = running
  const { log, pools, secrets, time } = foundation
  const waitVisible = visibility({ log, relay, sinks, projections, services: services(), clock: machineClock })
  return [
    ...identityEndpoints(identity),
    ...ingestEndpoints(ingest),
    ...queryEndpoints({
      pool: pools.api,
      waitVisible,
      clock: machineClock,
      time: () => time.now(),
      ingest,
      files: running.providers.objects,
      readEvent: eventReader(foundation),
      settings: { ...queryDefaults, cursorSecret: Buffer.from(secrets.jwt) },
    }),
  ]
}

function httpOf(
  options: PlatformOptions,
  running: Running,
  { identity, metrics, endpoints, webhooks, mounts }: Doors,
  warp: Warp | null,
): HttpServer {
  const { config, version } = options
  const { foundation, providers, streams } = running
  collectDefaultMetrics({ register: metrics })
  registerStreamMetrics(metrics, running)
  return createHttpServer({
    endpoints,
    mounts: {
      ...mounts,
      ...(config.roles.includes('api') ? { '/console': consoleHandler('/console') } : {}),
      '/registry': registryMount(foundation.ownRegistry, config.mode),
      ...(webhooks === null ? {} : { '/webhooks': webhooks.handler }),
      ...(warp === null ? {} : { '/sandbox/clock': warpHandler(warp) }),
      ...(providers.sandbox === null ? {} : { '/sandbox': providers.sandbox.handler }),
    },
    settings: {
      ...httpDefaults,
      bodyLimitBytes: config.http.bodyLimitBytes,
      // Where a month passes in minutes, its visitors and webhooks do too, all from this machine.
      requestsPerMinute: config.clock === 'warp' ? 0 : config.http.rateLimitPerMinute,
      trustedProxies: config.http.trustedProxies,
    },
    version,
    logger: loggerOf(config),
    metrics,
    clock: machineClock,
    random: machineRandom,
    time: () => foundation.time.now(),
    onRequest: (path) => {
      if (isAsked(path)) warp?.seen()
    },
    authenticate: (token) => identity.authenticate(token),
    authenticateApiKey: (key) => identity.authenticateApiKey(key),
    spendQuota: (key) => identity.spendQuota(key),
    health: () => healthOf(options, running),
    ready: async () => {
      const statuses = await Promise.all(streams.applications.map((application) => application.status()))
      return statuses.every(({ state }) => state === 'running')
    },
  })
}

function loggerOf(config: Config): Logger {
  return pino({ level: config.logLevel }, pino.destination({ fd: process.stderr.fd, sync: false }))
}

/** Effects that ask nobody outside. */
const madeHere: ReadonlySet<string> = new Set(['rendering'])

async function healthOf(
  { config, version }: PlatformOptions,
  { providers, streams, sinks }: Running,
): Promise<HealthReport> {
  const { applications } = streams
  const statuses = await Promise.all(applications.map((application) => application.status()))
  const lag: Record<string, number> = {}
  for (const application of applications) lag[application.name] = Number(await application.lag())
  for (const { projection, lag: behind } of sinks.lag())
    lag[`sink-${projection}`] = (lag[`sink-${projection}`] ?? 0) + Number(behind)
  const stopped = statuses.filter(({ state }) => state !== 'running')
  return {
    status: stopped.length === 0 ? 'ok' : 'degraded',
    version,
    roles: config.roles,
    providers: providers.list.filter(({ name }) => !madeHere.has(name)).map(({ name, mode }) => ({ name, mode })),
    applications: statuses,
    lag,
  }
}

/** @returns the function that ends it */
function everyFewMinutes(work: () => Promise<unknown>, notice: (line: string) => void): () => Promise<void> {
  let cancel: () => void = () => undefined
  let stopped = false
  const again = (): void => {
    cancel = machineClock.after(5 * 60_000, () => {
      work()
        .catch((error: unknown) =>
          notice(`clean-up failed, it is tried again: ${error instanceof Error ? error.message : String(error)}`),
        )
        .finally(() => {
          if (!stopped) again()
        })
    })
  }
  again()
  return () => {
    stopped = true
    cancel()
    return Promise.resolve()
  }
}
