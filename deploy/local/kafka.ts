/**
 * A real Kafka (KRaft; one broker, or a cluster) in a scratch directory on free ports, for the conformance recording and for
 * integration tests. Its jars come through Maven once, into a cache directory.
 * - Jars are downloaded beside and renamed, so that a directory of jars that stands there is whole; its name holds the hash
 *   of the pom, so that another version is another directory.
 * - Brokers listen on loopback only, are ended by their own process ids, and are killed when our process exits.
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
import type { Place } from './kafka-settings.ts'
import { dataOf, propertiesOf, settingsOf } from './kafka-settings.ts'
import { endProcess } from './server-process.ts'

const run = promisify(execFile)
const brokerPom = join(import.meta.dirname, 'kafka-pom.xml')
/** Where jars are kept: with the other things that an install brings. */
export const kafkaCache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'kafka')
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
  /** One unless told. */
  readonly nodes?: number
  /** Levels of features that are finalized when it is formatted, e.g. `{ 'transaction.version': '0' }`. */
  readonly features?: Readonly<Record<string, string>>
  /** Broker settings as Kafka spells them; they go before ours. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of each node, in their order, the port of a proxy that stands in front of a second listener (`KafkaNode.proxied`). */
  readonly proxyPorts?: readonly number[]
}

export interface Kafka {
  /** host:port, all nodes with commas between them. */
  readonly bootstrap: string
  readonly nodes: readonly KafkaNode[]
  /** Of the first node. */
  readonly port: number
  /** The log directory of the first node. */
  readonly data: string
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
export async function kafkaJars(cache = kafkaCache, pom = brokerPom): Promise<string> {
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

/** Formats and starts the brokers; resolves when they take requests. @throws Error with one line */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const { directory, jars, settings, features = {} } = options
  await rm(directory, { recursive: true, force: true })
  const places = await newPlaces(options)
  const clusterId = randomBytes(16).toString('base64url')
  for (const place of places) {
    const file = propertiesFile(place)
    await writeFile(file, propertiesOf({ ...settingsOf(place, places), ...settings }))
    await format(place, clusterId, file, { jars, features, alone: places.length === 1 })
  }
  await writeFile(join(directory, placesFile), JSON.stringify(places))
  return startNodes(places, jars)
}

/** Starts the brokers that `startKafka` has left in a directory, on their ports. @throws Error with one line */
export async function restartKafka({ directory, jars }: Pick<KafkaOptions, 'directory' | 'jars'>): Promise<Kafka> {
  const places = JSON.parse(await readFile(join(directory, placesFile), 'utf8')) as readonly Place[]
  return startNodes(places, jars)
}

const placesFile = 'places.json'
const propertiesFile = ({ directory }: Place): string => join(directory, 'server.properties')

async function newPlaces({ directory, nodes = 1, proxyPorts = [] }: KafkaOptions): Promise<readonly Place[]> {
  const places: Place[] = []
  for (let id = 1; id <= nodes; id++) {
    const own = nodes === 1 ? directory : join(directory, String(id))
    await mkdir(own, { recursive: true })
    const proxyPort = proxyPorts[id - 1]
    const proxied = proxyPort === undefined ? null : { port: await freePort(), proxyPort }
    places.push({ id, directory: own, port: await freePort(), controllerPort: await freePort(), proxied })
  }
  return places
}

async function startNodes(places: readonly Place[], jars: string): Promise<Kafka> {
  const nodes = places.map((place) => new KafkaNode(place, propertiesFile(place), jars, places.length))
  const killWithUs = (): void => nodes.forEach((node) => node.kill())
  process.once('exit', killWithUs)
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs)
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
  } catch (error) {
    await stop()
    throw error
  }
  const [first] = places
  const bootstrap = nodes.map(({ address }) => address).join(',')
  return { bootstrap, nodes, data: dataOf(first!.directory), port: first!.port, stop }
}

async function format(
  { directory }: Place,
  clusterId: string,
  file: string,
  how: { jars: string; features: Readonly<Record<string, string>>; alone: boolean },
): Promise<void> {
  const levels = Object.entries(how.features).flatMap(([name, level]) => ['--feature', `${name}=${level}`])
  const alone = how.alone ? ['--standalone'] : []
  const tool = ['-cp', join(how.jars, '*'), 'kafka.tools.StorageTool', 'format']
  const words = [...tool, ...alone, '-t', clusterId, '-c', file, ...levels]
  await run('java', words, { cwd: directory, timeout: readyWithinMs }).catch((error: unknown) => {
    throw new Error(`Kafka could not format ${directory}: ${String((error as { stderr?: string }).stderr ?? error)}`)
  })
}

/** One broker, which is a controller too. Its ports and what it has written stay its own. */
export class KafkaNode {
  readonly id: number
  /** host:port */
  readonly address: string
  /** Where it listens behind its proxy, and where that is; null without one. */
  readonly proxied: Place['proxied']
  readonly #place: Place
  readonly #file: string
  readonly #jars: string
  readonly #nodes: number
  #broker: ChildProcess | null = null

  constructor(place: Place, file: string, jars: string, nodes: number) {
    this.id = place.id
    this.address = `127.0.0.1:${place.port}`
    this.proxied = place.proxied
    this.#place = place
    this.#file = file
    this.#jars = jars
    this.#nodes = nodes
  }

  /** Resolves when it takes requests, and knows all the others. */
  async start(): Promise<void> {
    const { directory, port } = this.#place
    const broker = launch(directory, ['-Xmx768m', '-cp', join(this.#jars, '*'), 'kafka.Kafka', this.#file])
    this.#broker = broker
    await waitReady(broker, port, directory, this.#nodes)
  }

  async stop(): Promise<void> {
    const broker = this.#broker
    if (broker?.pid !== undefined && broker.exitCode === null && broker.signalCode === null)
      await endProcess(broker.pid, stopSteps)
  }

  /** Without warning. */
  kill(): void {
    this.#broker?.kill('SIGKILL')
  }
}

function launch(directory: string, argumentList: string[]): ChildProcess {
  const log = openSync(join(directory, 'server.log'), 'a')
  try {
    return spawn('java', argumentList, { cwd: directory, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

async function waitReady(broker: ChildProcess, port: number, directory: string, nodes: number): Promise<void> {
  const endAt = performance.now() + readyWithinMs
  while (performance.now() < endAt && broker.exitCode === null && broker.signalCode === null) {
    if ((await brokersSeen(port).catch(() => 0)) >= nodes) return
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
