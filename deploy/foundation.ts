/**
 * What every role stands on: the locked data directory, the log with its topics, the database with its roles, the schema
 * registry, the tenants' keys and the codecs. Opened bottom up; `close` goes top down.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CrashPoint, Log } from '../connectors/kafka/index.ts'
import { createMissing, openEmbeddedLog, openKafkaLog } from '../connectors/kafka/index.ts'
import type { SqlKeyRing } from '../connectors/keys/index.ts'
import { openKeyRing } from '../connectors/keys/index.ts'
import type { Pool } from '../connectors/postgres/index.ts'
import { openPool } from '../connectors/postgres/index.ts'
import type { EmbeddedRegistry } from '../connectors/registry/index.ts'
import type { AnyEvent, AnyEventTopic } from '../schemas/index.ts'
import { eventCodec, topics } from '../schemas/index.ts'
import { lockDirectory } from '../state-stores/index.ts'
import type { Clock, Serde } from '../topology/index.ts'
import { certificatesIn } from './certificates.ts'
import type { Config, KafkaConfig, Secrets } from './config.ts'
import { loadSecrets } from './config.ts'
import { crashAt } from './crash.ts'
import { startEmbeddedPostgres } from './local/embedded-postgres.ts'
import { machineClock, machineRandom } from './machine.ts'
import { WarpClock } from './warp/warp-clock.ts'
import type { DatabaseRole } from './migrate.ts'
import { checkRole, databaseRoles, migrate } from './migrate.ts'
import { openRegistry } from './open-registry.ts'
import { processIdentity } from './process-identity.ts'

export type Pools = Readonly<Record<DatabaseRole, Pool>>

/** What a stream worker stands on, in whatever thread it runs. */
export interface StreamFoundation {
  readonly config: Config
  readonly secrets: Secrets
  readonly processId: string
  readonly log: Log
  /** Business time: the machine's clock, or one that is warped. */
  readonly time: Clock
  readonly pools: Pick<Pools, (typeof streamRoles)[number]>
  readonly keyRing: SqlKeyRing
  /** Where this process is to kill itself, by CRASH_POINT. */
  readonly crash: CrashPoint
  codec(topic: { readonly name: string }): Required<Serde<AnyEvent>>
  close(): Promise<void>
}

export interface Foundation extends StreamFoundation {
  readonly pools: Pools
  /** Null when the registry is outside. */
  readonly ownRegistry: EmbeddedRegistry | null
  /** For the stream threads. */
  readonly seed: FoundationSeed
}

/** What another thread needs to stand on the same parts; plain, so that it can be sent there. */
export interface FoundationSeed {
  readonly config: Config
  readonly secrets: Secrets
  readonly processId: string
  readonly roleUrls: Readonly<Record<DatabaseRole, string>>
}

/** Data keys and codes are read under these. */
const streamRoles = ['auth', 'effects'] as const satisfies readonly DatabaseRole[]

/** @param notice one line for the operator */
export async function openFoundation(config: Config, notice: (line: string) => void): Promise<Foundation> {
  return closedOnFailure((closers, closeAll) => open(config, notice, closers, closeAll))
}

