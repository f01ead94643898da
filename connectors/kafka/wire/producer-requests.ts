/**
 * Writing, and transactions. With KIP-890 a Produce or TxnOffsetCommit adds its partition to the transaction by itself, and
 * EndTxn answers with the identity of the next (BR3). A cluster of before is spoken to in its own way, and behaves the same:
 *
 *   KP1  What a transaction touches is added before it is touched, once: partitions by AddPartitionsToTxn, a group by
 *       AddOffsetsToTxn. Version 3 of the former: later ones are for brokers, and refused to clients where there are ACLs.
 *   KP2  EndTxn is followed by an InitProducerId with the identity that ended: it bumps the epoch.
 */

import { addOffsetsToTxnV4, addPartitionsToTxnV3, initProducerIdV5 } from '@platformatic/kafka'
import type { API } from '@platformatic/kafka'
import { epochOf, producerIdOf } from '../batch-format.ts'
import type {
  EndTxnRequest,
  InitProducerIdRequest,
  ProduceBatch,
  ProduceRequest,
  ProducedPartition,
  ProducerIdentity,
  TxnOffsetCommitRequest,
} from '../broker.ts'
import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'
import { byTopic } from './by-topic.ts'
import type { Cluster } from './cluster.ts'
import { endTxnV4, endTxnV5, produceApi, txnOffsetCommitApi } from './codecs.ts'
import type { ProducedAnswer } from './codecs.ts'
import type { Address, Connections } from './connections.ts'
import { Unsent } from './connections.ts'
import type { Coordinated, Coordinators } from './coordinators.ts'
import { check, codeOf } from './errors.ts'
import type { TransactionProtocol } from './versions.ts'

/** What the coordinator of a cluster without KIP-890 was told of an open transaction (KP1). */
interface Told {
  readonly timeoutMs: number
  readonly added: Set<string>
}

export interface ProducerRequestsOptions {
  readonly cluster: Cluster
  readonly connections: Connections
  readonly coordinators: Coordinators
  readonly protocol: TransactionProtocol
  readonly timeoutMs: number
}

const noProducerId = -1n
const noEpoch = -1
/** The partition was not tried because another in the request was refused. */
const operationNotAttempted = 55

export class ProducerRequests {
  readonly #options: ProducerRequestsOptions
  readonly #produceApi: ReturnType<typeof produceApi>
  /** By transactional id; with KIP-890 nothing has to be remembered. */
  readonly #told = new Map<string, Told>()

  constructor(options: ProducerRequestsOptions) {
    this.#options = options
    this.#produceApi = produceApi(options.protocol === 2 ? 12 : 11)
  }

