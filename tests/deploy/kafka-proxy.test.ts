/** What stands between clients and a broker: the real driver on one side, a broker of ours that answers when it is told to on the other. */

import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { addPartitionsToTxnV3, initProducerIdV5, joinGroupV9, metadataV12 } from '@platformatic/kafka'
import type { API } from '@platformatic/kafka'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RecordBatchBuilder } from '../../connectors/kafka/index.ts'
import { endTxnV5, produceApi, txnOffsetCommitApi } from '../../connectors/kafka/wire/codecs.ts'
import { Connections } from '../../connectors/kafka/wire/connections.ts'
import { Faults } from '../../deploy/chaos/proxy/faults.ts'
import type { Fault, Seen, Side } from '../../deploy/chaos/proxy/faults.ts'
import { FrameSplitter, errorIn, requestOf } from '../../deploy/chaos/proxy/frames.ts'
import type { Request } from '../../deploy/chaos/proxy/frames.ts'
import { KafkaProxy } from '../../deploy/chaos/proxy/kafka-proxy.ts'
import { machineClock } from '../../deploy/machine.ts'

const soonMs = 150
const enoughMs = 5_000

/** Notes what comes in; answers an EndTxn version 5 at once, or when it is let. */
class ScriptedBroker {
  readonly frames: Buffer[] = []
  readonly sockets: Socket[] = []
  answers = true
  /** Before it answers, in ms. */
  thinksMs = 0
  /** The next epoch it gives out. */
  epoch = 1
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<ScriptedBroker> {
    const server = createServer()
    const broker = new ScriptedBroker(server)
    server.on('connection', (socket) => broker.#serve(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get asked(): Request[] {
    return this.frames.map((frame) => requestOf(frame))
  }

  async has(frames: number): Promise<void> {
    for (const end = performance.now() + enoughMs; this.frames.length < frames; await sleep(5))
      if (performance.now() > end) throw new Error(`${this.frames.length} of ${frames} requests came`)
  }

  #serve(socket: Socket): void {
    this.sockets.push(socket)
    socket.on('error', () => undefined)
    const splitter = new FrameSplitter()
    socket.on('data', (chunk: Buffer) => {
      for (const frame of splitter.push(chunk)) {
        this.frames.push(frame)
        if (this.answers) void this.#answer(socket, frame.readInt32BE(8))
      }
    })
  }

  /** Who has hung up meanwhile is not answered, as by a real one. */
  async #answer(socket: Socket, correlationId: number): Promise<void> {
    const answer = endTxnAnswer(correlationId, 0, this.epoch++)
    if (this.thinksMs > 0) await sleep(this.thinksMs)
    if (!socket.readableEnded) socket.write(answer)
  }

  stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    return new Promise((resolve) => void this.#server.close(() => resolve()))
  }
}

/** Throttle time, error, producer id, epoch; tagged fields before and behind. */
function endTxnAnswer(correlationId: number, error: number, epoch: number): Buffer {
  const answer = Buffer.alloc(4 + 4 + 1 + 4 + 2 + 8 + 2 + 1)
  answer.writeInt32BE(answer.length - 4, 0)
  answer.writeInt32BE(correlationId, 4)
  answer.writeInt16BE(error, 13)
  answer.writeInt16BE(epoch, 23)
  return answer
}

let broker: ScriptedBroker
let proxy: KafkaProxy
let faults: Faults
let connections: Connections

beforeEach(async () => {
  broker = await ScriptedBroker.start()
  faults = new Faults()
  proxy = await KafkaProxy.listen(faults)
  proxy.brokerPort = broker.port
  connections = new Connections({ clientId: 'tester', connectTimeoutMs: 2_000 }, machineClock)
})

afterEach(async () => {
  await connections.close()
  await proxy.close()
  await broker.stop()
})

/** Sends by the driver. */
function send<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<R> {
  return connections.call(
    { to: { host: '127.0.0.1', port: proxy.port }, lane: 'one', timeoutMs: enoughMs },
    api,
    ...args,
  )
}

const end = (id: string, timeoutMs = enoughMs): Promise<number> =>
  connections
    .call({ to: { host: '127.0.0.1', port: proxy.port }, lane: 'one', timeoutMs }, endTxnV5, id, 7n, 3, true)
    .then(({ epoch }) => epoch)

