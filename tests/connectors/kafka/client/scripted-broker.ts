/** A broker that answers as a test says, call by call, and keeps what it was asked. */

import { LogError } from '../../../../connectors/kafka/index.ts'
import type {
  Broker,
  EndTxnRequest,
  InitProducerIdRequest,
  LogErrorCode,
  OffsetFetchRequest,
  ProduceRequest,
  ProducerIdentity,
  TxnOffsetCommitRequest,
} from '../../../../connectors/kafka/index.ts'

interface Requests {
  readonly initProducerId: InitProducerIdRequest
  readonly produce: ProduceRequest
  readonly txnOffsetCommit: TxnOffsetCommitRequest
  readonly endTxn: EndTxnRequest
  readonly offsetFetch: OffsetFetchRequest
}

export type RequestName = keyof Requests

/** What the next request of a name is answered: a code, or a code for each batch of a Produce. Without one it succeeds. */
export type Answer = LogErrorCode | readonly (LogErrorCode | null)[] | Promise<void>

export class ScriptedBroker {
  readonly asked: (readonly [name: RequestName, request: Requests[RequestName]])[] = []
  readonly #answers = new Map<string, Answer[]>()
  #identity: ProducerIdentity = { producerId: 7n, epoch: 0 }
  #offset = 0n

  /** The next requests of this name are answered so, in order. */
  answer(name: RequestName, ...answers: Answer[]): void {
    this.#answers.set(name, [...(this.#answers.get(name) ?? []), ...answers])
  }

  names(): readonly string[] {
    return this.asked.map(([name]) => name)
  }

  requests<N extends RequestName>(name: N): readonly Requests[N][] {
    return this.asked.flatMap(([asked, request]) => (asked === name ? [request as Requests[N]] : []))
  }

  get broker(): Broker {
    const unused = (): Promise<never> => Promise.reject(new Error('not in the script'))
    return {
      clusterId: 'scripted',
      metadata: unused,
      createTopics: unused,
      listOffsets: unused,
      fetch: unused,
      deleteRecords: unused,
      initProducerId: async (request) => {
        await this.#take('initProducerId', request)
        this.#identity = { ...this.#identity, epoch: this.#identity.epoch + 1 }
        return this.#identity
      },
      produce: async (request) => {
        const codes = await this.#take('produce', request)
        return request.batches.map(({ topic, partition }, index) => {
          const error = codes?.[index] ?? null
          return { topic, partition, error, message: error, baseOffset: error === null ? this.#offset++ : -1n }
        })
      },
      txnOffsetCommit: async (request) => void (await this.#take('txnOffsetCommit', request)),
      endTxn: async (request) => {
        await this.#take('endTxn', request)
        this.#identity = { ...this.#identity, epoch: this.#identity.epoch + 1 }
        return this.#identity
      },
      joinGroup: unused,
      syncGroup: unused,
      heartbeat: unused,
      leaveGroup: unused,
      offsetCommit: unused,
      offsetFetch: async (request) => {
        await this.#take('offsetFetch', request)
        return request.partitions.map((where) => ({ ...where, offset: 5n, metadata: '' }))
      },
      describeGroups: unused,
      close: async () => {},
    }
  }

  async #take<N extends RequestName>(name: N, request: Requests[N]): Promise<readonly (LogErrorCode | null)[] | null> {
    this.asked.push([name, request])
    const answer = this.#answers.get(name)?.shift()
    if (answer === undefined) return null
    if (answer instanceof Promise) return answer.then(() => null)
    if (typeof answer === 'string') throw new LogError(answer, `${name}: ${answer}`, 'stop')
    return answer
  }
}
