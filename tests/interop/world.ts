/** One broker, one Java program and our driver, for all tests of interoperability: starting them is most of their time. */

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Log } from '../../connectors/kafka/index.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { settings } from '../conformance/record.ts'
import { openKafkaLog } from '../connectors/kafka/wire/real-time.ts'
import { compilePeer, JavaPeer } from './java-peer.ts'

const pom = join(import.meta.dirname, 'java', 'pom.xml')
/** The largest record here, with room. */
const largestBytes = 9 * 1024 * 1024

export interface World {
  readonly kafka: Kafka
  readonly log: Log
  readonly peer: JavaPeer
  readonly kafkaJs: KafkaJs
  /** A directory that goes when the world does. */
  readonly scratch: string
  /** A name nobody else has. */
  name(what: string): string
  newTopic(partitions: number, config?: Readonly<Record<string, string>>): Promise<string>
  close(): Promise<void>
}

/** Why it cannot be, in one line, or null. The first time this fetches the jars. */
export async function whyNoInterop(): Promise<string | null> {
  const lacks = await kafkaLacks()
  if (lacks !== null) return lacks
  return kafkaJars({ pom }).then(
    () => null,
    (error: unknown) => String(error),
  )
}

export async function openWorld(): Promise<World> {
  const scratch = await mkdtemp(join(tmpdir(), 'kafka-interop-'))
  const jars = await kafkaJars({ pom })
  const directory = join(scratch, 'broker')
  const limits = { 'message.max.bytes': String(largestBytes), 'socket.request.max.bytes': String(4 * largestBytes) }
  const [kafka, classes] = await Promise.all([
    startKafka({ directory, jars, settings: { ...settings, ...limits } }),
    compilePeer(jars, scratch),
  ])
  const peer = new JavaPeer(jars, classes, kafka.bootstrap)
  const log = await openKafkaLog({ bootstrap: [kafka.bootstrap] })
  let names = 0
  const name = (what: string): string => `${what}-${++names}`
  return {
    kafka,
    log,
    peer,
    scratch,
    kafkaJs: new KafkaJs({ brokers: [kafka.bootstrap], clientId: 'interop', logLevel: logLevel.NOTHING }),
    name,
    async newTopic(partitions, config = {}) {
      const topic = name('topic')
      // Times of long ago are in here: nothing is deleted by its age.
      await log.createTopics([{ name: topic, partitions, config: { 'retention.ms': '-1', ...config } }])
      return topic
    },
    async close() {
      await log.close()
      await peer.stop()
      await kafka.stop()
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

const run = promisify(execFile)

/** The program `kcat` of this machine. */
export const kcat = async (...words: readonly string[]): Promise<string> =>
  (await run('kcat', words, { timeout: 30_000, maxBuffer: 64 * 1024 * 1024 })).stdout

/**
 * Why kcat cannot be asked, in one line, or null. It is a package of the system: put there when we may do that.
 */
export async function whyNoKcat(): Promise<string | null> {
  const isThere = (): Promise<boolean> =>
    kcat('-V').then(
      () => true,
      () => false,
    )
  if (await isThere()) return null
  if (process.getuid?.() !== 0)
    return 'kcat is not installed, and only root can install it (Debian: apt-get install kcat)'
  const installed = await run('apt-get', ['install', '-y', '-q', 'kcat'], { timeout: 120_000 }).then(
    isThere,
    () => false,
  )
  return installed ? null : 'kcat is not installed, and apt-get could not install it'
}
