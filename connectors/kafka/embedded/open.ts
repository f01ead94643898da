/** Opens the embedded broker over files or over memory, and the log over it: the same log, two storages. */

import { LogClient } from '../client/index.ts'
import { noCrash } from '../crash-point.ts'
import { LogError } from '../port.ts'
import type { Log } from '../port.ts'
import { CONSUMER_OFFSETS_TOPIC, newCatalogue, readCatalogue, TRANSACTION_STATE_TOPIC } from './catalogue.ts'
import { EmbeddedBroker } from './embedded-broker.ts'
import { HotTail } from './hot-tail.ts'
import { memoryFiles } from './memory-files.ts'
import { nodeFiles } from './node-files.ts'
import { OffsetStore } from './offset-store.ts'
import {
  DEFAULT_CHECKPOINT_BYTES,
  DEFAULT_CLEAN_INTERVAL_MS,
  DEFAULT_CLEAN_MAP_BYTES,
  DEFAULT_SEGMENT_BYTES,
  DEFAULT_TAIL_BYTES,
} from './options.ts'
import type { EmbeddedLogOptions, MemoryLogOptions } from './options.ts'
import { emptyPartition } from './partition-log.ts'
import { recoverOffsets, recoverTransactions } from './recover-transactions.ts'
import { storageError } from './storage-error.ts'
import { Syncer } from './syncer.ts'
import { Topics } from './topics.ts'
import type { Storage } from './topics.ts'

/**
 * Opens a directory, or makes it a log. One process at a time may hold it.
 * @throws LogError STORAGE_ERROR, STORAGE_FULL
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  return clientOf(await openEmbeddedBroker(options), options)
}

/** A log that lives as long as the process. */
export const openMemoryLog = (options: MemoryLogOptions): Log => clientOf(openMemoryBroker(options), options)

/** As `openEmbeddedLog`, for clients of their own. */
export async function openEmbeddedBroker(options: EmbeddedLogOptions): Promise<EmbeddedBroker> {
  const { clock, random, directory, notice, crash = noCrash, groups = {} } = options
  const { checkpointBytes = DEFAULT_CHECKPOINT_BYTES } = options
  const storage = storageOf(options)
  const { syncer } = storage
  try {
    const catalogue = await readCatalogue(storage.files, directory)
    const topics =
      catalogue === null
        ? new Topics(storage, newCatalogue(random), emptyPartition)
        : await Topics.recover(storage, catalogue)
    if (catalogue === null) await topics.format()
    const stateLog = topics.partition({ topic: TRANSACTION_STATE_TOPIC, partition: 0 })
    const offsetsLog = topics.partition({ topic: CONSUMER_OFFSETS_TOPIC, partition: 0 })
    const offsets = new OffsetStore(clock)
    const recovered = await recoverTransactions(stateLog, topics.all(), clock.now(), notice)
    await recoverOffsets(offsetsLog, offsets)
    const parts = { topics, offsets, recovered, syncer, clock, random, checkpointBytes, notice, crash, groups }
    const broker = new EmbeddedBroker(parts)
    await broker.fenceRecovered()
    return broker
  } catch (error) {
    throw error instanceof LogError ? error : storageError(directory, error, 'stop')
  }
}

/** A broker that lives as long as the process. */
export function openMemoryBroker(options: MemoryLogOptions): EmbeddedBroker {
  const { clock, random, notice = () => {}, crash = noCrash, groups = {} } = options
  const parts = { directory: 'memory', files: memoryFiles(), fsync: 'never', fsyncIntervalMs: 0, notice } as const
  const storage = storageOf({ ...options, ...parts })
  return new EmbeddedBroker({
    topics: new Topics(storage, newCatalogue(random), emptyPartition),
    offsets: new OffsetStore(clock),
    recovered: { records: new Map(), nextProducerId: 0n },
    syncer: storage.syncer,
    clock,
    random,
    checkpointBytes: DEFAULT_CHECKPOINT_BYTES,
    notice,
    crash,
    groups,
  })
}

const clientOf = (broker: EmbeddedBroker, { clock, random, notice = () => {} }: MemoryLogOptions): Log =>
  new LogClient({ broker, clock, random, notice })

const storageOf = (options: EmbeddedLogOptions): Storage => ({
  files: options.files ?? nodeFiles,
  directory: options.directory,
  fsync: options.fsync,
  segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
  tail: new HotTail(options.tailBytes ?? DEFAULT_TAIL_BYTES),
  syncer: new Syncer(options.clock, options.fsyncIntervalMs, options.notice),
  clock: options.clock,
  random: options.random,
  cleanIntervalMs: options.cleanIntervalMs ?? DEFAULT_CLEAN_INTERVAL_MS,
  cleanMapBytes: options.cleanMapBytes ?? DEFAULT_CLEAN_MAP_BYTES,
  crash: options.crash ?? noCrash,
  notice: options.notice,
})
