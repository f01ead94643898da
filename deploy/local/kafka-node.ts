/** One broker of a Kafka that we start, which is a controller too. Its ports and what it has written stay its own. */

import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { SecuredPorts } from './kafka-security.ts'
import type { Waiting } from './server-program.ts'
import { ServerProgram } from './server-program.ts'

export interface Place {
  readonly id: number
  readonly directory: string
  /** Its server.properties. */
  readonly file: string
  readonly port: number
  readonly controllerPort: number
  readonly secured: SecuredPorts
}

export interface HowNodesRun extends Waiting {
  /** The directory with the jars. */
  readonly jars: string
  /** How many the cluster has. */
  readonly nodes: number
  /** How long one may take to end when it is asked to, in ms. */
  readonly endWithinMs: number
}

const readyWithinMs = 120_000

export class KafkaNode {
  readonly id: number
  /** host:port */
  readonly address: string
  readonly #place: Place
  readonly #how: HowNodesRun
  #server: ServerProgram | null = null

  constructor(place: Place, how: HowNodesRun) {
    this.id = place.id
    this.address = `127.0.0.1:${place.port}`
    this.#place = place
    this.#how = how
  }

  /** Resolves when it takes requests, and knows all the others. */
  async start(): Promise<void> {
    const { directory, file, port } = this.#place
    const { jars, nodes, ...how } = this.#how
    this.#server = await ServerProgram.start({
      ...how,
      name: 'Kafka',
      directory,
      program: 'java',
      words: ['-Xmx768m', '-cp', join(jars, '*'), 'kafka.Kafka', file],
      port,
      isReady: async () => (await brokersSeen(port)) >= nodes,
      readyWithinMs,
    })
  }

  /** Resolves when its process has ended, whoever ended it. */
  get ended(): Promise<void> {
    return this.#server?.ended ?? Promise.resolve()
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
  }

  /** Without warning. */
  kill(): void {
    this.#server?.kill()
  }
}

export const dataOf = (directory: string): string => join(directory, 'data')

export const propertiesOf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')

export const settingsOf = (place: Place, all: readonly Place[]): Record<string, string> => {
  const { id, directory, port, controllerPort } = place
  const replicas = String(Math.min(3, all.length))
  const inSync = all.length >= 3 ? '2' : '1'
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.listener.names': 'CONTROLLER',
    ...(all.length === 1
      ? { 'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}` }
      : { 'controller.quorum.voters': all.map((one) => `${one.id}@127.0.0.1:${one.controllerPort}`).join(',') }),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'log.dirs': dataOf(directory),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': '0',
  }
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
