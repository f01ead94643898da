/**
 * Reading. Partitions are asked for at their leaders side by side, and the first that has something ends the wait; what the
 * others say later is kept for a moment, for whoever asks them the same again.
 *
 *   KF1  A fetch has no effect, so trouble with a node is no trouble of whoever reads: its partitions are left out of the
 *       answer, the leader is looked for anew, and the next fetch asks there. A person is told once, and once when it is over.
 *   KF2  No fetch turns round at once without an answer: it waits as long as it was told to, or a moment.
 *   KF3  Nor does it wait much longer for a leader that is silent: it ends with what the others said. The question stays asked,
 *       and the next fetch that would ask it takes it up.
 */

import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'
import type { FetchPartition, FetchRequest, FetchedPartition, Isolation, LogErrorCode } from '../port.ts'
import { plainBatches } from './batches.ts'
import { byTopic } from './by-topic.ts'
import type { Cluster, Led, Topic } from './cluster.ts'
import type { FetchAnswer, FetchedBytes } from './codecs.ts'
import { fetchApi } from './codecs.ts'
import type { Address, Connections } from './connections.ts'
import { nameOf, Unsent } from './connections.ts'
import { codeOf } from './errors.ts'

/** What one leader is asked. */
interface Question {
  readonly to: Address
  readonly parts: readonly FetchPartition[]
  readonly topics: ReadonlyMap<string, Topic>
  readonly isolation: Isolation
  readonly maxWaitMs: number
}

/** It on its way. */
interface Asked {
  readonly answer: Promise<readonly FetchedPartition[]>
  /** Nobody else gets this answer. */
  take(): void
}

const nothing = Buffer.alloc(0)
const allBytes = 0x7fff_ffff
/** How long an answer waits for its reader, and how soon a fetch that found nobody ends, in ms. */
const keptMs = 1000
const pauseMs = 100
/** Above the time it was told to wait, what a fetch gives leaders that others wait for, and one alone, in ms (KF3). */
const graceMs = 100
const graceAloneMs = 5000
/** What the same request may be answered otherwise, a moment later. */
const passing: ReadonlySet<LogErrorCode> = new Set(['NOT_LEADER_OR_FOLLOWER', 'STORAGE_ERROR', 'TIMEOUT'])

export class FetchRequests {
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #notice: (line: string) => void
  /** By node and positions: not taken yet. */
  readonly #asked = new Map<string, Asked>()
  readonly #away = new Set<string>()
  /** Of its partitions, by node. */
  readonly #turns = new Map<string, number>()

  constructor(options: {
    cluster: Cluster
    connections: Connections
    clock: Clock
    timeoutMs: number
    notice: (line: string) => void
  }) {
    this.#cluster = options.cluster
    this.#connections = options.connections
    this.#clock = options.clock
    this.#timeoutMs = options.timeoutMs
    this.#notice = options.notice
  }

  /** @throws LogError CLOSED, AUTHENTICATION_FAILED */
  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    const { partitions, isolation, maxWaitMs, signal } = request
    const startedAt = this.#clock.now()
    const led = await this.#cluster.led(partitions).catch((error: unknown) => this.#lookedInVain(error))
    const answers = led === null ? [] : await this.#askLeaders(led, isolation, maxWaitMs, signal)
    const isInVain = answers.length < partitions.length && !answers.some(saysSomething)
    const waitedMs = Math.max(0, this.#clock.now() - startedAt)
    const pauseLeftMs = Math.min(maxWaitMs, pauseMs) - waitedMs
    if (isInVain && pauseLeftMs > 0) await this.#wait(pauseLeftMs, signal)
    return answers
  }

