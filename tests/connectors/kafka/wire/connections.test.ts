/** Connections to nodes that are away, silent or slow: a server of ours that answers when it is told to. */

import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { findCoordinatorV4, heartbeatV4 } from '@platformatic/kafka'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, test } from 'vitest'
import { LogError } from '../../../../connectors/kafka/index.ts'
import { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import { Connections, Unsent } from '../../../../connectors/kafka/wire/connections.ts'
import type { Address } from '../../../../connectors/kafka/wire/connections.ts'
import { Coordinators } from '../../../../connectors/kafka/wire/coordinators.ts'
import { machineClock } from '../../../../deploy/machine.ts'
import { connectKafka, openKafkaLog } from './real-time.ts'

const settings = { clientId: 'test', connectTimeoutMs: 2_000 }
const enoughMs = 10_000
const generated = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
})
const certificate = { key: generated.private, cert: generated.cert }

/** Answers a heartbeat with "all is well" once `answers` says so. */
class FakeNode {
  readonly sockets: Socket[] = []
  asked = 0
  answers = true
  hangsUp = false
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param tls what it shows whoever connects; it speaks none when absent */
  static async start(tls?: { key: string; cert: string }): Promise<FakeNode> {
    const server = tls === undefined ? createServer() : createTlsServer(tls)
    const node = new FakeNode(server)
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => node.#serve(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return node
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  #serve(socket: Socket): void {
    this.sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      this.asked++
      if (this.hangsUp) socket.destroy()
      if (!this.answers || this.hangsUp) return
      // length, correlation id, no tagged fields; throttle time, error code, no tagged fields
      const answer = Buffer.alloc(4 + 4 + 1 + 4 + 2 + 1)
      answer.writeInt32BE(answer.length - 4, 0)
      chunk.copy(answer, 4, 8, 12)
      socket.write(answer)
    })
  }

  stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    return new Promise((resolve) => void this.#server.close(() => resolve()))
  }
}

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const open = (): Connections => {
  const connections = new Connections(settings, machineClock)
  closers.push(() => connections.close())
  return connections
}
const startNode = async (tls?: { key: string; cert: string }): Promise<FakeNode> => {
  const node = await FakeNode.start(tls)
  closers.push(() => node.stop())
  return node
}
/** Where nobody listens. */
const nowhere = async (): Promise<Address> => {
  const node = await FakeNode.start()
  const { address } = node
  await node.stop()
  return address
}
const heartbeat = (connections: Connections, to: Address, lane: string | null, timeoutMs = enoughMs) =>
  connections.call({ to, lane, timeoutMs }, heartbeatV4.api, 'g', 1, 'm', null)

