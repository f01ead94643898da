/**
 * Writing, and transactions. With KIP-890 a Produce or TxnOffsetCommit adds its partition to the transaction by itself, and
 * EndTxn answers with the identity of the next (BR3). A cluster of before is spoken to in its own way, and behaves the same:
 *
 *   KP1  What a transaction touches is added before it is touched, once: partitions by AddPartitionsToTxn, a group by
 *       AddOffsetsToTxn. Version 3 of the former: later ones are for brokers, and refused to clients where there are ACLs.
 *   KP2  EndTxn is followed by an InitProducerId with the identity that ended: it bumps the epoch. By then the outcome is
 *        decided, so this is asked until it is answered; when it is not, that is TIMEOUT and no refusal of the end.
 *   KP3  A transaction to which nothing was added, because that was refused, ends without a word: its coordinator does not
 *        know of it.
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
import { isNotNow } from '../client/retry.ts'
import type { Clock } from '../clock.ts'
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
  /** Whose transaction it is: a newer producer of the same transactional id has nothing of it. */
  identity: ProducerIdentity
  readonly timeoutMs: number
  readonly added: Set<string>
}

export interface ProducerRequestsOptions {
  readonly cluster: Cluster
  readonly connections: Connections
  readonly coordinators: Coordinators
  readonly protocol: TransactionProtocol
  readonly clock: Clock
  readonly timeoutMs: number
}

const noProducerId = -1n
const noEpoch = -1
/** The partition was not tried because another in the request was refused. */
const operationNotAttempted = 55
/** How soon the markers of a decided end may be written, in ms (KP2). */
const markersMs = 20

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
      check(answer.errorCode, 'InitProducerId without a transactional id (it needs Write on some topic)')
      return { producerId: answer.producerId, epoch: answer.producerEpoch }
    }
    const identity = await this.#init(transactionalId, transactionTimeoutMs, {
      producerId: noProducerId,
      epoch: noEpoch,
    })
    if (protocol === 1) this.#told.set(transactionalId, { identity, timeoutMs: transactionTimeoutMs, added: new Set() })
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
    const answers = await coordinators.call(of, { lane, timeoutMs }, txnOffsetCommitApi(protocol === 2 ? 5 : 4), {
      transactionalId,
      groupId,
      producerId,
      epoch,
      generationId,
      memberId,
      instanceId: groupInstanceId,
      offsets,
    })
    for (const { topic, partition, errorCode } of answers)
      coordinators.check(of, errorCode, `TxnOffsetCommit to ${groupId} of ${topic}-${partition}`)
  }

  async endTxn({ transactionalId, producerId, epoch, outcome }: EndTxnRequest): Promise<ProducerIdentity> {
    const commit = outcome === 'commit'
    const what = `EndTxn of ${transactionalId}`
    if (this.#options.protocol === 2) {
      const answer = await this.#coordinator(transactionalId, endTxnV5, transactionalId, producerId, epoch, commit)
      this.#check(transactionalId, answer.errorCode, what)
      return { producerId: answer.producerId, epoch: answer.epoch }
    }
    const ended = { producerId, epoch }
    const told = this.#toldOf(transactionalId, ended)
    if (told?.added.size === 0) return ended
    const code = await this.#coordinator(transactionalId, endTxnV4, transactionalId, producerId, epoch, commit)
    this.#check(transactionalId, code, what)
    const identity = await this.#next(transactionalId, told?.timeoutMs ?? 0, ended)
    told?.added.clear()
    if (told !== undefined) told.identity = identity
    return identity
  }

  /** KP2. @throws LogError TIMEOUT, or a refusal that speaks of the producer: that it is fenced */
  async #next(
    transactionalId: string,
    transactionTimeoutMs: number,
    ended: ProducerIdentity,
  ): Promise<ProducerIdentity> {
    const { clock, timeoutMs } = this.#options
    for (let waitedMs = 0; ; waitedMs += markersMs) {
      try {
        return await this.#init(transactionalId, transactionTimeoutMs, ended)
      } catch (error) {
        if (!(error instanceof LogError) || !isNotNow(error.code)) throw error
        if (waitedMs >= timeoutMs) throw new LogError('TIMEOUT', error.message, 'retry', error)
      }
      await new Promise<void>((resolve) => void clock.after(markersMs, resolve))
    }
  }

  /** Undefined with KIP-890, and for a producer that is not the latest of its transactional id. */
  #toldOf(transactionalId: string, { producerId, epoch }: ProducerIdentity): Told | undefined {
    const told = this.#told.get(transactionalId)
    return told?.identity.producerId === producerId && told.identity.epoch === epoch ? told : undefined
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
    const first = batches[0]?.batch
    if (first === undefined) return
    const identity = { producerId: producerIdOf(first, 0), epoch: epochOf(first, 0) }
    const added = this.#toldOf(transactionalId, identity)?.added
    if (added === undefined) return
    const missing = batches.filter((at) => !added.has(placeOf(at)))
    if (missing.length === 0) return
    const answer = await this.#coordinator(transactionalId, addPartitionsToTxnV3.api, [
      {
        transactionalId,
        producerId: identity.producerId,
        producerEpoch: identity.epoch,
        verifyOnly: false,
        topics: byTopic(missing).map(([name, of]) => ({ name, partitions: of.map(({ partition }) => partition) })),
      },
    ])
    for (const { topicResults } of answer.resultsByTransaction)
      for (const { name, resultsByPartition } of topicResults)
        for (const { partitionIndex, partitionErrorCode: code } of resultsByPartition)
          if (code !== operationNotAttempted)
            this.#check(transactionalId, code, `AddPartitionsToTxn of ${transactionalId}: ${name}-${partitionIndex}`)
    for (const at of missing) added.add(placeOf(at))
  }

  /** KP1 */
  async #addGroup(transactionalId: string, { producerId, epoch }: ProducerIdentity, groupId: string): Promise<void> {
    const added = this.#toldOf(transactionalId, { producerId, epoch })?.added
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
    // Those without transactions have no name: each has a lane while it waits.
    const route = { to, lane: transactionalId === null ? null : `produce ${transactionalId}`, timeoutMs }
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
