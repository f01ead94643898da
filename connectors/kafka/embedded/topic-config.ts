/** What the configuration of a topic says to the embedded log. Names and meaning are Kafka's; values come as text. */

import { LogError } from '../port.ts'
import type { TopicMetadata } from '../port.ts'

/** Everything Kafka 4.3 knows of a topic; what this log does not use it keeps and shows. */
const KNOWN: ReadonlySet<string> = new Set([
  'cleanup.policy',
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.type',
  'compression.zstd.level',
  'delete.retention.ms',
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'follower.replication.throttled.replicas',
  'index.interval.bytes',
  'leader.replication.throttled.replicas',
  'local.retention.bytes',
  'local.retention.ms',
  'max.compaction.lag.ms',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'message.timestamp.type',
  'min.cleanable.dirty.ratio',
  'min.compaction.lag.ms',
  'min.insync.replicas',
  'preallocate',
  'remote.log.copy.disable',
  'remote.log.delete.on.disable',
  'remote.storage.enable',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
  'segment.index.bytes',
  'segment.jitter.ms',
  'segment.ms',
  'unclean.leader.election.enable',
])

const SIZE = /^[1-9]\d{0,9}$/
const BOUND = /^(-1|\d{1,15})$/
const CHECKS: Readonly<Record<string, { readonly legal: RegExp; readonly what: string }>> = {
  'cleanup.policy': {
    legal: /^(|delete|compact|compact, ?delete|delete, ?compact)$/,
    what: 'compact, delete, or both',
  },
  'segment.bytes': { legal: SIZE, what: 'a size in bytes' },
  'max.message.bytes': { legal: SIZE, what: 'a size in bytes' },
  'retention.ms': { legal: BOUND, what: 'a time in ms, or -1' },
  'retention.bytes': { legal: BOUND, what: 'a size in bytes, or -1' },
  'segment.ms': { legal: /^[1-9]\d{0,15}$/, what: 'a time in ms' },
  'delete.retention.ms': { legal: /^\d{1,15}$/, what: 'a time in ms' },
  'min.cleanable.dirty.ratio': { legal: /^(0?\.\d+|0|1|1\.0*)$/, what: 'a number from 0 to 1' },
}

/** @throws LogError INVALID_CONFIG */
export function checkConfig(topic: string, config: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(config)) {
    if (!KNOWN.has(key)) throw new LogError('INVALID_CONFIG', `topic ${topic}: there is no setting ${key}`, 'stop')
    const check = CHECKS[key]
    if (check === undefined || check.legal.test(value)) continue
    throw new LogError('INVALID_CONFIG', `topic ${topic}: ${key} '${value}' is not ${check.what}`, 'stop')
  }
}

export interface Cleanup {
  readonly compacts: boolean
  readonly deletes: boolean
  /** Segments whose records are all older go; -1 for never. */
  readonly retentionMs: number
  /** What a partition may hold before its oldest segments go; -1 for no bound. */
  readonly retentionBytes: number
  /** How long a tombstone stays after it was found the last of its key. */
  readonly deleteRetentionMs: number
  /** The part of the sealed bytes that must be new before a pass. */
  readonly minDirtyRatio: number
}

/** Unlike in Kafka nothing is deleted by age that the topic does not say it of. */
export function cleanupOf({ config }: TopicMetadata): Cleanup {
  const policies = (config['cleanup.policy'] ?? 'delete').split(',').map((policy) => policy.trim())
  return {
    compacts: policies.includes('compact'),
    deletes: policies.includes('delete'),
    retentionMs: Number(config['retention.ms'] ?? -1),
    retentionBytes: Number(config['retention.bytes'] ?? -1),
    deleteRetentionMs: Number(config['delete.retention.ms'] ?? 86_400_000),
    minDirtyRatio: Number(config['min.cleanable.dirty.ratio'] ?? 0.5),
  }
}