const isEnd = ({ api }: Request): boolean => api === 'EndTxn'

/** Long before its sender gives up. */
const endsSoon = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work.catch((error: { code: string }) => error.code), sleep(enoughMs / 2, 'waits')])

/** What a promise has come to by now. */
const outcome = <T>(work: Promise<T>): Promise<T | string> =>
  Promise.race([work.catch((error: { code: string }) => error.code), sleep(soonMs, 'waits')])

describe('frames', () => {
  test('are the same wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.array(fc.nat({ max: 20 })), (contents, cuts) => {
        const frames = contents.map((content) => {
          const frame = Buffer.alloc(4 + content.length)
          frame.writeInt32BE(content.length)
          frame.set(content, 4)
          return frame
        })
        let bytes = Buffer.concat(frames)
        const splitter = new FrameSplitter()
        const found: Buffer[] = []
        for (const cut of cuts) {
          found.push(...splitter.push(bytes.subarray(0, cut)).map((frame) => Buffer.from(frame)))
          bytes = bytes.subarray(cut)
        }
        found.push(...splitter.push(bytes).map((frame) => Buffer.from(frame)))
        expect(found).toEqual(frames)
      }),
    )
  })

  test.each([-1, 0x7fff_ffff])('a length of %i is none', (length) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(length)
    expect(() => new FrameSplitter().push(bytes)).toThrow(RangeError)
  })
})

test('requests of the driver are known by name, version, client, transactional id and group', async () => {
  broker.answers = false
  const long = 't'.repeat(200)
  const records = new RecordBatchBuilder()
  records.append(1, null, Buffer.from('x'))
  const stamp = { producerId: 7n, epoch: 3, baseSequence: 0, transactional: true }
  const batch = { topic: 'topic', partition: 0, batch: records.build(stamp) }
  const member = { groupId: 'group', memberId: 'm', instanceId: null, generationId: 1, offsets: [] }
  const sent = [
    send(endTxnV5, 'id', 7n, 3, true),
    send(produceApi(12), long, 1_000, [batch]),
    send(produceApi(11), null, 1_000, [batch]),
    send(txnOffsetCommitApi(5), { transactionalId: 'id', producerId: 7n, epoch: 3, ...member }),
    send(initProducerIdV5.api, 'id', 1_000, -1n, -1),
    send(initProducerIdV5.api, null, 1_000, -1n, -1),
    send(addPartitionsToTxnV3.api, [
      { transactionalId: 'id', producerId: 7n, producerEpoch: 3, verifyOnly: false, topics: [] },
    ]),
    send(joinGroupV9.api, 'group', 1_000, 1_000, 'm', null, 'consumer', [], null),
    send(metadataV12.api, [], false, false),
  ]
  await broker.has(sent.length)
  expect(
    broker.asked.map(({ api, version, transactionalId, group }) => [api, version, transactionalId, group]),
  ).toEqual([
    ['EndTxn', 5, 'id', null],
    ['Produce', 12, long, null],
    ['Produce', 11, null, null],
    ['TxnOffsetCommit', 5, 'id', null],
    ['InitProducerId', 5, 'id', null],
    ['InitProducerId', 5, null, null],
    ['AddPartitionsToTxn', 3, 'id', null],
    ['JoinGroup', 9, null, 'group'],
    ['Metadata', 12, null, null],
  ])
  expect(new Set(broker.asked.map(({ clientId }) => clientId))).toEqual(new Set(['tester']))
  expect(new Set(broker.asked.map(({ correlationId }) => correlationId)).size).toBe(sent.length)
  await proxy.close()
  await Promise.allSettled(sent)
})

