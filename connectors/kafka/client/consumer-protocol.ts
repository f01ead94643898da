/**
 * What members say to each other through the coordinator, which does not read it: Kafka's ConsumerProtocol, so that Kafka's own
 * tools can show a group. Subscription is written as version 2 (owned partitions, and the generation they were owned in),
 * Assignment as version 1; every later version is read as far as it is known here. A byte of ours may
 * follow an Assignment: Kafka's readers pass over what they do not know.
 */

import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'

const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 1
const OWNED_SINCE = 1
const GENERATION_SINCE = 2

export interface Subscription {
  readonly topics: readonly string[]
  readonly userData: Buffer
  readonly owned: readonly TopicPartition[]
  /** Of the last join in which the owned partitions were told; -1 before the first. */
  readonly generationId: number
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer
  /** Somebody is still to give up what another is to have: one more rebalance is to come. */
  readonly unfinished: boolean
}

export function encodeSubscription({ topics, userData, owned, generationId }: Subscription): Buffer {
  const names = topics.map(encodeString)
  return Buffer.concat([
    int16(SUBSCRIPTION_VERSION),
    int32(names.length),
    ...names,
    int32(userData.length),
    userData,
    encodePartitions(owned),
    int32(generationId),
  ])
}

/** @throws LogError INVALID_REQUEST when the bytes end too early or a count cannot be */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new Reader(bytes)
  const version = reader.version()
  const topics = reader.many(2, () => reader.string())
  const userData = reader.bytes()
  const owned = version >= OWNED_SINCE ? reader.partitions() : []
  const generationId = version >= GENERATION_SINCE ? reader.int32() : -1
  return { topics, userData, owned, generationId }
}

export function encodeAssignment({ partitions, userData, unfinished }: Assignment): Buffer {
  const bytes = [int16(ASSIGNMENT_VERSION), encodePartitions(partitions), int32(userData.length), userData]
  return Buffer.concat(unfinished ? [...bytes, Buffer.of(1)] : bytes)
}

/** No bytes at all are no partitions: a member that the leader did not know. @throws LogError INVALID_REQUEST */
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return { partitions: [], userData: bytes, unfinished: false }
  const reader = new Reader(bytes)
  reader.version()
  const partitions = reader.partitions()
  return { partitions, userData: reader.bytes(), unfinished: reader.flag() }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int16(bytes.length), bytes])
}

function encodePartitions(partitions: readonly TopicPartition[]): Buffer {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const parts = [...byTopic].map(([topic, those]) =>
    Buffer.concat([encodeString(topic), int32(those.length), ...those.map(({ partition }) => int32(partition))]),
  )
  return Buffer.concat([int32(parts.length), ...parts])
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  version(): number {
    const version = this.#bytes.readInt16BE(this.#take(2))
    return version >= 0 ? version : fail(`version ${version}`)
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  /** Not set when there are no more bytes: whoever wrote them does not know it. */
  flag(): boolean {
    return this.#at < this.#bytes.length && this.#bytes.readUInt8(this.#take(1)) === 1
  }

  string(): string {
    const length = this.#bytes.readInt16BE(this.#take(2))
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  /** Null is read as no bytes. */
  bytes(): Buffer {
    const length = this.int32()
    if (length === -1) return Buffer.alloc(0)
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** @param least the bytes that one takes at the least: a count that cannot be is refused before anything is made of it */
  many<T>(least: number, read: () => T): T[] {
    const count = this.int32()
    if (count < 0 || count * least > this.#bytes.length - this.#at) fail(`${count} entries`)
    return Array.from({ length: count }, read)
  }

  partitions(): TopicPartition[] {
    return this.many(6, () => {
      const topic = this.string()
      return this.many(4, () => ({ topic, partition: this.int32() }))
    }).flat()
  }

  #take(length: number): number {
    const at = this.#at
    if (length < 0 || at + length > this.#bytes.length) fail(`${length} bytes at ${at} of ${this.#bytes.length}`)
    this.#at = at + length
    return at
  }
}

function fail(what: string): never {
  throw new LogError('INVALID_REQUEST', `a member's metadata cannot be read: ${what}`, 'stop')
}
