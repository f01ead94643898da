/** What an embedded log is given from outside. */

import type { Clock, Random } from '../clock.ts'
import type { CrashPoint } from '../crash-point.ts'
import type { GroupSettings } from './groups/group-coordinator.ts'
import type { LogFiles } from './log-files.ts'

/**
 * When an append is acknowledged. `always`: when an fdatasync covers it; one serves all that wait. `interval`: when it is written,
 * synced at the latest `fsyncIntervalMs` later; survives a kill, not a power failure. `never`: left to the system.
 */
export type FsyncPolicy = 'always' | 'interval' | 'never'

export interface MemoryLogOptions {
  readonly clock: Clock
  readonly random: Random
  /** One line for a person, when something was repaired or is in trouble. */
  readonly notice?: (line: string) => void
  readonly crash?: CrashPoint
  /** How long a sealed segment waits to be compacted or deleted, in ms. */
  readonly cleanIntervalMs?: number
  /** Bound of the key map of a compaction, in bytes, roughly. */
  readonly cleanMapBytes?: number
  readonly groups?: GroupSettings
}

export interface EmbeddedLogOptions extends MemoryLogOptions {
  readonly directory: string
  readonly fsync: FsyncPolicy
  readonly fsyncIntervalMs: number
  /** Size at which a segment is sealed, in bytes; the topic config `segment.bytes` goes first. */
  readonly segmentBytes?: number
  /** Bound of the batches kept in memory for readers at the tail, in bytes, for all partitions together. */
  readonly tailBytes?: number
  /** How much an internal topic may grow before its state is written anew, in bytes. */
  readonly checkpointBytes?: number
  readonly notice: (line: string) => void
  readonly files?: LogFiles
}

export const DEFAULT_CLEAN_INTERVAL_MS = 15_000
export const DEFAULT_CLEAN_MAP_BYTES = 64 * 1024 * 1024
export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
export const DEFAULT_TAIL_BYTES = 64 * 1024 * 1024
export const DEFAULT_CHECKPOINT_BYTES = 16 * 1024 * 1024
/** Kafka's default is 1 MiB; one transaction of a busy task is one batch per partition, so ours is larger. */
export const DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
