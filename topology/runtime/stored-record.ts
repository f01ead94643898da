/**
 * A record as a store keeps it whole: set aside behind a blocked key, or waiting for its time.
 *
 *   version 1 byte · timestamp 8 · partition 4 · offset 8 · topic 2+n · key 4+n (-1 null) · value 4+n (-1 null)
 *   headers 2, each: name 2+n, value 4+n
 */

import type { Header } from '../../connectors/kafka/index.ts'
import { invariant } from './invariant.ts'

export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

const version = 1

export function encodeStored(record: StoredRecord): Buffer {
  const fixed = Buffer.allocUnsafe(21)
  fixed.writeUInt8(version, 0)
  fixed.writeBigInt64BE(BigInt(record.timestamp), 1)
  fixed.writeInt32BE(record.partition, 9)
  fixed.writeBigInt64BE(record.offset, 13)
  const count = Buffer.allocUnsafe(2)
  count.writeUInt16BE(record.headers.length)
  return Buffer.concat([
    fixed,
    ...short(Buffer.from(record.topic)),
    ...long(record.key),
    ...long(record.value),
    count,
    ...record.headers.flatMap((header) => [...short(Buffer.from(header.key)), ...long(header.value)]),
  ])
}

function short(bytes: Buffer): Buffer[] {
  const length = Buffer.allocUnsafe(2)
  length.writeUInt16BE(bytes.length)
  return [length, bytes]
}

function long(bytes: Buffer | null): Buffer[] {
  const length = Buffer.allocUnsafe(4)
  length.writeInt32BE(bytes === null ? -1 : bytes.length)
  return bytes === null ? [length] : [length, bytes]
}

export function decodeStored(bytes: Buffer): StoredRecord {
  invariant(bytes.readUInt8(0) === version, `a stored record has version ${bytes.readUInt8(0)}, known is ${version}`)
  let at = 21
  const short = (): Buffer => {
    const start = at + 2
    at = start + bytes.readUInt16BE(at)
    return bytes.subarray(start, at)
  }
  const long = (): Buffer | null => {
    const length = bytes.readInt32BE(at)
    const start = at + 4
    at = start + Math.max(0, length)
    return length < 0 ? null : bytes.subarray(start, at)
  }
  const topic = short().toString()
  const key = long()
  const value = long()
  const count = bytes.readUInt16BE(at)
  at += 2
  const headers: Header[] = []
  for (let index = 0; index < count; index++)
    headers.push({ key: short().toString(), value: long() ?? Buffer.alloc(0) })
  return {
    topic,
    key,
    value,
    headers,
    timestamp: Number(bytes.readBigInt64BE(1)),
    partition: bytes.readInt32BE(9),
    offset: bytes.readBigInt64BE(13),
  }
}
