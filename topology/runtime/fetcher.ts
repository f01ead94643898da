/**
 * Keeps the input queues of an application fed: one fetch outstanding, over every partition that has room.
 *
 * F1  A partition past its byte bound is not asked for: back-pressure ends at the log.
 * F2  What the synchronous pass needs (schemas, keys) is loaded before records are queued.
 * F3  An answer to a fetch that was asked before a restart of the tasks is dropped.
 */

import type { CrashPoint, FetchedPartition, Log, LogErrorCode } from '../../connectors/kafka/index.ts'
import { LogError, RecordCursor, noCrash } from '../../connectors/kafka/index.ts'
import { EngineError } from '../errors.ts'
import type { Serde } from '../graph/serde.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { RuntimeSettings } from './settings.ts'

export interface FetchTarget {
  readonly queue: PartitionQueue
  readonly key: Serde<unknown>
  readonly value: Serde<unknown>
}

export class Fetcher {
  readonly #log: Log
  readonly #settings: RuntimeSettings
  readonly #arrived: () => void
  readonly #failed: (error: unknown) => void
  readonly #crash: CrashPoint
  #abort: AbortController | null = null
  #generation = 0

  constructor(
    log: Log,
    settings: RuntimeSettings,
    arrived: () => void,
    failed: (error: unknown) => void,
    crash: CrashPoint = noCrash,
  ) {
    this.#crash = crash
    this.#log = log
    this.#settings = settings
    this.#arrived = arrived
    this.#failed = failed
  }

  get isFetching(): boolean {
    return this.#abort !== null
  }

  /** Begins a fetch unless one is outstanding or no partition has room. */
  start(targets: readonly FetchTarget[]): void {
    if (this.#abort !== null) return
    const wanted = targets.filter(({ queue }) => queue.bufferedBytes < this.#settings.bufferBytesPerPartition)
    if (wanted.length === 0) return
    const abort = new AbortController()
    this.#abort = abort
    void this.#fetch(wanted, abort.signal, this.#generation)
  }

  /** Drops what is outstanding (F3). */
  restart(): void {
    this.#generation++
    this.#abort?.abort()
    this.#abort = null
  }

  async #fetch(targets: readonly FetchTarget[], signal: AbortSignal, generation: number): Promise<void> {
    try {
      const answer = await this.#log.fetch({
        partitions: targets.map(({ queue }) => ({
          topic: queue.topic,
          partition: queue.partition,
          offset: queue.fetchNext,
          maxBytes: this.#settings.fetchMaxBytes,
        })),
        isolation: 'read_committed',
        maxWaitMs: this.#settings.fetchMaxWaitMs,
        signal,
      })
      for (const fetched of answer) await this.#prepare(fetched, targets)
      if (generation !== this.#generation) return
      this.#abort = null
      for (const fetched of answer) {
        if (fetched.error !== null)
          throw new LogError(fetched.error, `fetch of ${fetched.topic}-${fetched.partition}`, remedyOf(fetched.error))
        targetOf(targets, fetched)?.queue.add(fetched)
      }
      if (answer.some(({ batches }) => batches.length > 0)) this.#crash('C01')
      this.#arrived()
    } catch (error) {
      if (generation !== this.#generation) return
      this.#abort = null
      this.#failed(error)
    }
  }

  async #prepare(fetched: FetchedPartition, targets: readonly FetchTarget[]): Promise<void> {
    const target = targetOf(targets, fetched)
    if (target === undefined || fetched.batches.length === 0) return
    const { key, value, queue } = target
    if (key.prepare === undefined && value.prepare === undefined) return
    const records: { key: Buffer | null; value: Buffer | null }[] = []
    const cursor = new RecordCursor(fetched, queue.fetchNext, 'read_committed')
    while (cursor.next()) records.push({ key: cursor.key(), value: cursor.value() })
    try {
      await key.prepare?.(records)
      await value.prepare?.(records)
    } catch (error) {
      throw new EngineError(
        'PREPARE_FAILED',
        `what records of ${fetched.topic} need could not be loaded: ${messageOf(error)}`,
        'retry',
        error,
      )
    }
  }
}

/** What is gone, damaged or not ours to read stays so. */
const lasting: ReadonlySet<LogErrorCode> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'CORRUPT_MESSAGE',
  'TOPIC_AUTHORIZATION_FAILED',
])

/** Reopened tasks ask again, from where the partition begins or ends now. */
const remedyOf = (code: LogErrorCode): 'retry' | 'stop' => (lasting.has(code) ? 'stop' : 'retry')

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function targetOf(targets: readonly FetchTarget[], fetched: FetchedPartition): FetchTarget | undefined {
  return targets.find(({ queue }) => queue.topic === fetched.topic && queue.partition === fetched.partition)
}
