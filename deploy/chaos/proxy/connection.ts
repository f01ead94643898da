/** One client's connection to a node, with the faults between them. */

import type { Socket } from 'node:net'
import type { Fault, Faults } from './faults.ts'
import type { Request } from './frames.ts'
import { FrameSplitter, correlationOf, requestOf } from './frames.ts'

/** A request that the broker has, and what is to become of its answer. */
interface Expected {
  readonly request: Request
  readonly fault: Fault | null
}

export class ProxiedConnection {
  readonly #client: Socket
  readonly #broker: Socket
  readonly #faults: Faults
  readonly #requests = new FrameSplitter()
  readonly #answers = new FrameSplitter()
  readonly #expected: Expected[] = []
  /** What is held, and what waits behind it; each way keeps its order. */
  #toBroker: Promise<void> | null = null
  #toClient: Promise<void> | null = null
  #silent = false
  #clientGone = false

  constructor(client: Socket, broker: Socket, faults: Faults) {
    this.#client = client
    this.#broker = broker
    this.#faults = faults
    client.setNoDelay(true)
    broker.setNoDelay(true)
    client.on('data', (chunk: Buffer) => this.#parse(this.#requests, chunk, (frame) => this.#request(frame)))
    broker.on('data', (chunk: Buffer) => this.#parse(this.#answers, chunk, (frame) => this.#answer(frame)))
    client.on('error', ignored)
    broker.on('error', ignored)
    client.once('close', () => this.#clientClosed())
    broker.once('close', () => this.#brokerClosed())
  }

  end(): void {
    this.#client.destroy()
    this.#broker.destroy()
  }

  #parse(splitter: FrameSplitter, chunk: Buffer, each: (frame: Buffer) => void): void {
    try {
      for (const frame of splitter.push(chunk)) each(frame)
    } catch {
      // What is no frame is nobody's: a client would be hung up on by the broker too.
      this.end()
    }
  }

  #request(frame: Buffer): void {
    if (this.#silent) return
    if (this.#toBroker === null) this.#pass(frame)
    else this.#toBroker = this.#toBroker.then(() => this.#pass(frame))
  }

  #pass(frame: Buffer): void {
    if (this.#silent) return
    const request = requestOf(frame)
    const fault = this.#faults.strike(request)
    if (fault?.spec.side !== 'request') return this.#forward(frame, { request, fault })
    switch (fault.spec.deed) {
      case 'cut':
        fault.answer(null)
        return this.end()
      case 'silence':
        this.#silent = true
        return fault.answer(null)
      case 'hold':
        this.#toBroker = fault.released.then(() => this.#forward(frame, { request, fault }))
    }
  }

  #forward(frame: Buffer, expected: Expected): void {
    if (this.#broker.destroyed) return expected.fault?.answer(null)
    this.#expected.push(expected)
    this.#broker.write(frame)
    this.#faults.asked(expected.request)
  }

  #answer(frame: Buffer): void {
    const at = this.#expected.findIndex(({ request }) => request.correlationId === correlationOf(frame))
    const [expected] = at < 0 ? [] : this.#expected.splice(at, 1)
    const fault = expected?.fault ?? null
    fault?.answer(frame)
    const deed = fault?.spec.side === 'answer' ? fault.spec.deed : null
    if (deed === 'silence') this.#silent = true
    const deliver = (): void => this.#deliver(expected?.request ?? null, frame, deed === 'cut')
    if (deed === 'hold') this.#toClient = fault!.released.then(deliver)
    else if (this.#toClient === null) deliver()
    else this.#toClient = this.#toClient.then(deliver)
    if (deed === 'cut') return this.end()
    this.#endWhenDone()
  }

  #deliver(request: Request | null, frame: Buffer, isCut: boolean): void {
    const heard = !isCut && !this.#silent && !this.#clientGone
    if (request !== null) this.#faults.answered(request, frame, heard)
    if (heard) this.#client.write(frame)
  }

  /** What it has sent the broker gets, also what is held here. */
  #clientClosed(): void {
    this.#clientGone = true
    void (this.#toBroker ?? Promise.resolve()).then(() => this.#endWhenDone())
  }

  #endWhenDone(): void {
    const held = this.#expected.some(({ fault }) => fault !== null)
    if (this.#clientGone && !held) this.#broker.end()
  }

  #brokerClosed(): void {
    for (const { fault } of this.#expected.splice(0)) fault?.answer(null)
    this.#client.destroy()
  }
}

const ignored = (): void => undefined
