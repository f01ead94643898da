/**
 * A real Kafka (KRaft; one broker, or a cluster) in a directory, for a laptop, for the conformance recording and for
 * integration tests. Its jars come through Maven once, into a cache directory.
 * - Brokers listen on loopback only, are ended by their own process ids, and are killed when our process exits.
 * - Everything is bounded in time, and every failure is one line that says what to do.
 */

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePort, portIsFree } from './free-port.ts'
import { javaLacks, mavenLacks } from './java.ts'
import type { HowNodesRun } from './kafka-node.ts'
import { KafkaNode } from './kafka-node.ts'
import type { KafkaSecurity } from './kafka-security.ts'
import { makeCertificate, scramUsers, secured } from './kafka-security.ts'
import type { Place } from './kafka-settings.ts'
import { dataOf, propertiesOf, settingsOf } from './kafka-settings.ts'
import type { MavenFiles } from './maven.ts'
import { isFetched, mavenFiles, versionIn } from './maven.ts'
import type { Waiting } from './server-program.ts'

const run = promisify(execFile)
const brokerPom = join(import.meta.dirname, 'kafka-pom.xml')
/** Where jars are kept: with the other things that an install brings. */
export const kafkaCache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'kafka')
/** One that ends is not awaited; on a machine under load a cluster of three has taken two minutes. */
const readyWithinMs = 180_000

export interface KafkaOptions extends Waiting {
  /** Made; and emptied before use, unless its data is kept. */
  readonly directory: string
  /** What `kafkaJars` gave. */
  readonly jars: string
  /** One unless told. */
  readonly nodes?: number
  /** Of the first node, the others have those that follow; free ones unless told. */
  readonly port?: number
  /** Goes on with the cluster that is in the directory. Features, users and nodes are those it was formatted with. */
  readonly keep?: boolean
  /** Levels of features that are finalized when it is formatted, e.g. `{ 'transaction.version': '0' }`. */
  readonly features?: Readonly<Record<string, string>>
  /** Broker settings as Kafka spells them; they go before ours. */
  readonly settings?: Readonly<Record<string, string>>
  /** Further listeners where one has to say who one is; then rights come from ACLs. */
  readonly security?: KafkaSecurity
  /** Of each node, in their order, the port of a proxy that stands in front of a second listener (`KafkaNode.proxied`). */
  readonly proxyPorts?: readonly number[]
}

export interface Kafka {
  /** host:port, all nodes with commas between them. */
  readonly bootstrap: string
  readonly nodes: readonly KafkaNode[]
  /** The same of the listeners that `security` has added. */
  readonly secured: { readonly plain: string; readonly tls: string }
  /** Of the first node. */
  readonly port: number
  /** The log directory of the first node. */
  readonly data: string
  stop(): Promise<void>
}

/** One line that says what this machine lacks to run Kafka and to compile against it, or null. */
export async function kafkaLacks(): Promise<string | null> {
  return (await javaLacks('a real Kafka', 'javac')) ?? (await mavenLacks('a real Kafka'))
}

/** One line that says what this machine lacks to run Kafka alone, or null. */
export async function brokerLacks(): Promise<string | null> {
  const java = await javaLacks('Kafka')
  if (java !== null || (await isFetched(jarsOf({})))) return java
  return mavenLacks('Kafka')
}

/** The version that a pom names. */
export const kafkaVersion = (pom = brokerPom): Promise<string> => versionIn(pom, 'kafka.version')

export interface JarOptions extends Waiting {
  /** A directory that is kept. */
  readonly cache?: string
  readonly pom?: string
  /** Of Kafka; the one that the pom names unless told. */
  readonly version?: string | undefined
}

/** The directory with the jars that a pom names, fetched when it is not there yet. */
export const kafkaJars = (options: JarOptions = {}): Promise<string> => mavenFiles(jarsOf(options), options)

const jarsOf = ({ cache = kafkaCache, pom = brokerPom, version }: JarOptions): MavenFiles => ({
  what: `Kafka's jars`,
  pom,
  property: 'kafka.version',
  version,
  goal: ['dependency:copy-dependencies', '-DoutputDirectory={output}', '-DincludeScope=runtime'],
  cache,
  name: 'jars',
})

/** Formats what is not formatted and starts the brokers; resolves when they take requests. @throws Error with one line */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const directory = resolve(options.directory)
  if (options.keep !== true) await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const places = await prepare(directory, options)
  const failed = new AbortController()
  const nodes = places.map((place) => new KafkaNode(place, howOf(options, places.length, failed.signal)))
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  const starts = nodes.map((node) => node.start())
  try {
    await Promise.all(starts)
  } catch (error) {
    failed.abort()
    await Promise.allSettled(starts)
    await stop()
    throw error
  }
  return {
    bootstrap: nodes.map(({ address }) => address).join(','),
    nodes,
    secured: {
      plain: places.map((place) => `127.0.0.1:${place.secured.plain}`).join(','),
      tls: places.map((place) => `127.0.0.1:${place.secured.tls}`).join(','),
    },
    data: dataOf(places[0]!.directory),
    port: places[0]!.port,
    stop,
  }
}

