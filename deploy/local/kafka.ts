/**
 * One real Kafka broker (KRaft, one node) in a scratch directory on free ports, for the conformance recording and for
 * integration tests. Its jars come through Maven once, into a cache directory.
 * - Jars are downloaded beside and renamed, so that a directory of jars that stands there is whole; its name holds the hash
 *   of the pom, so that another version is another directory.
 * - The broker listens on loopback only, is ended by its own process id, and is killed when our process exits.
 * - Everything is bounded in time, and every failure is one line that says what to do.
 */

import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { endProcess } from './server-process.ts'

const run = promisify(execFile)
const brokerPom = join(import.meta.dirname, 'kafka-pom.xml')
const downloadWithinMs = 300_000
const readyWithinMs = 60_000
const stopSteps = [
  { signal: 'SIGTERM', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
] as const

export interface KafkaOptions {
  /** Made, and emptied before use. */
  readonly directory: string
  /** What `kafkaJars` gave. */
  readonly jars: string
  /** Broker settings as Kafka spells them; they go before ours. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Kafka {
  readonly port: number
  /** host:port */
  readonly bootstrap: string
  /** Its log directory. */
  readonly data: string
  readonly pid: number
  stop(): Promise<void>
}

/** One line that says what this machine lacks to run Kafka, or null. */
export async function kafkaLacks(): Promise<string | null> {
  const java = await run('javac', ['-version'], { timeout: 30_000 }).then(
    ({ stdout, stderr }) => Number(/javac (\d+)/.exec(stdout + stderr)?.[1] ?? 0),
    () => 0,
  )
  if (java < 17) return `a real Kafka needs a JDK 17 or newer (javac in PATH), found ${java === 0 ? 'none' : java}`
  const maven = await run('mvn', ['-v'], { timeout: 60_000 }).then(
    () => true,
    () => false,
  )
  return maven ? null : 'a real Kafka needs Maven (mvn in PATH) to fetch its jars'
}

/** The version that a pom names. */
export async function kafkaVersion(pom = brokerPom): Promise<string> {
  const version = /<kafka\.version>(.+?)</.exec(await readFile(pom, 'utf8'))?.[1]
  if (version === undefined) throw new Error(`${pom} names no kafka.version`)
  return version
}

/**
 * The directory with the jars that a pom names, downloaded when it is not there yet (the broker's: 44 MB).
 * @param cache a directory that is kept
 */
export async function kafkaJars(cache: string, pom = brokerPom): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const jars = join(cache, `jars-${await kafkaVersion(pom)}-${hash}`)
  if (await exists(jars)) return jars
  const scratch = join(cache, `new-${randomBytes(6).toString('hex')}`)
  await mkdir(scratch, { recursive: true })
  try {
    await copyFile(pom, join(scratch, 'pom.xml'))
    await download(scratch)
    // Another process may have been faster: its directory is as good.
    await rename(join(scratch, 'jars'), jars).catch(async (error: unknown) => {
      if (!(await exists(jars))) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return jars
}

async function download(scratch: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(scratch, 'jars')}`, '-DincludeScope=runtime']
  await run('mvn', ['-q', '-B', ...goal], { cwd: scratch, timeout: downloadWithinMs }).catch((error: unknown) => {
    const said = String((error as { stdout?: string }).stdout ?? error)
    throw new Error(`Maven could not fetch Kafka's jars: ${said.split('\n').find((line) => line !== '') ?? said}`)
  })
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Formats and starts a broker; resolves when it takes requests. @throws Error with one line */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const { directory, jars } = options
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const [port, controllerPort] = [await freePort(), await freePort()]
  const file = join(directory, 'server.properties')
  await writeFile(file, propertiesOf({ ...settingsOf(directory, port, controllerPort), ...options.settings }))
  const classes = ['-cp', join(jars, '*')]
  const clusterId = randomBytes(16).toString('base64url')
  const format = [...classes, 'kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId, '-c', file]
  await run('java', format, { cwd: directory, timeout: readyWithinMs }).catch((error: unknown) => {
    throw new Error(`Kafka could not format ${directory}: ${String((error as { stderr?: string }).stderr ?? error)}`)
  })
  const broker = launch(directory, ['-Xmx768m', ...classes, 'kafka.Kafka', file])
  const killWithUs = (): void => void broker.kill('SIGKILL')
  process.once('exit', killWithUs)
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs)
    if (broker.pid !== undefined && broker.exitCode === null) await endProcess(broker.pid, stopSteps)
  }
  try {
    await waitReady(broker, port, directory)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, bootstrap: `127.0.0.1:${port}`, data: dataOf(directory), pid: broker.pid ?? 0, stop }
}

const dataOf = (directory: string): string => join(directory, 'data')

function launch(directory: string, argumentList: string[]): ChildProcess {
  const log = openSync(join(directory, 'server.log'), 'a')
  try {
    return spawn('java', argumentList, { cwd: directory, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

const propertiesOf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')

const settingsOf = (directory: string, port: number, controllerPort: number): Record<string, string> => ({
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'log.dirs': dataOf(directory),
  'auto.create.topics.enable': 'false',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
})

async function waitReady(broker: ChildProcess, port: number, directory: string): Promise<void> {
  const endAt = performance.now() + readyWithinMs
  while (performance.now() < endAt && broker.exitCode === null && broker.signalCode === null) {
    if ((await brokersSeen(port).catch(() => 0)) > 0) return
    await sleep(50)
  }
  throw new Error(`Kafka did not become ready: see ${join(directory, 'server.log')}`)
}

/** How many brokers a Metadata answer lists; none until the broker may lead partitions. */
function brokersSeen(port: number): Promise<number> {
  // length, api key 3, version 1, correlation 1, client id null, then no topics
  const request = Buffer.from('0000000e0003000100000001ffff00000000', 'hex')
  return new Promise((done, failed) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: 5_000 })
    let answer = Buffer.alloc(0)
    socket.on('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < 12) return
      // length, correlation, number of brokers
      done(answer.readInt32BE(8))
      socket.destroy()
    })
    socket.on('timeout', () => socket.destroy(new Error('no answer')))
    socket.on('error', failed)
    socket.on('close', () => failed(new Error('closed')))
  })
}