describe('a node that is away', () => {
  test('did not get the request, and that is said (KC1)', async () => {
    await expect(heartbeat(open(), await nowhere(), 'any')).rejects.toBeInstanceOf(Unsent)
  })

  test('is one line for whoever starts, with every address that was tried', async () => {
    const [one, other] = [await nowhere(), await nowhere()]
    const bootstrap = [one, other].map(({ host, port }) => `${host}:${port}`)
    const failure: unknown = await openKafkaLog({ bootstrap }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(LogError)
    expect(failure).toMatchObject({ code: 'TIMEOUT', then: 'retry' })
    expect((failure as Error).message).toBe(
      `no Kafka broker can be reached at ${bootstrap.join(', ')} (${bootstrap[0]}: connect ECONNREFUSED ${bootstrap[0]})`,
    )
  })

  test('of a coordinator no request was sent, so nothing was done (BR1)', async () => {
    const connections = open()
    const cluster = new Cluster(connections, [await nowhere()], machineClock, enoughMs)
    const coordinators = new Coordinators(cluster, connections)
    const asked = coordinators.call(
      { kind: 'group', key: 'g' },
      { lane: 'g', timeoutMs: enoughMs },
      findCoordinatorV4.api,
      0,
      ['g'],
    )
    await expect(asked).rejects.toMatchObject({ code: 'COORDINATOR_NOT_AVAILABLE', then: 'retry' })
  })

  test('an address that is none is refused', async () => {
    await expect(connectKafka({ bootstrap: ['kafka'] })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await expect(connectKafka({ bootstrap: ['kafka:70000'] })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })
})

describe('a node that is silent', () => {
  test('leaves an outcome that nobody knows, and its connection is closed (KC1, KC2)', async () => {
    const node = await startNode()
    const connections = open()
    node.answers = false
    await expect(heartbeat(connections, node.address, 'any', 50)).rejects.toMatchObject({ code: 'TIMEOUT' })
    const [first] = node.sockets
    await new Promise<void>((resolve) => (first!.destroyed ? resolve() : void first!.once('close', () => resolve())))
    node.answers = true
    await expect(heartbeat(connections, node.address, 'any')).resolves.toMatchObject({ errorCode: 0 })
    expect(node.sockets).toHaveLength(2)
  })

  test('is known to be until it answers, and so is one that cannot be reached (KC5)', async () => {
    const [node, away] = [await startNode(), await nowhere()]
    const connections = open()
    await heartbeat(connections, away, 'any').catch(() => undefined)
    expect(connections.isSilent(away)).toBe(true)
    node.answers = false
    expect(connections.isSilent(node.address)).toBe(false)
    await heartbeat(connections, node.address, 'any', 50).catch(() => undefined)
    expect(connections.isSilent(node.address)).toBe(true)
    node.answers = true
    await heartbeat(connections, node.address, 'any')
    expect(connections.isSilent(node.address)).toBe(false)
  })

  test('that goes away in the middle leaves one too (KC1)', async () => {
    const node = await startNode()
    node.answers = false
    const asked = heartbeat(open(), node.address, 'any')
    while (node.asked === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    node.sockets[0]!.destroy()
    await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  test('keeps none waiting but who waits there (KC3)', async () => {
    const node = await startNode()
    const connections = open()
    node.answers = false
    const waiting = [heartbeat(connections, node.address, null, 300), heartbeat(connections, node.address, null, 300)]
    const ended = Promise.allSettled(waiting)
    while (node.asked < 2) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(node.sockets).toHaveLength(2)
    node.answers = true
    await expect(heartbeat(connections, node.address, 'shared')).resolves.toMatchObject({ errorCode: 0 })
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test('a connection that was waited on is used again, by one at a time (KC3)', async () => {
    const node = await startNode()
    const connections = open()
    for (let n = 0; n < 3; n++) await heartbeat(connections, node.address, null)
    expect(node.sockets).toHaveLength(1)
  })
})

test('after the close nothing is sent; what was sent before has an outcome that nobody knows (KC1)', async () => {
  const node = await startNode()
  const connections = open()
  node.answers = false
  const asked = heartbeat(connections, node.address, 'any').catch((error: unknown) => error)
  while (node.asked === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  await connections.close()
  expect(await asked).toMatchObject({ code: 'TIMEOUT', then: 'stop' })
  await expect(heartbeat(connections, node.address, 'any')).rejects.toMatchObject({ code: 'CLOSED' })
})

describe('a node that hangs up in the handshake of TLS', () => {
  const open = (): Connections => {
    const connections = new Connections({ ...settings, tls: { ca: certificate.cert } }, machineClock)
    closers.push(() => connections.close())
    return connections
  }

  test('speaks no TLS, for all that is known at the start', async () => {
    const node = await startNode()
    node.hangsUp = true
    await expect(heartbeat(open(), node.address, 'any')).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  test('is away for a moment when others spoke it', async () => {
    const [node, other] = [await startNode(), await startNode(certificate)]
    const connections = open()
    await expect(heartbeat(connections, other.address, 'any')).resolves.toMatchObject({ errorCode: 0 })
    node.hangsUp = true
    await expect(heartbeat(connections, node.address, 'any')).rejects.toBeInstanceOf(Unsent)
  })
})