  async #askLeaders(
    { nodes, unknown, topics }: Led<FetchPartition>,
    isolation: Isolation,
    maxWaitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly FetchedPartition[]> {
    // What is unknown is said at once.
    const shared = { topics, isolation, maxWaitMs: unknown.length > 0 ? 0 : maxWaitMs }
    const asked = [...nodes].map(([to, parts]) => this.#ask({ ...shared, to, parts }))
    const failures = unknown.map((where) => failed(where, 'UNKNOWN_TOPIC_OR_PARTITION'))
    const boundMs = shared.maxWaitMs + (nodes.size > 1 ? graceMs : graceAloneMs)
    return [...failures, ...(await this.#firstOf(asked, boundMs, signal))]
  }

  #ask(question: Question): Asked {
    const { to, parts, isolation, maxWaitMs } = question
    const places = parts.map(({ topic, partition, offset, maxBytes }) => `${topic}-${partition}@${offset}+${maxBytes}`)
    const id = `${nameOf(to)} ${isolation} ${maxWaitMs} ${places.join()}`
    const before = this.#asked.get(id)
    if (before !== undefined) return before
    const take = (): void => {
      if (this.#asked.get(id) === asked) this.#asked.delete(id)
    }
    const asked: Asked = { answer: this.#send(question), take }
    this.#asked.set(id, asked)
    asked.answer.then(() => this.#clock.after(keptMs, take), take)
    return asked
  }

  async #send({ to, parts, topics, isolation, maxWaitMs }: Question): Promise<readonly FetchedPartition[]> {
    const names = new Map<string, string>()
    // The first partition gets a batch in any case, so each has its turn to be the first.
    const turn = this.#turns.get(nameOf(to)) ?? 0
    this.#turns.set(nameOf(to), turn + 1)
    const shift = turn % parts.length
    const asked = byTopic([...parts.slice(shift), ...parts.slice(0, shift)]).flatMap(([topic, of]) => {
      const id = topics.get(topic)?.id
      if (id === undefined) return []
      names.set(id, topic)
      return [{ topicId: id, partitions: of }]
    })
    const route = { to, lane: null, timeoutMs: maxWaitMs + this.#timeoutMs }
    let answer: FetchAnswer
    try {
      answer = await this.#connections.call(route, fetchApi, maxWaitMs, allBytes, isolation === 'read_committed', asked)
    } catch (error) {
      this.#cluster.forget(parts)
      this.#isAway(nameOf(to), error)
      return []
    }
    this.#isBack(nameOf(to))
    if (answer.errorCode !== 0) {
      this.#cluster.forget(parts)
      return []
    }
    const fetched: FetchedPartition[] = []
    for (const one of answer.partitions) {
      const topic = names.get(one.topicId)
      const part = topic === undefined ? null : await this.#fetched(topic, one)
      if (part !== null) fetched.push(part)
    }
    return fetched
  }

  /** Null for what the next fetch is to ask for again (KF1). */
  async #fetched(topic: string, bytes: FetchedBytes): Promise<FetchedPartition | null> {
    const { partition, errorCode, topicId, records, aborted } = bytes
    const { highWatermark, lastStableOffset, logStartOffset } = bytes
    const ends = { topic, partition, highWatermark, lastStableOffset, logStartOffset, aborted }
    if (errorCode === 0) {
      try {
        return { ...ends, batches: records === null ? nothing : plainBatches(records), error: null }
      } catch {
        return { ...ends, batches: nothing, error: 'CORRUPT_MESSAGE' }
      }
    }
    const code = codeOf(errorCode)
    if (passing.has(code)) {
      this.#cluster.forget([{ topic }])
      return null
    }
    if (code === 'UNKNOWN_TOPIC_OR_PARTITION') {
      const goesOn = await this.#cluster.stillHas(topic, topicId).catch(() => true)
      if (goesOn) return null
    }
    return { ...ends, batches: nothing, error: code }
  }

  #lookedInVain(error: unknown): null {
    if (!(error instanceof LogError) || error.then === 'stop') throw error
    this.#isAway('the cluster', error)
    return null
  }

  #isAway(who: string, error: unknown): void {
    if (error instanceof LogError ? error.then === 'stop' : !(error instanceof Unsent)) throw error
    if (this.#away.has(who)) return
    this.#away.add(who)
    this.#notice(`Kafka: ${who} does not answer, reading waits: ${error instanceof Error ? error.message : ''}`)
  }

  #isBack(who: string): void {
    if (this.#away.size === 0) return
    this.#away.delete('the cluster')
    if (this.#away.delete(who)) this.#notice(`Kafka: ${who} answers again`)
  }

  /** What the first that has something says, and whoever was ready with it; when none has, all that came in time (KF3). */
  #firstOf(
    asked: readonly Asked[],
    boundMs: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly FetchedPartition[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly FetchedPartition[]>()
    const answers: FetchedPartition[] = []
    let left = asked.length
    let isOver = false
    const over = (): void => {
      isOver = true
      resolve(answers)
    }
    const cancel = this.#clock.after(boundMs, over)
    if (left === 0 || signal?.aborted === true) over()
    signal?.addEventListener('abort', over, { once: true })
    for (const one of asked) {
      one.answer.then((fetched) => {
        if (isOver) return
        one.take()
        answers.push(...fetched)
        if (--left === 0 || fetched.some(saysSomething)) over()
      }, reject)
    }
    return promise.finally(() => {
      cancel()
      signal?.removeEventListener('abort', over)
    })
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(ms, resolve)
    const aborted = (): void => resolve()
    signal?.addEventListener('abort', aborted)
    if (signal?.aborted === true) resolve()
    return promise.finally(() => {
      cancel()
      signal?.removeEventListener('abort', aborted)
    })
  }
}

const saysSomething = ({ batches, error }: FetchedPartition): boolean => batches.length > 0 || error !== null

const failed = ({ topic, partition }: FetchPartition, error: LogErrorCode): FetchedPartition => ({
  topic,
  partition,
  batches: nothing,
  aborted: [],
  highWatermark: -1n,
  lastStableOffset: -1n,
  logStartOffset: -1n,
  error,
})
