/** The topics of a log and their partitions: `<directory>/<topic>-<partition>/<20-digit offset>.log`. */

import { dirname } from 'node:path'

import type { Clock, Random } from '../clock.ts'
import type { CrashPoint } from '../crash-point.ts'
import { LogError } from '../port.ts'
import type { TopicMetadata, TopicPartition, TopicSpec } from '../port.ts'
import { checkSpecs, newTopic, sizeConfig, writeCatalogue, isInternal } from './catalogue.ts'
import type { Catalogue } from './catalogue.ts'
import { Cleaner } from './cleaner.ts'
import { readJson, writeJson } from './durable-json.ts'
import type { HotTail } from './hot-tail.ts'
import type { LogFiles } from './log-files.ts'
import { DEFAULT_MAX_MESSAGE_BYTES } from './options.ts'
import type { FsyncPolicy } from './options.ts'
import { emptyPartition, PartitionLog } from './partition-log.ts'
import type { PartitionContents, PartitionContext } from './partition-log.ts'
import { recoverPartition } from './recover-partition.ts'
import { segmentNamePattern } from './segment.ts'
import { storageError } from './storage-error.ts'
import { cleanupOf } from './topic-config.ts'
import type { Syncer } from './syncer.ts'
import { Turns } from './turns.ts'

const LOG_STARTS_FILE = 'log-starts.json'
const RECOVERIES_AT_ONCE = 8

export interface Storage {
  readonly files: LogFiles
  readonly directory: string
  readonly fsync: FsyncPolicy
  readonly segmentBytes: number
  readonly tail: HotTail
  readonly syncer: Syncer
  readonly clock: Clock
  readonly random: Random
  readonly cleanIntervalMs: number
  readonly cleanMapBytes: number
  readonly crash: CrashPoint
  readonly notice: (line: string) => void
}

interface Topic {
  readonly metadata: TopicMetadata
  readonly partitions: readonly PartitionLog[]
}

export class Topics {
  readonly clusterId: string
  readonly #storage: Storage
  readonly #topics = new Map<string, Topic>()
  readonly #turns = new Turns()
  readonly #cleaner: Cleaner

