/**
 * Reads Avro primitives from bytes nobody vouches for. Nothing is allocated for a length before it is known to fit, no
 * number is rounded, no text is repaired.
 */

import { isUtf8 } from 'node:buffer'
import { BadRecord } from '../../topology/errors.ts'
import type { FieldCipher } from '../personal.ts'

export class ByteReader {
  #bytes: Buffer = Buffer.alloc(0)
  #position = 0
  #end = 0
  /** Opens personal fields of the record that is read. */
  cipher: FieldCipher | null = null

  /** Takes other bytes; they are only borrowed. */
  reset(bytes: Buffer, position: number): void {
    this.#bytes = bytes
    this.#position = position
    this.#end = bytes.length
    this.cipher = null
  }

  /** @throws BadRecord `bad_length` when some were not read */
  finish(): void {
    const left = this.remaining
    if (left !== 0) throw new BadRecord('bad_length', `${left} bytes after the value`)
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  boolean(): boolean {
    const byte = this.#byte()
    if (byte > 1) throw new BadRecord('bad_value', `boolean byte ${byte}${this.#at()}`)
    return byte === 1
  }

  int(): number {
    const value = this.long()
    if (value !== (value | 0)) throw new BadRecord('bad_value', `${value} is no 32-bit integer${this.#at()}`)
    return value
  }

  /** A zigzag varint within ±(2^53−1). */
  long(): number {
    const byte = this.#byte()
    return byte < 0x80 ? (byte >>> 1) ^ -(byte & 1) : this.#longOf(byte)
  }

  /** 28 bits at a time, so that bit operations stay exact. */
  #longOf(first: number): number {
    let low = first & 0x7f
    let middle = 0
    let high = 0
    let shift = 7
    let byte: number
    do {
      if (shift === 70) throw new BadRecord('bad_length', `a number longer than 10 bytes${this.#at()}`)
      byte = this.#byte()
      if (shift < 28) low |= (byte & 0x7f) << shift
      else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28)
      else high |= (byte & 0x7f) << (shift - 56)
      shift += 7
    } while (byte >= 0x80)
    const half = (low >>> 1) + middle * 0x8000000
    const value = (low & 1) === 0 ? half : -half - 1
    if (high !== 0 || !Number.isSafeInteger(value))
      throw new BadRecord('bad_value', `a number beyond ±(2^53−1)${this.#at()}`)
    return value
  }

  float(): number {
    return this.#finite(this.#bytes.readFloatLE(this.#skip(4)))
  }

  double(): number {
    return this.#finite(this.#bytes.readDoubleLE(this.#skip(8)))
  }

  #finite(value: number): number {
    if (!Number.isFinite(value)) throw new BadRecord('bad_value', `${value} is no finite number${this.#at()}`)
    return value
  }

  string(): string {
    const length = this.#length()
    const start = this.#skip(length)
    const text = this.#bytes.toString('utf8', start, start + length)
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(start, start + length)))
      throw new BadRecord('bad_utf8', `text that is not UTF-8${this.#at()}`)
    return text
  }

  /** A view: what outlives the record must be copied. */
  bytes(length: number = this.#length()): Buffer {
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /**
   * Header of one block of an array or a map: how many items follow, 0 at the end.
   * @param minItemBytes bounds the count by what is left
   */
  blockCount(minItemBytes: number): { count: number; byteSize: number | null } {
    let count = this.#count()
    let byteSize: number | null = null
    if (count < 0) {
      count = -count
      byteSize = this.#length()
    }
    if (count > this.remaining / minItemBytes)
      throw new BadRecord('bad_length', `${count} items do not fit what is left${this.#at()}`)
    return { count, byteSize }
  }

  branch(branches: number): number {
    const index = this.#count()
    if (index < 0 || index >= branches) throw new BadRecord('bad_value', `branch ${index} of ${branches}${this.#at()}`)
    return index
  }

  /** A length or a count: what does not fit a number cannot fit the record either. */
  #count(): number {
    try {
      return this.long()
    } catch (error) {
      if (error instanceof BadRecord && error.reason === 'bad_value') throw new BadRecord('bad_length', error.message)
      throw error
    }
  }

  #length(): number {
    const length = this.#count()
    if (length < 0) throw new BadRecord('bad_length', `a length of ${length}${this.#at()}`)
    return length
  }

  #byte(): number {
    if (this.#position >= this.#end) throw new BadRecord('bad_length', `the record ends${this.#at()}`)
    return this.#bytes[this.#position++]!
  }

  /** Steps over `length` bytes and returns where they began. */
  #skip(length: number): number {
    const start = this.#position
    if (length > this.#end - start) throw new BadRecord('bad_length', `${length} bytes do not fit${this.#at()}`)
    this.#position = start + length
    return start
  }

  #at(): string {
    return ` (at byte ${this.#position})`
  }
}
