/** Opens the embedded log over files or over memory: the same log, two storages. */

import { LogError } from '../port.ts'
import type { Log } from '../port.ts'
import { CONSUMER_OFFSETS_TOPIC, newCatalogue, readCatalogue, TRANSACTION_STATE_TOPIC } from './catalogue.ts'
import { EmbeddedLog } from './embedded-log.ts'
import { HotTail } from './hot-tail.ts'
import { memoryFiles } from './memory-files.ts'
import { nodeFiles } from './node-files.ts'
import { OffsetStore } from './offset-store.ts'
import { DEFAULT_CHECKPOINT_BYTES, DEFAULT_SEGMENT_BYTES, DEFAULT_TAIL_BYTES } from './options.ts'
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
  const { clock, random, directory, notice, checkpointBytes = DEFAULT_CHECKPOINT_BYTES } = options
  const storage = storageOf(options)
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
    return new EmbeddedLog({
      topics,
      offsets,
      recovered,
      syncer: storage.syncer,
      clock,
      random,
      checkpointBytes,
      notice,
    })
  } catch (error) {
    throw error instanceof LogError ? error : storageError(directory, error, 'stop')
  }
}

/** A log that lives as long as the process. */
export function openMemoryLog({ clock, random, notice = () => {} }: MemoryLogOptions): Log {
  const options = {
    clock,
    random,
    notice,
    directory: 'memory',
    files: memoryFiles(),
    fsync: 'never',
    fsyncIntervalMs: 0,
  } as const
  const storage = storageOf(options)
  const topics = new Topics(storage, newCatalogue(random), emptyPartition)
  const recovered = { identities: new Map<string, never>(), nextProducerId: 0n }
  return new EmbeddedLog({
    topics,
    offsets: new OffsetStore(clock),
    recovered,
    syncer: storage.syncer,
    clock,
    random,
    checkpointBytes: DEFAULT_CHECKPOINT_BYTES,
    notice,
  })
}

const storageOf = (options: EmbeddedLogOptions): Storage => ({
  files: options.files ?? nodeFiles,
  directory: options.directory,
  fsync: options.fsync,
  segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
  tail: new HotTail(options.tailBytes ?? DEFAULT_TAIL_BYTES),
  syncer: new Syncer(options.clock, options.fsyncIntervalMs, options.notice),
  random: options.random,
  notice: options.notice,
})
