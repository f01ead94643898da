/**
 * A `Log` over any broker: what the engine calls, made of the requests of the protocol. Nothing of it knows whether the
 * broker is in the same process, behind a simulated network, or a cluster.
 */

import type { Broker } from '../broker.ts'
import type { Clock, Random } from '../clock.ts'
import { LogError } from '../port.ts'
import type {
  FetchedPartition,
  FetchRequest,
  GroupDescription,
  GroupOptions,
  GroupSession,
  Log,
  LogErrorCode,
  OffsetAndMetadata,
  ProducerOptions,
  ProducerSession,
  TopicMetadata,
  TopicPartition,
  TopicSpec,
} from '../port.ts'
import { ClientProducer } from './producer-session.ts'
import type { ProducerContext } from './producer-session.ts'
import { closed, isNotNow, retrying } from './retry.ts'
import { timedBroker } from './timed-broker.ts'

const DEFAULT_STABLE_TIMEOUT_MS = 30_000
const DEFAULT_DELIVERY_TIMEOUT_MS = 120_000
const DEFAULT_RETRY_BACKOFF_MS = 100
/** A pending offset is settled by an EndTxn that may be on its way. */
const UNSTABLE_BACKOFF_MS = 20

export interface LogClientOptions {
  readonly broker: Broker
  readonly clock: Clock
  readonly random: Random
  /** One line for a person. */
  readonly notice?: (line: string) => void
  /** After so long a request without answer is given up with TIMEOUT; not at all unless told: the broker has its own bound. */
  readonly requestTimeoutMs?: number
  /** How long a request that is answered "not now" is asked again: 120 s unless told. */
  readonly deliveryTimeoutMs?: number
  /** The first wait before asking again; each is twice the one before, up to ten times this. 100 ms unless told. */
  readonly retryBackoffMs?: number
  /** Whether `close` closes the broker too: yes unless told. */
  readonly ownsBroker?: boolean
  /** How a group is joined. */
  readonly join?: (options: GroupOptions) => Promise<GroupSession>
}

export class LogClient implements Log {
  readonly clusterId: string
  readonly #broker: Broker
  readonly #ownsBroker: boolean
  readonly #join: (options: GroupOptions) => Promise<GroupSession>
  readonly #context: ProducerContext
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null

  constructor(options: LogClientOptions) {
    const { clock, random, requestTimeoutMs } = options
    this.#broker =
      requestTimeoutMs === undefined ? options.broker : timedBroker(options.broker, clock, requestTimeoutMs)
    this.clusterId = options.broker.clusterId
    this.#ownsBroker = options.ownsBroker ?? true
    this.#join = options.join ?? noGroups
    this.#context = {
      broker: this.#broker,
      clock,
      random,
      retryBackoffMs: options.retryBackoffMs ?? DEFAULT_RETRY_BACKOFF_MS,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? DEFAULT_DELIVERY_TIMEOUT_MS,
      closing: this.#closing.signal,
    }
  }

  metadata(names?: readonly string[]): Promise<readonly TopicMetadata[]> {
    return this.#ask(() => this.#broker.metadata(names), isUnanswered)
  }

  createTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#ask(() => this.#broker.createTopics(specs))
  }

  listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'latest' | 'stable',
  ): Promise<readonly bigint[]> {
    return this.#ask(() => this.#broker.listOffsets(partitions, which), isUnanswered)
  }

  /** Never asked again here: whoever polls asks anyway. */
  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    this.#checkOpen()
    const fetched = await this.#broker.fetch({ ...request, signal: request.signal ?? this.#closing.signal })
    this.#checkOpen()
    return fetched
  }

  /** An InitProducerId that is done twice only makes the epoch grow more, so a lost answer is asked for again. */
  async openProducer({ transactionalId, transactionTimeoutMs }: ProducerOptions): Promise<ProducerSession> {
    const identity = await this.#ask(
      () => this.#broker.initProducerId({ transactionalId, transactionTimeoutMs }),
      isUnanswered,
    )
    return new ClientProducer(identity, transactionalId, transactionTimeoutMs, this.#context)
  }

  async joinGroup(options: GroupOptions): Promise<GroupSession> {
    this.#checkOpen()
    return this.#join(options)
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    timeoutMs: number = DEFAULT_STABLE_TIMEOUT_MS,
  ): Promise<readonly (OffsetAndMetadata | null)[]> {
    this.#checkOpen()
    const context = { ...this.#context, retryBackoffMs: UNSTABLE_BACKOFF_MS }
    const ask = (): Promise<readonly (OffsetAndMetadata | null)[]> =>
      this.#broker.offsetFetch({ groupId, partitions, requireStable: true })
    return retrying(context, timeoutMs, ask, (code) => code === 'UNSTABLE_OFFSET_COMMIT' || isUnanswered(code))
  }

  describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]> {
    return this.#ask(() => this.#broker.describeGroups(groupIds), isUnanswered)
  }

  deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    return this.#ask(() => this.#broker.deleteRecords(before), isUnanswered)
  }

  close(): Promise<void> {
    this.#closing.abort()
    this.#closed ??= this.#ownsBroker ? this.#broker.close() : Promise.resolve()
    return this.#closed
  }

  async #ask<T>(request: () => Promise<T>, asksAgain: (code: LogErrorCode) => boolean = isNotNow): Promise<T> {
    this.#checkOpen()
    return retrying(this.#context, this.#context.deliveryTimeoutMs, request, asksAgain)
  }

  #checkOpen(): void {
    if (this.#closed !== null) throw closed()
  }
}

/** For requests that may be done twice. */
const isUnanswered = (code: LogErrorCode): boolean => code === 'TIMEOUT' || isNotNow(code)

const noGroups = (): Promise<never> =>
  Promise.reject(new LogError('INVALID_REQUEST', 'this log has no groups of members', 'stop'))
