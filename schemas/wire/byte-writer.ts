/** Writes Avro primitives into one growing buffer that is used again and again. */

import { BadRecord } from '../../topology/errors.ts'
import type { FieldCipher } from '../personal.ts'

export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(4_096)
  #position = 0
  readonly #maxBytes: number
  readonly #tooLarge: string
  /** Seals personal fields of the record that is written. */
  cipher: FieldCipher | null = null

  /**
   * @param maxBytes a value that needs more is refused
   * @param tooLarge the reason it is refused with
   */
  constructor(maxBytes: number, tooLarge: string) {
    this.#maxBytes = maxBytes
    this.#tooLarge = tooLarge
  }

  reset(): void {
    this.#position = 0
    this.cipher = null
  }

  /** The bytes written, copied; the writer's own are for the next value. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#position))
  }

  byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#position++] = byte
  }

  uint16(value: number): void {
    this.#reserve(2)
    this.#position = this.#bytes.writeUInt16BE(value, this.#position)
  }

  uint32(value: number): void {
    this.#reserve(4)
    this.#position = this.#bytes.writeUInt32BE(value, this.#position)
  }

  /** A safe integer, as zigzag varint. */
  long(value: number): void {
    this.#reserve(10)
    const bytes = this.#bytes
    let position = this.#position
    if (value >= -0x40000000 && value < 0x40000000) {
      let bits = ((value << 1) ^ (value >> 31)) >>> 0
      while (bits >= 0x80) {
        bytes[position++] = (bits & 0x7f) | 0x80
        bits >>>= 7
      }
      bytes[position++] = bits
    } else {
      // zigzag by arithmetic: its lowest bit is the sign, the rest is `half`, which stays exact below 2^53.
      const half = value < 0 ? -value - 1 : value
      bytes[position++] = ((half % 64) * 2 + (value < 0 ? 1 : 0)) | 0x80
      let rest = Math.floor(half / 64)
      while (rest >= 0x80) {
        bytes[position++] = (rest % 128) | 0x80
        rest = Math.floor(rest / 128)
      }
      bytes[position++] = rest
    }
    this.#position = position
  }

  double(value: number): void {
    this.#reserve(8)
    this.#position = this.#bytes.writeDoubleLE(value, this.#position)
  }

  float(value: number): void {
    this.#reserve(4)
    this.#position = this.#bytes.writeFloatLE(value, this.#position)
  }

  /** Well-formed text. */
  string(value: string): void {
    if (value.length <= 40 && this.#ascii(value)) return
    const length = Buffer.byteLength(value)
    this.long(length)
    this.#reserve(length)
    this.#position += this.#bytes.write(value, this.#position, length, 'utf8')
  }

  /** Short ASCII texts (ids, mostly) without a call into native code. False when it is not ASCII: nothing is written. */
  #ascii(value: string): boolean {
    const length = value.length
    this.#reserve(1 + length)
    const bytes = this.#bytes
    let position = this.#position
    bytes[position++] = length << 1
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit >= 0x80) return false
      bytes[position++] = unit
    }
    this.#position = position
    return true
  }

  bytes(value: Uint8Array): void {
    this.long(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#position)
    this.#position += value.length
  }

  #reserve(count: number): void {
    const needed = this.#position + count
    if (needed <= this.#bytes.length) return
    // Room for a number is asked for generously, hence the slack.
    if (needed > this.#maxBytes + 16) throw this.tooLarge()
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#position)
    this.#bytes = grown
  }

  /** @throws BadRecord when more was written than is allowed */
  checkSize(): void {
    if (this.#position > this.#maxBytes) throw this.tooLarge()
  }

  private tooLarge(): BadRecord {
    return new BadRecord(this.#tooLarge, `larger than ${this.#maxBytes} bytes`)
  }
}
