/**
 * Blocked keys of one task and the records that wait behind them.
 *
 *   'b' key                        -> a BlockedKey as JSON
 *   's' 2-byte length key 8-byte n -> a stored record; n = 0 is the one that failed
 *
 * B1  While a key is blocked, its records of every topic of the task are set aside, in order; none is processed.
 * B2  Redrive takes them in that order and stops at the first that fails again. The first that waits is the one the key is
 *     blocked for, and stands in the dead-letter topic; so what is skipped stands there too.
 * B3  Bytes set aside are bounded; past the bound the task stops rather than dropping or growing.
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import { EngineError } from '../errors.ts'
import type { StoredRecord } from './stored-record.ts'
import { decodeStored, encodeStored } from './stored-record.ts'

export interface BlockedKey {
  readonly key: string
  readonly reason: string
  readonly message: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  /** Records set aside, the failed one included. */
  readonly count: number
  readonly bytes: number
  readonly sinceMs: number
}

const blockedPrefix = 0x62
const recordPrefix = 0x73

export class SetAside {
  readonly #store: KeyValueStore
  readonly #maxBytes: number
  readonly #blocked = new Map<string, BlockedKey>()
  #staged: { id: string; blocked: BlockedKey | null }[] = []
  #bytes = 0

  constructor(store: KeyValueStore, maxBytes: number) {
    this.#store = store
    this.#maxBytes = maxBytes
    for (const [row, value] of store.range({ gte: Buffer.of(blockedPrefix), lt: Buffer.of(blockedPrefix + 1) })) {
      const blocked = JSON.parse(value.toString('utf8')) as BlockedKey
      this.#blocked.set(row.toString('latin1', 1), blocked)
      this.#bytes += blocked.bytes
    }
  }

  get size(): number {
    return this.#blocked.size
  }

  list(): readonly BlockedKey[] {
    return [...this.#blocked.values()]
  }

  isBlocked(key: Buffer): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(key.toString('latin1'))
  }

  /** Blocks a key with the record that failed. */
  block(record: StoredRecord & { readonly key: Buffer }, reason: string, message: string, nowMs: number): void {
    const { topic, partition, offset } = record
    const blocked = { reason, message, topic, partition, offset: String(offset), count: 0, bytes: 0, sinceMs: nowMs }
    this.#append(record, { key: record.key.toString('utf8'), ...blocked })
  }

  /** Sets a record aside behind its blocked key. @throws EngineError SET_ASIDE_FULL by B3 */
  add(record: StoredRecord & { readonly key: Buffer }): void {
    const blocked = this.#current(record.key.toString('latin1'))
    if (blocked !== null) this.#append(record, blocked)
  }

  /** The records of a key, oldest first. */
  records(key: Buffer): { readonly row: Buffer; readonly record: StoredRecord }[] {
    const prefix = recordRow(key, 0n).subarray(0, 3 + key.length)
    const found = [...this.#store.range({ gte: recordRow(key, 0n), lt: recordRow(key, 0x7fffffffffffffffn) })]
    return found
      .filter(([row]) => row.subarray(0, prefix.length).equals(prefix))
      .map(([row, value]) => ({ row, record: decodeStored(value) }))
  }

  /** Takes one record out (processed again, or given up); the last one unblocks the key. */
  remove(key: Buffer, row: Buffer): void {
    const id = key.toString('latin1')
    const blocked = this.#current(id)
    const value = this.#store.get(row)
    if (blocked === null || value === undefined) return
    this.#store.delete(row)
    const left = { ...blocked, count: blocked.count - 1, bytes: blocked.bytes - value.length }
    if (left.count > 0) this.#write(id, left)
    else this.#write(id, null)
  }

  /** True when this is the record its key is blocked for: it failed, and stands in the dead-letter topic. */
  isCause({ key, topic, partition, offset }: StoredRecord): boolean {
    const blocked = key === null ? null : this.#current(key.toString('latin1'))
    return blocked?.topic === topic && blocked.partition === partition && blocked.offset === String(offset)
  }

  /** The first record failed: it is what the key is blocked for now. */
  failed(record: StoredRecord & { readonly key: Buffer }, reason: string, message: string): void {
    const id = record.key.toString('latin1')
    const { topic, partition, offset } = record
    const blocked = this.#current(id)
    if (blocked !== null) this.#write(id, { ...blocked, reason, message, topic, partition, offset: String(offset) })
  }

  release(): void {
    for (const { id, blocked } of this.#staged) {
      this.#bytes += (blocked?.bytes ?? 0) - (this.#blocked.get(id)?.bytes ?? 0)
      if (blocked === null) this.#blocked.delete(id)
      else this.#blocked.set(id, blocked)
    }
    this.#staged.length = 0
  }

  rollback(): void {
    this.#staged.length = 0
  }

  #append(record: StoredRecord & { readonly key: Buffer }, blocked: BlockedKey): void {
    const bytes = encodeStored(record)
    if (this.#bytes + bytes.length > this.#maxBytes)
      throw new EngineError(
        'SET_ASIDE_FULL',
        `${this.#bytes} bytes are set aside behind ${this.#blocked.size} blocked keys, the bound is ${this.#maxBytes}: redrive or skip them`,
        'stop',
      )
    const last = [
      ...this.#store.range({
        gte: recordRow(record.key, 0n),
        lt: recordRow(record.key, 0x7fffffffffffffffn),
        reverse: true,
        limit: 1,
      }),
    ][0]
    const next = last === undefined ? 0n : last[0].readBigInt64BE(last[0].length - 8) + 1n
    this.#store.put(recordRow(record.key, next), bytes)
    this.#write(record.key.toString('latin1'), {
      ...blocked,
      count: blocked.count + 1,
      bytes: blocked.bytes + bytes.length,
    })
  }

  #current(id: string): BlockedKey | null {
    const staged = this.#staged.findLast((entry) => entry.id === id)
    return staged === undefined ? (this.#blocked.get(id) ?? null) : staged.blocked
  }

  #write(id: string, blocked: BlockedKey | null): void {
    const row = Buffer.concat([Buffer.of(blockedPrefix), Buffer.from(id, 'latin1')])
    if (blocked === null) this.#store.delete(row)
    else this.#store.put(row, Buffer.from(JSON.stringify(blocked), 'utf8'))
    this.#staged.push({ id, blocked })
  }
}

function recordRow(key: Buffer, n: bigint): Buffer {
  const row = Buffer.allocUnsafe(3 + key.length + 8)
  row.writeUInt8(recordPrefix, 0)
  row.writeUInt16BE(key.length, 1)
  key.copy(row, 3)
  row.writeBigInt64BE(n, 3 + key.length)
  return row
}
