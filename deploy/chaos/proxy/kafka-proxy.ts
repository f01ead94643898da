/**
 * Stands between clients and one node of a Kafka, on a port of its own, which the node's listener for clients names as its
 * address. It knows frames and the heads of requests, so that a fault strikes the request it is meant for (`faults.ts`).
 */

import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { ProxiedConnection } from './connection.ts'
import type { Faults } from './faults.ts'

export class KafkaProxy {
  readonly #server: Server
  readonly #faults: Faults
  readonly #connections = new Set<ProxiedConnection>()
  /** Where the node listens; set before the first client comes. */
  brokerPort = 0

  private constructor(server: Server, faults: Faults) {
    this.#server = server
    this.#faults = faults
    server.on('connection', (client) => this.#serve(client))
  }

  /** On any port that is free. */
  static async listen(faults: Faults): Promise<KafkaProxy> {
    const server = createServer()
    const proxy = new KafkaProxy(server, faults)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #serve(client: Socket): void {
    const broker = createConnection({ port: this.brokerPort, host: '127.0.0.1' })
    const connection = new ProxiedConnection(client, broker, this.#faults)
    this.#connections.add(connection)
    broker.once('close', () => this.#connections.delete(connection))
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.end()
    await closed
  }
}