function howOf({ jars, keep, notice, signal }: KafkaOptions, nodes: number, failed: AbortSignal): HowNodesRun {
  const endWithinMs = keep === true ? 30_000 : 5_000
  return { jars, nodes, endWithinMs, notice, signal: signal === undefined ? failed : AbortSignal.any([signal, failed]) }
}

/** What is kept of a cluster beside its data. It is written last, so that where it stands every node is formatted. */
interface Layout {
  readonly clusterId: string
  readonly controllerPorts: readonly number[]
}

async function prepare(directory: string, options: KafkaOptions): Promise<readonly Place[]> {
  const { nodes = 1, settings, security, signal } = options
  const file = join(directory, 'cluster.json')
  const kept = JSON.parse(await readFile(file, 'utf8').catch(() => 'null')) as Layout | null
  if (kept !== null && kept.controllerPorts.length !== nodes)
    throw new Error(`${directory} holds a Kafka of ${kept.controllerPorts.length} nodes, not ${nodes}: choose another directory, or delete it`) // prettier-ignore
  const controllerPorts: number[] = []
  for (let index = 0; index < nodes; index++) controllerPorts.push(await portOrFree(kept?.controllerPorts[index]))
  const layout: Layout = { clusterId: kept?.clusterId ?? newClusterId(), controllerPorts }
  const places = await placesOf(directory, layout, options)
  if (security?.certificates !== undefined) await makeCertificate(security.certificates)
  for (const place of places) {
    await mkdir(place.directory, { recursive: true })
    const own = settingsOf(place, places)
    const all = security === undefined ? own : secured(own, place.secured, security)
    await writeFile(place.file, propertiesOf({ ...all, ...settings }))
    signal?.throwIfAborted()
    if (kept === null) await format(place, layout, options)
  }
  await writeFile(`${file}.new`, JSON.stringify(layout))
  await rename(`${file}.new`, file)
  return places
}

async function placesOf(
  directory: string,
  { controllerPorts }: Layout,
  { port, proxyPorts = [] }: KafkaOptions,
): Promise<readonly Place[]> {
  const places: Place[] = []
  for (const [index, controllerPort] of controllerPorts.entries()) {
    const own = controllerPorts.length === 1 ? directory : join(directory, String(index + 1))
    const file = join(own, 'server.properties')
    const ownPort = port === undefined ? await freePort() : port + index
    const secured = { plain: await freePort(), tls: await freePort() }
    const proxyPort = proxyPorts[index]
    const proxied = proxyPort === undefined ? null : { port: await freePort(), proxyPort }
    places.push({ id: index + 1, directory: own, file, port: ownPort, controllerPort, secured, proxied })
  }
  return places
}

/** 22 characters. Its first bit is 0, so that it never begins with a dash: Kafka's tools would take it for an option. */
export function newClusterId(bytes: Uint8Array = randomBytes(16)): string {
  return Buffer.from([(bytes[0] ?? 0) & 0x7f, ...bytes.subarray(1)]).toString('base64url')
}

const portOrFree = async (kept: number | undefined): Promise<number> =>
  kept !== undefined && (await portIsFree(kept)) ? kept : freePort()

async function format({ directory, file }: Place, layout: Layout, options: KafkaOptions): Promise<void> {
  // What an interrupted formatting left.
  await rm(dataOf(directory), { recursive: true, force: true })
  const { jars, features = {}, security, signal } = options
  const levels = Object.entries(features).flatMap(([name, level]) => ['--feature', `${name}=${level}`])
  const alone = layout.controllerPorts.length === 1 ? ['--standalone'] : []
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.StorageTool', 'format']
  const users = security === undefined ? [] : scramUsers(security)
  const words = [...tool, ...alone, `--cluster-id=${layout.clusterId}`, '-c', file, ...levels, ...users]
  const how = { cwd: directory, timeout: readyWithinMs, ...(signal === undefined ? {} : { signal }) }
  await run('java', words, how).catch((error: unknown) => {
    signal?.throwIfAborted()
    // One that was killed has said nothing.
    const said = String((error as { stderr?: string }).stderr ?? '').trim() || String(error)
    throw new Error(`Kafka could not format ${directory}: ${said.split('\n').at(-1) ?? ''}`)
  })
}
