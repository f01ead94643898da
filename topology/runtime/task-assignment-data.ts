/**
 * What members of a group say of themselves when they join, and what the leader says to each beside its partitions. Opaque
 * to the log. Version 1, big-endian; a text is a 2-byte length and UTF-8:
 *
 *   member      2 version · text process id · 4 count · { text part · 4 partition · 1 role · 8 position }
 *   assignment  2 version · 4 count · { text part · 4 partition · 1 warm-up }
 *
 * Both come from other processes: whatever does not fit its bounds decodes to null, never to a guess.
 */

export type Role = 'active' | 'standby' | 'left'

/** A task whose state a process has. */
export interface HeldTask {
  readonly part: string
  readonly partition: number
  /** `left`: on its disk, closed. */
  readonly role: Role
  /** Changelog positions of its stores, added up: the more, the less there is to restore. */
  readonly position: bigint
}

export interface MemberData {
  /** Workers of one process share its disk. */
  readonly processId: string
  readonly held: readonly HeldTask[]
}

export interface StandbyPlace {
  readonly part: string
  readonly partition: number
  /** The task moves here once this standby has caught up. */
  readonly warmUp: boolean
}

const version = 1
const roles: readonly Role[] = ['active', 'standby', 'left']
/** The smallest bytes of a list's item: a count that would not fit is refused before anything is allocated. */
const heldMinBytes = 2 + 4 + 1 + 8
const standbyMinBytes = 2 + 4 + 1

export function encodeMemberData({ processId, held }: MemberData): Buffer {
  return Buffer.concat([
    u16(version),
    text(processId),
    u32(held.length),
    ...held.flatMap(({ part, partition, role, position }) => [
      text(part),
      u32(partition),
      Buffer.of(roles.indexOf(role)),
      i64(position),
    ]),
  ])
}

export function decodeMemberData(bytes: Buffer): MemberData | null {
  return decoded(bytes, (reader) => ({
    processId: reader.text(),
    held: reader.list(heldMinBytes, () => ({
      part: reader.text(),
      partition: reader.u32(),
      role: reader.oneOf(roles),
      position: reader.position(),
    })),
  }))
}

export function encodeStandbys(standbys: readonly StandbyPlace[]): Buffer {
  return Buffer.concat([
    u16(version),
    u32(standbys.length),
    ...standbys.flatMap(({ part, partition, warmUp }) => [text(part), u32(partition), Buffer.of(warmUp ? 1 : 0)]),
  ])
}

export function decodeStandbys(bytes: Buffer): readonly StandbyPlace[] | null {
  return decoded(bytes, (reader) =>
    reader.list(standbyMinBytes, () => ({
      part: reader.text(),
      partition: reader.u32(),
      warmUp: reader.oneOf([false, true]),
    })),
  )
}

class OutOfBounds extends Error {}

function decoded<T>(bytes: Buffer, read: (reader: Reader) => T): T | null {
  const reader = new Reader(bytes)
  try {
    if (reader.u16() !== version) return null
    const result = read(reader)
    return reader.left === 0 ? result : null
  } catch (error) {
    if (error instanceof OutOfBounds) return null
    throw error
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  position(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#take(8))
    if (value < 0n) throw new OutOfBounds()
    return value
  }

  text(): string {
    const length = this.u16()
    const from = this.#take(length)
    const value = this.#bytes.toString('utf8', from, from + length)
    if (Buffer.byteLength(value) !== length) throw new OutOfBounds()
    return value
  }

  oneOf<T>(values: readonly T[]): T {
    const index = this.#bytes.readUInt8(this.#take(1))
    if (index >= values.length) throw new OutOfBounds()
    return values[index] as T
  }

  list<T>(itemMinBytes: number, item: () => T): T[] {
    const count = this.u32()
    if (count * itemMinBytes > this.left) throw new OutOfBounds()
    return Array.from({ length: count }, item)
  }

  #take(length: number): number {
    const from = this.#at
    if (length > this.left) throw new OutOfBounds()
    this.#at += length
    return from
  }
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function i64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8')
  return Buffer.concat([u16(bytes.length), bytes])
}
