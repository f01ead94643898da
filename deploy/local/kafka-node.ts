/** One broker of a Kafka that we start, which is a controller too. Its ports and what it has written stay its own. */

import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Place } from './kafka-settings.ts'
import type { Waiting } from './server-program.ts'
import { ServerProgram } from './server-program.ts'

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
  /** Where it listens behind its proxy, and where that is; null without one. */
  readonly proxied: Place['proxied']
  readonly #place: Place
  readonly #how: HowNodesRun
  #server: ServerProgram | null = null

  constructor(place: Place, how: HowNodesRun) {
    this.id = place.id
    this.address = `127.0.0.1:${place.port}`
    this.proxied = place.proxied
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