  async initProducerId({ transactionalId, transactionTimeoutMs }: InitProducerIdRequest): Promise<ProducerIdentity> {
    const { cluster, protocol } = this.#options
    if (transactionalId === null) {
      const answer = await cluster.any(initProducerIdV5.api, null, transactionTimeoutMs, noProducerId, noEpoch)
      check(answer.errorCode, 'InitProducerId')
      return { producerId: answer.producerId, epoch: answer.producerEpoch }
    }
    const identity = await this.#init(transactionalId, transactionTimeoutMs, {
      producerId: noProducerId,
      epoch: noEpoch,
    })
    if (protocol === 1) this.#told.set(transactionalId, { timeoutMs: transactionTimeoutMs, added: new Set() })
    return identity
  }

  async produce({ transactionalId, batches }: ProduceRequest): Promise<readonly ProducedPartition[]> {
    const { nodes, unknown, leaderless } = await this.#options.cluster.led(batches)
    if (transactionalId !== null) await this.#addPartitions(transactionalId, batches)
    const answers = new Map<string, ProducedPartition>()
    const keep = (answer: ProducedPartition): void => void answers.set(placeOf(answer), answer)
    for (const at of unknown) keep(refused(at, 'UNKNOWN_TOPIC_OR_PARTITION', `there is no ${placeOf(at)}`))
    for (const at of leaderless) keep(refused(at, 'NOT_LEADER_OR_FOLLOWER', `${placeOf(at)} has no leader now`))
    const sent = [...nodes].map(([to, parts]) => this.#produceAt(to, transactionalId, parts))
    for (const answer of (await Promise.all(sent)).flat()) keep(answer)
    return batches.map((batch) => answers.get(placeOf(batch)) ?? refused(batch, 'TIMEOUT', 'no answer for it'))
  }

  async txnOffsetCommit(request: TxnOffsetCommitRequest): Promise<void> {
    const { transactionalId, producerId, epoch, group, offsets } = request
    const { coordinators, protocol, timeoutMs } = this.#options
    const { groupId, generationId, memberId, groupInstanceId } = group
    await this.#addGroup(transactionalId, request, groupId)
    const of: Coordinated = { kind: 'group', key: groupId }
    const lane = `transaction ${transactionalId}`
    const codes = await coordinators.call(of, { lane, timeoutMs }, txnOffsetCommitApi(protocol === 2 ? 5 : 4), {
      transactionalId,
      groupId,
      producerId,
      epoch,
      generationId,
      memberId,
      instanceId: groupInstanceId,
      offsets,
    })
    for (const code of codes) coordinators.check(of, code, `TxnOffsetCommit to ${groupId}`)
  }

  async endTxn({ transactionalId, producerId, epoch, outcome }: EndTxnRequest): Promise<ProducerIdentity> {
    const commit = outcome === 'commit'
    const what = `EndTxn of ${transactionalId}`
    if (this.#options.protocol === 2) {
      const answer = await this.#coordinator(transactionalId, endTxnV5, transactionalId, producerId, epoch, commit)
      this.#check(transactionalId, answer.errorCode, what)
      return { producerId: answer.producerId, epoch: answer.epoch }
    }
    const code = await this.#coordinator(transactionalId, endTxnV4, transactionalId, producerId, epoch, commit)
    this.#check(transactionalId, code, what)
    const told = this.#told.get(transactionalId)
    const identity = await this.#init(transactionalId, told?.timeoutMs ?? 0, { producerId, epoch })
    told?.added.clear()
    return identity
  }

  async #init(transactionalId: string, timeoutMs: number, of: ProducerIdentity): Promise<ProducerIdentity> {
    const { api } = initProducerIdV5
    const { producerId, epoch } = of
    const answer = await this.#coordinator(transactionalId, api, transactionalId, timeoutMs, producerId, epoch)
    this.#check(transactionalId, answer.errorCode, `InitProducerId of ${transactionalId}`)
    return { producerId: answer.producerId, epoch: answer.producerEpoch }
  }

  /** KP1 */
  async #addPartitions(transactionalId: string, batches: readonly ProduceBatch[]): Promise<void> {
    const added = this.#told.get(transactionalId)?.added
    const first = batches[0]?.batch
    if (added === undefined || first === undefined) return
    const missing = batches.filter((at) => !added.has(placeOf(at)))
    if (missing.length === 0) return
    const answer = await this.#coordinator(transactionalId, addPartitionsToTxnV3.api, [
      {
        transactionalId,
        producerId: producerIdOf(first, 0),
        producerEpoch: epochOf(first, 0),
        verifyOnly: false,
        topics: byTopic(missing).map(([name, of]) => ({ name, partitions: of.map(({ partition }) => partition) })),
      },
    ])
    const codes = answer.resultsByTransaction.flatMap(({ topicResults }) =>
      topicResults.flatMap(({ resultsByPartition }) => resultsByPartition.map((one) => one.partitionErrorCode)),
    )
    const refusal = codes.find((code) => code !== 0 && code !== operationNotAttempted) ?? 0
    this.#check(transactionalId, refusal, `AddPartitionsToTxn of ${transactionalId}`)
    for (const at of missing) added.add(placeOf(at))
  }

  /** KP1 */
  async #addGroup(transactionalId: string, { producerId, epoch }: ProducerIdentity, groupId: string): Promise<void> {
    const added = this.#told.get(transactionalId)?.added
    const name = `group ${groupId}`
    if (added === undefined || added.has(name)) return
    const { api } = addOffsetsToTxnV4
    const answer = await this.#coordinator(transactionalId, api, transactionalId, producerId, epoch, groupId)
    this.#check(transactionalId, answer.errorCode, `AddOffsetsToTxn of ${transactionalId}`)
    added.add(name)
  }

  #coordinator<A extends unknown[], R>(transactionalId: string, api: API<A, R>, ...args: A): Promise<R> {
    const { coordinators, timeoutMs } = this.#options
    const route = { lane: `transaction ${transactionalId}`, timeoutMs }
    return coordinators.call({ kind: 'transaction', key: transactionalId }, route, api, ...args)
  }

  #check(transactionalId: string, code: number, what: string): void {
    this.#options.coordinators.check({ kind: 'transaction', key: transactionalId }, code, what)
  }

  /** Never rejects for trouble: what became of each batch is its answer. */
  async #produceAt(
    to: Address,
    transactionalId: string | null,
    batches: readonly ProduceBatch[],
  ): Promise<readonly ProducedPartition[]> {
    const { connections, cluster, timeoutMs } = this.#options
    const route = { to, lane: `produce ${transactionalId ?? ''}`, timeoutMs }
    let answers: readonly ProducedAnswer[]
    try {
      answers = await connections.call(route, this.#produceApi, transactionalId, timeoutMs, batches)
    } catch (error) {
      cluster.forget(batches)
      const isUnsent = error instanceof Unsent
      if (!isUnsent && !(error instanceof LogError)) throw error
      const code = isUnsent ? 'NOT_LEADER_OR_FOLLOWER' : error.code
      return batches.map((at) => refused(at, code, error.message))
    }
    return Promise.all(answers.map((answer) => this.#produced(answer)))
  }

  async #produced({ topic, partition, errorCode, baseOffset, message }: ProducedAnswer): Promise<ProducedPartition> {
    if (errorCode === 0) return { topic, partition, baseOffset, error: null, message: null }
    const { cluster } = this.#options
    const code = codeOf(errorCode)
    if (code === 'NOT_LEADER_OR_FOLLOWER') cluster.forget([{ topic }])
    const isLate = code === 'UNKNOWN_TOPIC_OR_PARTITION' && (await cluster.stillHas(topic).catch(() => true))
    const says = message === null || message === '' ? code : `${code}: ${message}`
    const what = `Produce to ${topic}-${partition}: ${says}`
    return refused({ topic, partition }, isLate ? 'NOT_LEADER_OR_FOLLOWER' : code, what)
  }
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

const refused = (
  { topic, partition }: TopicPartition,
  error: NonNullable<ProducedPartition['error']>,
  message: string,
): ProducedPartition => ({ topic, partition, baseOffset: -1n, error, message })