  /** @param contents what recovery found of a partition */
  constructor(storage: Storage, catalogue: Catalogue, contents: (where: TopicPartition) => PartitionContents) {
    this.#storage = storage
    this.clusterId = catalogue.clusterId
    this.#cleaner = new Cleaner({
      files: storage.files,
      directory: storage.directory,
      clock: storage.clock,
      intervalMs: storage.cleanIntervalMs,
      mapBytes: storage.cleanMapBytes,
      notice: storage.notice,
      syncAll: () => storage.syncer.flush(),
      deleteBelow: (log, offset) => this.deleteRecords([{ log, offset }]),
    })
    for (const metadata of catalogue.topics) this.#open(metadata, contents)
  }

  /** Opens the partitions of a log directory. @throws LogError STORAGE_ERROR */
  static async recover(storage: Storage, catalogue: Catalogue): Promise<Topics> {
    const { files, directory, notice, fsync } = storage
    // A kill may have come after a rename and before its fsync: what is acted upon here must not be undone by a power failure.
    if (fsync !== 'never') await files.fsyncDirectory(directory)
    const starts = ((await readJson(files, directory, LOG_STARTS_FILE)) ?? {}) as Readonly<Record<string, string>>
    const found = new Map<string, PartitionContents>()
    const left = catalogue.topics.flatMap(partitionsOf)
    const recoverNext = async (): Promise<void> => {
      for (let where = left.pop(); where !== undefined; where = left.pop()) {
        const name = nameOf(where)
        const context = {
          files,
          directory: `${directory}/${name}`,
          logStart: BigInt(starts[name] ?? 0),
          sync: fsync !== 'never',
          notice,
        }
        found.set(name, await recoverPartition(where, context))
      }
    }
    await Promise.all(Array.from({ length: RECOVERIES_AT_ONCE }, recoverNext))
    const topics = new Topics(storage, catalogue, (where) => found.get(nameOf(where))!)
    await topics.#cleaner.recover(topics.all())
    return topics
  }

  /** Makes directories and catalogue durable, then the topics exist. @throws LogError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, … */
  create(specs: readonly TopicSpec[]): Promise<void> {
    return this.#turns.take('catalogue', async () => {
      checkSpecs(specs, (name) => this.#topics.has(name))
      const created = specs.map((spec) => newTopic(spec, this.#storage.random))
      if (created.length === 0) return
      await this.#makeDurable(created)
      for (const metadata of created) this.#open(metadata, emptyPartition)
    })
  }

  /** Writes a new log's directories and catalogue. */
  async format(): Promise<void> {
    await this.#makeDurable([...this.#topics.values()].map(({ metadata }) => metadata))
    await this.#storage.files.fsyncDirectory(dirname(this.#storage.directory))
  }

  find({ topic, partition }: TopicPartition): PartitionLog | null {
    return this.#topics.get(topic)?.partitions[partition] ?? null
  }

  /** @throws LogError UNKNOWN_TOPIC_OR_PARTITION */
  partition(where: TopicPartition): PartitionLog {
    const log = this.find(where)
    if (log === null) throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${nameOf(where)}`, 'stop')
    return log
  }

  partitionsOf(topic: string): readonly PartitionLog[] {
    return this.#topics.get(topic)?.partitions ?? []
  }

  all(): readonly PartitionLog[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => partitions)
  }

  /** Those named, in that order; without names all but the internal ones. */
  metadata(names?: readonly string[]): readonly TopicMetadata[] {
    const wanted = names ?? [...this.#topics.keys()].filter((name) => !isInternal(name))
    return wanted.flatMap((name) => this.#topics.get(name)?.metadata ?? [])
  }

  /**
   * Moves log starts: first durably, then segments are removed. Before that everything written is: what made the records
   * superfluous, a commit behind them, must not be lost while they are gone.
   */
  deleteRecords(before: readonly { readonly log: PartitionLog; readonly offset: bigint }[]): Promise<void> {
    return this.#turns.take('log starts', async () => {
      await this.#storage.syncer.flush()
      const moved = new Map(before.map(({ log, offset }) => [log.name, offset]))
      const starts: Record<string, string> = {}
      for (const log of this.all()) {
        const offset = moved.get(log.name) ?? 0n
        const logStart = offset > log.logStart ? offset : log.logStart
        if (logStart > 0n) starts[log.name] = String(logStart)
      }
      try {
        await writeJson(this.#storage.files, this.#storage.directory, LOG_STARTS_FILE, starts)
        for (const { log, offset } of before) await log.dropBelow(offset)
      } catch (error) {
        throw storageError(LOG_STARTS_FILE, error, 'retry')
      }
    })
  }

  async close(): Promise<void> {
    await this.#cleaner.stop()
    await Promise.all(this.all().map((log) => log.close()))
  }

  async #makeDurable(added: readonly TopicMetadata[]): Promise<void> {
    const { files, directory } = this.#storage
    const known = [...this.#topics.values()].map(({ metadata }) => metadata)
    const topics = [...known, ...added.filter(({ name }) => !this.#topics.has(name))]
    try {
      await files.makeDirectory(directory)
      for (const where of added.flatMap(partitionsOf)) await this.#makePartition(nameOf(where))
      await files.fsyncDirectory(directory)
      await writeCatalogue(files, directory, { clusterId: this.clusterId, topics })
    } catch (error) {
      throw storageError(directory, error, 'retry')
    }
  }

  /** Segments without a catalogue entry are somebody's data: never written over. */
  async #makePartition(name: string): Promise<void> {
    const { files, directory } = this.#storage
    const path = `${directory}/${name}`
    await files.makeDirectory(path)
    const stray = (await files.list(path)).find((file) => segmentNamePattern.test(file))
    if (stray !== undefined)
      throw new LogError('STORAGE_ERROR', `${path}/${stray} exists, but the catalogue does not know ${name}`, 'stop')
  }

  #open(metadata: TopicMetadata, contents: (where: TopicPartition) => PartitionContents): void {
    const partitions = partitionsOf(metadata).map(
      (where) => new PartitionLog(where, this.#context(metadata, where), contents(where)),
    )
    this.#topics.set(metadata.name, { metadata, partitions })
  }

  #context(metadata: TopicMetadata, where: TopicPartition): PartitionContext {
    const { files, directory, fsync, segmentBytes, tail, syncer, crash } = this.#storage
    return {
      files,
      directory: `${directory}/${nameOf(where)}`,
      fsync,
      tail: tail.partition(),
      segmentBytes: sizeConfig(metadata, 'segment.bytes', segmentBytes),
      maxBatchBytes: sizeConfig(metadata, 'max.message.bytes', DEFAULT_MAX_MESSAGE_BYTES),
      dirty: syncer.mark,
      sealed: this.#cleaner.mark,
      cleanup: cleanupOf(metadata),
      crash,
    }
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

const partitionsOf = ({ name, partitions }: TopicMetadata): TopicPartition[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
