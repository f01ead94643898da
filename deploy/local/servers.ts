/** The servers of `npm run local`: what each lacks, how it is started, and what is told about it when it is ready. */

import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { VariableName } from '../configuration/variables.ts'
import { variables } from '../configuration/variables.ts'
import type { AskedServer, ServerName } from './arguments.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { brokerLacks, kafkaJars, startKafka } from './kafka.ts'
import { redisLacks, startRedis } from './redis.ts'
import { registryLacks, startRegistry } from './registry.ts'
import { s3Lacks, startS3 } from './s3.ts'
import type { Waiting } from './server-program.ts'
import { seeProcess } from './server-process.ts'

export interface RunningServer {
  /** Where its clients find it. */
  readonly address: string
  /** What stands before `npm start` to use it; null where the product of today cannot. */
  readonly settings: string | null
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

export interface LocalServer {
  /** One line that says what this machine lacks to run it, or null. */
  lacks(): Promise<string | null>
  /** @throws Error with one line */
  start(asked: AskedServer, waiting: Waiting): Promise<RunningServer>
}

export const localServers: Readonly<Record<ServerName, LocalServer>> = {
  kafka: { lacks: brokerLacks, start: kafka },
  registry: { lacks: registryLacks, start: registry },
  redis: { lacks: redisLacks, start: redis },
  postgres: { lacks: () => Promise.resolve(null), start: postgres },
  s3: { lacks: s3Lacks, start: s3 },
}

async function kafka({ directory, port, nodes }: AskedServer, waiting: Waiting): Promise<RunningServer> {
  const jars = await kafkaJars(waiting)
  const running = await startKafka({ ...waiting, directory, jars, port, nodes, keep: true })
  return {
    address: running.bootstrap,
    settings: settingOf('KAFKA_BROKERS', running.bootstrap),
    ended: Promise.race(running.nodes.map((node) => node.ended)),
    stop: () => running.stop(),
  }
}

async function registry({ directory, port }: AskedServer, waiting: Waiting): Promise<RunningServer> {
  const running = await startRegistry({ ...waiting, directory, port })
  return { ...running, address: running.url, settings: settingOf('SCHEMA_REGISTRY_URL', running.url) }
}

async function redis({ directory, port }: AskedServer, waiting: Waiting): Promise<RunningServer> {
  const running = await startRedis({ ...waiting, directory, port })
  return { ...running, address: running.url, settings: settingOf('REDIS_URL', running.url) }
}

/** It goes to the end of its start whatever is asked meanwhile: that is a matter of seconds. */
async function postgres({ directory, port }: AskedServer, { notice }: Waiting): Promise<RunningServer> {
  const told = (line: string): void => notice?.(line.replace(/^postgres: /, ''))
  const running = await startEmbeddedPostgres({ directory, port, notice: told })
  const settings = await databaseSettings(directory, running.url)
  return {
    address: running.url,
    settings: `env $(cat ${quoted(settings)})`,
    ended: gone(running.pid),
    stop: () => running.stop(),
  }
}

async function s3({ directory, port }: AskedServer, waiting: Waiting): Promise<RunningServer> {
  const running = await startS3({ ...waiting, directory, port })
  waiting.notice?.('its objects are in memory: they end with it')
  const named = [
    'S3_BUCKET=lifecycle',
    `S3_ENDPOINT=${running.url}`,
    'S3_ACCESS_KEY_ID=local',
    'S3_SECRET_ACCESS_KEY=local',
  ]
  return { ...running, address: running.url, settings: named.join(' ') }
}

/** Null for a variable that the product does not have. */
const settingOf = (name: string, value: string): string | null =>
  Object.hasOwn(variables, name) ? `${name}=${value}` : null

const secretNames: readonly VariableName[] = [
  ...(['JWT_SECRET', 'CODE_SECRET', 'EMAIL_PEPPER', 'DATA_KEY_SECRET', 'DATABASE_ROLE_SECRET'] as const),
]

/**
 * A database of one's own wants secrets of one's own, the same at every start: what is encrypted in it cannot be read with
 * others. So they are made once and kept beside it.
 * @returns a file that only its owner can read, with a `NAME=value` a line
 */
async function databaseSettings(directory: string, url: string): Promise<string> {
  const file = join(directory, 'settings.env')
  const kept = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  const secretOf = (name: string): string =>
    kept.find((line) => line.startsWith(`${name}=`)) ?? `${name}=${randomBytes(32).toString('hex')}`
  const lines = [`DATABASE_URL=${url}`, ...secretNames.map(secretOf)]
  await writeFile(`${file}.new`, `${lines.join('\n')}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return file
}

/** For a shell. */
const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll(`'`, `'\\''`)}'`)

async function gone(pid: number): Promise<void> {
  while ((await seeProcess(pid)) !== null) await sleep(500)
}