async function closedOnFailure<T>(
  work: (closers: (() => Promise<void>)[], closeAll: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const closers: (() => Promise<void>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    return await work(closers, closeAll)
  } catch (error) {
    await closeAll().catch(() => undefined)
    throw error
  }
}

async function open(
  config: Config,
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
  closeAll: () => Promise<void>,
): Promise<Foundation> {
  mkdirSync(config.dataDir, { recursive: true })
  const lock = await lockDirectory(config.dataDir)
  closers.push(() => lock.release())
  const secrets = loadSecrets(config.dataDir, config.secrets)
  const crash = crashAt(config.crashPoint)
  const [log, ownerUrl] = await Promise.all([
    openLog(config, crash, notice, closers),
    openDatabase(config, notice, closers),
  ])
  const { roleUrls } = await migrate({ ownerUrl, secret: secrets.databaseRole, notice })
  const pools = await openPools(databaseRoles, roleUrls, notice, closers)
  await createTopics(log, config)
  const time = timeOf(config)
  const { ownRegistry, keyRing, codec } = await openCodecs(config, { log, pool: pools.auth, secrets }, notice, closers)
  const processId = processIdentity(config.dataDir)
  const seed = { config, secrets, processId, roleUrls }
  return { config, secrets, processId, log, time, pools, ownRegistry, keyRing, crash, codec, seed, close: closeAll }
}

/**
 * On the parts that the process has opened, for another thread of it: with connections of its own.
 * @param notice one line for the operator
 */
export async function openStreamFoundation(
  { config, secrets, processId, roleUrls }: FoundationSeed,
  notice: (line: string) => void,
): Promise<StreamFoundation> {
  return closedOnFailure(async (closers, close) => {
    const crash = crashAt(config.crashPoint)
    const log = await openLog(config, crash, notice, closers)
    const pools = await openPools(streamRoles, roleUrls, notice, closers)
    const { keyRing, codec } = await openCodecs(config, { log, pool: pools.auth, secrets }, notice, closers)
    return { config, secrets, processId, log, time: machineClock, pools, keyRing, crash, codec, close }
  })
}

async function openCodecs(
  config: Config,
  on: { readonly log: Log; readonly pool: Pool; readonly secrets: Secrets },
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<Pick<Foundation, 'ownRegistry' | 'keyRing' | 'codec'>> {
  const { log, pool, secrets } = on
  const { registry, ownRegistry } = await openRegistry(config.registry, log, notice, closers)
  const keyRing = openKeyRing({ pool, masterSecret: secrets.dataKey, clock: machineClock })
  const codecs = new Map<string, Required<Serde<AnyEvent>>>()
  for (const topic of topics)
    codecs.set(topic.name, (await eventCodec(topic, { registry, keyRing })) as unknown as Required<Serde<AnyEvent>>)
  const codec = ({ name }: { readonly name: string }): Required<Serde<AnyEvent>> => {
    const known = codecs.get(name)
    if (known === undefined) throw new Error(`topic "${name}" has no codec`)
    return known
  }
  return { ownRegistry, keyRing, codec }
}

async function openLog(
  config: Config,
  crash: CrashPoint,
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<Log> {
  const machine = { clock: machineClock, random: machineRandom, notice }
  const log =
    config.kafka === null
      ? await openEmbeddedLog({
          ...machine,
          directory: join(config.dataDir, 'log'),
          fsync: config.log.fsync,
          fsyncIntervalMs: config.log.fsyncIntervalMs,
          crash,
        })
      : await openKafkaLog({
          ...machine,
          bootstrap: config.kafka.bootstrap,
          tls: tlsOf(config.kafka),
          sasl: config.kafka.sasl ?? undefined,
        })
  closers.push(() => log.close())
  return log
}

function tlsOf({ tls }: KafkaConfig): { ca?: string } | undefined {
  if (tls === null) return undefined
  return tls.caFile === null ? {} : { ca: certificatesIn('KAFKA_SSL_CA', tls.caFile) }
}

/** @returns the owner's address */
async function openDatabase(
  config: Config,
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<string> {
  if (config.database.url !== null) return config.database.url
  const server = await startEmbeddedPostgres({ directory: join(config.dataDir, 'postgres'), notice })
  closers.push(() => server.stop())
  return server.url
}

async function openPools<R extends DatabaseRole>(
  roles: readonly R[],
  urls: Readonly<Record<DatabaseRole, string>>,
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<Readonly<Record<R, Pool>>> {
  const statementTimeoutMs: Partial<Record<DatabaseRole, number>> = { api: 2000, sink: 60_000 }
  const pools = Object.fromEntries(
    roles.map((role) => {
      const timeout = statementTimeoutMs[role]
      const options = {
        applicationName: `lifecycle ${role}`,
        notice,
        ...(timeout === undefined ? {} : { statementTimeoutMs: timeout }),
      }
      return [role, openPool(urls[role], options)]
    }),
  ) as unknown as Readonly<Record<R, Pool>>
  closers.push(async () => {
    await Promise.all(roles.map((role) => pools[role].end()))
  })
  await Promise.all(roles.map((role) => checkRole(pools[role], role)))
  return pools
}

const timeOf = ({ clock, dataDir }: Config): Clock =>
  clock === 'warp' ? new WarpClock(join(dataDir, 'business-time'), machineClock.now()) : machineClock

const createTopics = (log: Log, config: Config): Promise<void> =>
  createMissing(
    log,
    topics.map((topic) => ({
      name: topic.name,
      partitions: config.log.topicPartitions,
      config: { ...configOf(topic), ...topicConfigOf(config) },
    })),
  )

/** Where business time runs ahead, a broker is not to take its records for mistakes (by default it refuses an hour ahead). */
export const topicConfigOf = ({ clock }: Config): Readonly<Record<string, string>> =>
  clock === 'warp' ? { 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) } : {}

function configOf(topic: AnyEventTopic): Record<string, string> {
  const retentionMs = topic.retention === 'forever' ? -1 : 7 * 24 * 60 * 60_000
  return { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs), 'message.timestamp.type': 'CreateTime' }
}