test('the error of an answer is found where each request has it', () => {
  const request = (api: string): Request => ({ api, version: 0, correlationId: 1, clientId: '', transactionalId: null, group: null }) // prettier-ignore
  // one topic with a name of one letter, one partition with number 0
  const parts = [2, 2, 0x74, 2, 0, 0, 0, 0, 0, 47, ...Array<number>(8).fill(0)]
  const answer = (...bytes: number[]): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, ...bytes])
  expect(errorIn(request('EndTxn'), endTxnAnswer(1, 48, 0))).toBe(48)
  expect(errorIn(request('InitProducerId'), endTxnAnswer(1, 0, 0))).toBe(0)
  expect(errorIn(request('Produce'), answer(...parts))).toBe(47)
  expect(errorIn(request('TxnOffsetCommit'), answer(0, 0, 0, 0, ...parts))).toBe(47)
  expect(errorIn(request('Fetch'), answer(...parts))).toBeNull()
})

describe('a fault', () => {
  const arm = (deed: 'cut' | 'silence' | 'hold', side: Side, skip = 0): Fault =>
    faults.arm({ deed, side, skip, where: isEnd })
  const errorOf = async (fault: Fault): Promise<number | null> =>
    fault.answered.then((answer) => (answer === null ? null : errorIn({ ...(broker.asked[0] as Request) }, answer)))

  test('none: all passes, both ways, and is seen', async () => {
    const seen: Seen[] = []
    faults.watch((one) => void seen.push(one))
    expect(await end('t')).toBe(1)
    expect(await end('t')).toBe(2)
    expect(seen.map(({ what, error, heard }) => [what, error, heard])).toEqual([
      ['asked', null, true],
      ['answered', 0, true],
      ['asked', null, true],
      ['answered', 0, true],
    ])
    expect(faults.counts.size).toBe(0)
  })

  test('cut request: the broker never hears of it', async () => {
    const fault = arm('cut', 'request')
    expect(await endsSoon(end('t'))).toBe('TIMEOUT')
    expect(await fault.answered).toBeNull()
    expect(broker.frames).toEqual([])
    expect(faults.counts).toEqual(new Map([['cut request EndTxn', 1]]))
    expect(await end('t')).toBe(1)
  })

  test('cut answer: the broker has done it, and only its sender does not know', async () => {
    const heard: boolean[] = []
    faults.watch((seen) => void (seen.what === 'answered' && heard.push(seen.heard)))
    const fault = arm('cut', 'answer')
    expect(await endsSoon(end('t'))).toBe('TIMEOUT')
    expect(await errorOf(fault)).toBe(0)
    expect(broker.asked).toHaveLength(1)
    expect(await end('t')).toBe(2)
    expect(heard).toEqual([false, true])
  })

  test('hold request: the broker gets it when it is let go', async () => {
    const fault = arm('hold', 'request')
    const asked = end('t')
    await fault.struck
    expect(await outcome(asked)).toBe('waits')
    expect(broker.frames).toEqual([])
    fault.release()
    expect(await asked).toBe(1)
  })

  test('hold request: also when its sender has given up long since', async () => {
    const fault = arm('hold', 'request')
    await expect(end('t', soonMs)).rejects.toMatchObject({ code: 'TIMEOUT' })
    await sleep(soonMs)
    expect(await end('successor')).toBe(1)
    broker.thinksMs = 50
    fault.release()
    expect(await errorOf(fault)).toBe(0)
    expect(broker.asked.map(({ transactionalId }) => transactionalId)).toEqual(['successor', 't'])
    // Then nobody is left on that connection.
    await expect.poll(() => broker.sockets.filter(({ destroyed }) => !destroyed).length).toBe(1)
  })

  test('hold answer: it is done, and said when it is let go', async () => {
    const fault = arm('hold', 'answer')
    const asked = end('t')
    expect(await errorOf(fault)).toBe(0)
    expect(await outcome(asked)).toBe('waits')
    fault.release()
    expect(await asked).toBe(1)
  })

  test('silence request: nothing passes any more on an open connection', async () => {
    const fault = arm('silence', 'request')
    const asked = [end('t', 2 * soonMs), end('u', 2 * soonMs)]
    expect(await fault.answered).toBeNull()
    expect(await outcome(asked[0]!)).toBe('waits')
    expect(await Promise.all(asked.map((one) => one.catch((error: { code: string }) => error.code)))).toEqual(['TIMEOUT', 'TIMEOUT']) // prettier-ignore
    expect(broker.frames).toEqual([])
    expect(await end('t')).toBe(1)
  })

  test('silence answer: done, and nothing is said any more on an open connection', async () => {
    const fault = arm('silence', 'answer')
    const asked = end('t', 2 * soonMs)
    expect(await errorOf(fault)).toBe(0)
    expect(await outcome(asked)).toBe('waits')
    await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(await end('t')).toBe(2)
  })

  test('requests behind one that is held wait too, and keep their order', async () => {
    const fault = faults.arm({ deed: 'hold', side: 'request', where: ({ transactionalId }) => transactionalId === 'b' })
    const asked = ['a', 'b', 'c', 'd'].map((id) => end(id))
    expect(await asked[0]).toBe(1)
    expect(await outcome(asked[2]!)).toBe('waits')
    expect(broker.asked.map(({ transactionalId }) => transactionalId)).toEqual(['a'])
    fault.release()
    expect(await Promise.all(asked)).toEqual([1, 2, 3, 4])
    expect(broker.asked.map(({ transactionalId }) => transactionalId)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('answers behind one that is held wait too; a cut ends all that are on their way', async () => {
    const held = faults.arm({ deed: 'hold', side: 'answer', where: ({ transactionalId }) => transactionalId === 'a' })
    const asked = ['a', 'b'].map((id) => end(id))
    await broker.has(2)
    expect(await outcome(asked[1]!)).toBe('waits')
    held.release()
    expect(await Promise.all(asked)).toEqual([1, 2])
    broker.answers = false
    faults.arm({ deed: 'cut', side: 'request', where: ({ transactionalId }) => transactionalId === 'd' })
    const cut = ['c', 'd', 'e'].map((id) => endsSoon(end(id)))
    expect(await Promise.all(cut)).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT'])
    expect(broker.asked.map(({ transactionalId }) => transactionalId)).toEqual(['a', 'b', 'c'])
  })

  test('strikes the one after those that it lets pass, once; and none when it is disarmed', async () => {
    arm('cut', 'request', 2)
    const idle = arm('cut', 'request', 3)
    expect([await end('t'), await end('t')]).toEqual([1, 2])
    await expect(end('t')).rejects.toMatchObject({ code: 'TIMEOUT' })
    faults.disarm(idle)
    expect([await end('t'), await end('t')]).toEqual([3, 4])
    expect(faults.counts).toEqual(new Map([['cut request EndTxn', 1]]))
  })
})

describe('a connection', () => {
  const request = async (): Promise<Buffer> => {
    broker.answers = false
    void end('t').catch(() => undefined)
    await broker.has(1)
    const [frame] = broker.frames.splice(0)
    broker.answers = true
    return frame!
  }
  const open = async (): Promise<Socket> => {
    const socket = createConnection({ port: proxy.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    return socket
  }

  test('whose bytes come one by one, or many requests at once, is the same to the broker', async () => {
    const frame = await request()
    const socket = await open()
    for (const byte of frame) {
      socket.write(Buffer.from([byte]))
      await sleep(1)
    }
    await broker.has(1)
    socket.write(Buffer.concat([frame, frame, frame]))
    await broker.has(4)
    for (const found of broker.frames) expect(found).toEqual(frame)
    socket.destroy()
  })

  test('ends on both sides when one ends', async () => {
    const before = broker.sockets.length
    const client = await open()
    await expect.poll(() => broker.sockets.length).toBe(before + 1)
    client.destroy()
    await expect.poll(() => broker.sockets.at(-1)?.destroyed).toBe(true)
    const other = await open()
    await expect.poll(() => broker.sockets.length).toBe(before + 2)
    broker.sockets.at(-1)?.destroy()
    await once(other, 'close')
  })

  test('with what is no frame is ended', async () => {
    const socket = await open()
    socket.write(Buffer.from('ffffffff', 'hex'))
    await once(socket, 'close')
    expect(broker.frames).toEqual([])
  })

  test('to a node that is away is ended', async () => {
    await broker.stop()
    const socket = await open()
    await once(socket, 'close')
  })
})

test('who waits for something that does not come is told in time', async () => {
  expect(await faults.next(() => true, 50)).toBeNull()
  const seen = faults.next(({ what }) => what === 'answered', enoughMs)
  await end('t')
  expect(await seen).toMatchObject({ request: { api: 'EndTxn' }, error: 0, heard: true })
})
