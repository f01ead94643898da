/** Records of `__consumer_offsets`, in Kafka's own encoding: key version 1 (group, topic, partition), value version 3. */

import { LogError } from '../port.ts'
import type { OffsetAndMetadata, TopicPartition } from '../port.ts'

const KEY_VERSION = 1
const VALUE_VERSION = 3
const NO_LEADER_EPOCH = -1

export function encodeOffsetKey(groupId: string, { topic, partition }: TopicPartition): Buffer {
  const group = Buffer.from(groupId)
  const name = Buffer.from(topic)
  const key = Buffer.alloc(2 + 2 + group.length + 2 + name.length + 4)
  key.writeInt16BE(KEY_VERSION, 0)
  let at = writeString(key, 2, group)
  at = writeString(key, at, name)
  key.writeInt32BE(partition, at)
  return key
}

export function encodeOffsetValue({ offset, metadata }: OffsetAndMetadata, timestamp: number): Buffer {
  const text = Buffer.from(metadata)
  const value = Buffer.alloc(2 + 8 + 4 + 2 + text.length + 8)
  value.writeInt16BE(VALUE_VERSION, 0)
  value.writeBigInt64BE(offset, 2)
  value.writeInt32BE(NO_LEADER_EPOCH, 10)
  const at = writeString(value, 14, text)
  value.writeBigInt64BE(BigInt(timestamp), at)
  return value
}

/** @throws LogError STORAGE_ERROR when it is not a record of ours */
export function decodeOffset(
  key: Buffer,
  value: Buffer,
): { readonly groupId: string; readonly committed: OffsetAndMetadata } {
  try {
    if (key.readInt16BE(0) !== KEY_VERSION || value.readInt16BE(0) !== VALUE_VERSION)
      throw new Error('an unknown version')
    const [groupId, topicAt] = readString(key, 2)
    const [topic, partitionAt] = readString(key, topicAt)
    const [metadata] = readString(value, 14)
    const committed = { topic, partition: key.readInt32BE(partitionAt), offset: value.readBigInt64BE(2), metadata }
    return { groupId, committed }
  } catch (error) {
    throw new LogError('STORAGE_ERROR', `a committed offset cannot be read: ${(error as Error).message}`, 'stop', error)
  }
}

function writeString(target: Buffer, at: number, text: Buffer): number {
  target.writeInt16BE(text.length, at)
  return at + 2 + text.copy(target, at + 2)
}

function readString(source: Buffer, at: number): [text: string, end: number] {
  const end = at + 2 + source.readInt16BE(at)
  return [source.toString('utf8', at + 2, end), end]
}
