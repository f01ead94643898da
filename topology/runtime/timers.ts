/**
 * Keyed timers of one task: a changelogged store, and an index of it in memory.
 *
 *   row key    2-byte length of the record key, record key, timer name (UTF-8)
 *   row value  8-byte due time or -1, 8-byte time of the last firing or -1
 *
 * T1  Store and index agree at every release(); a step that throws, or an abort, leaves no timer behind.
 * T2  A timer cannot be armed at or before its last firing: one firing, one identity, for ever.
 * T3  Timers fire in order of the time they may fire at, then of due time, then of arming (after a restart: of key).
 * T4  A timer that came due before the task started, or while its process stood still, may fire when the restart grace is
 *     over; it hides no other meanwhile.
 * T5  Timers of a blocked key are parked: still armed in the store, out of the index until the key is redriven.
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import { BadRecord } from '../errors.ts'
import { Heap } from './heap.ts'

export interface Timer {
  readonly key: Buffer
  readonly name: string
  readonly dueAt: number
  /** Not before this time, by the wall clock (T4). */
  readonly mayFireAt: number
}

interface Armed extends Timer {
  /** Key bytes and name as one text: the index's key. */
  readonly id: string
  readonly keyId: string
  readonly order: number
}

const none = -1

export class TimerTable {
  readonly #store: KeyValueStore
  /** By timer id. */
  readonly #armed = new Map<string, Armed>()
  /** Timer ids by record key. */
  readonly #byKey = new Map<string, Set<string>>()
  /** May hold timers moved or disarmed since: `#armed` decides. */
  #heap = newHeap()
  /** By record key. */
  readonly #parked = new Map<string, Armed[]>()
  /** When the task started, or went on after its process stood still. */
  #startedAt: number
  readonly #graceMs: number
  #staged: { id: string; armed: Armed | null }[] = []
  #order = 0

  constructor(store: KeyValueStore, startedAt = 0, graceMs = 0) {
    this.#store = store
    this.#startedAt = startedAt
    this.#graceMs = graceMs
    for (const [row, value] of store.range()) {
      const length = row.readUInt16BE(0)
      const dueAt = Number(value.readBigInt64BE(0))
      if (dueAt !== none) this.#index(this.#timer(row.subarray(2, 2 + length), row.toString('utf8', 2 + length), dueAt))
    }
  }

  /** Arms, moves or (null) disarms. @throws BadRecord timer_in_the_past by T2 */
  set(key: Buffer, name: string, dueAt: number | null): void {
    const row = rowKey(key, name)
    const before = this.#store.get(row)
    const lastFired = before === undefined ? none : Number(before.readBigInt64BE(8))
    if (dueAt === null) {
      if (before === undefined) return
      if (lastFired === none) this.#store.delete(row)
      else this.#store.put(row, rowValue(none, lastFired))
      this.#staged.push({ id: row.toString('latin1'), armed: null })
      return
    }
    if (!Number.isSafeInteger(dueAt) || dueAt < 0)
      throw new BadRecord('bad_timer', `timer "${name}" is armed at ${dueAt}, not at a time in ms`)
    if (dueAt <= lastFired)
      throw new BadRecord('timer_in_the_past', `timer "${name}" is armed at ${dueAt}, but it fired at ${lastFired}`)
    this.#store.put(row, rowValue(dueAt, lastFired))
    const timer = this.#timer(key, name, dueAt)
    this.#staged.push({ id: timer.id, armed: timer })
  }

  /** Notes that a timer fires now: disarmed, its time remembered. Part of the firing's step. */
  fired(timer: Timer): void {
    const row = rowKey(timer.key, timer.name)
    this.#store.put(row, rowValue(none, timer.dueAt))
    this.#staged.push({ id: row.toString('latin1'), armed: null })
  }

  /** The earliest timer of a key that is due before a time. */
  dueForKey(key: Buffer, before: number): Timer | null {
    const ids = this.#byKey.get(key.toString('latin1'))
    if (ids === undefined) return null
    let first: Armed | null = null
    for (const id of ids) {
      const timer = this.#armed.get(id)
      if (timer === undefined || timer.dueAt >= before) continue
      if (first === null || timer.dueAt < first.dueAt || (timer.dueAt === first.dueAt && timer.order < first.order))
        first = timer
    }
    return first
  }

  /** Takes a timer of a blocked key out of the index (T5). */
  park(timer: Timer): void {
    const armed = this.#armed.get(rowKey(timer.key, timer.name).toString('latin1'))
    if (armed === undefined) return
    this.#drop(armed.id)
    this.#park(armed)
  }

  /** Puts a key's parked timers back. */
  unpark(key: Buffer): void {
    const keyId = key.toString('latin1')
    const parked = this.#parked.get(keyId) ?? []
    this.#parked.delete(keyId)
    for (const timer of parked) this.#index(timer)
  }

  /** The process stood still until `now`: what came due meanwhile waits out the grace, as after a start (T4). */
  wentOn(now: number): void {
    this.#startedAt = now
    const armed = [...this.#armed.values()]
    const parked = [...this.#parked.values()].flat()
    this.#armed.clear()
    this.#byKey.clear()
    this.#parked.clear()
    this.#heap = newHeap()
    for (const timer of armed) this.#index({ ...timer, mayFireAt: this.#mayFireAt(timer.dueAt) })
    for (const timer of parked) this.#park({ ...timer, mayFireAt: this.#mayFireAt(timer.dueAt) })
  }

  /** The timer that may fire first of all; null when none is armed. */
  next(): Timer | null {
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (this.#armed.get(top.id) === top) return top
      this.#heap.pop()
    }
    return null
  }

  /** Keys of timers due at or before a time; in no order. */
  keysDue(asOf: number): Buffer[] {
    return this.#heap.items
      .filter((timer) => timer.dueAt <= asOf && this.#armed.get(timer.id) === timer)
      .map((timer) => timer.key)
  }

  get size(): number {
    return this.#armed.size
  }

  /** Entries the order is kept in, left-behind ones included: never more than twice the timers armed, and 1024. */
  get heapSize(): number {
    return this.#heap.size
  }

  release(): void {
    for (const { id, armed } of this.#staged) {
      this.#drop(id)
      if (armed !== null) this.#index(armed)
    }
    this.#staged.length = 0
  }

  rollback(): void {
    this.#staged.length = 0
  }

  #timer(key: Buffer, name: string, dueAt: number): Armed {
    const copy = Buffer.from(key)
    return {
      key: copy,
      name,
      dueAt,
      mayFireAt: this.#mayFireAt(dueAt),
      id: rowKey(copy, name).toString('latin1'),
      keyId: copy.toString('latin1'),
      order: this.#order++,
    }
  }

  #mayFireAt(dueAt: number): number {
    return dueAt < this.#startedAt ? this.#startedAt + this.#graceMs : dueAt
  }

  #park(timer: Armed): void {
    const parked = this.#parked.get(timer.keyId)
    if (parked === undefined) this.#parked.set(timer.keyId, [timer])
    else parked.push(timer)
  }

  #index(timer: Armed): void {
    this.#armed.set(timer.id, timer)
    this.#heap.push(timer)
    if (this.#heap.size > 2 * this.#armed.size + 1024) this.#rebuild()
    const ids = this.#byKey.get(timer.keyId)
    if (ids === undefined) this.#byKey.set(timer.keyId, new Set([timer.id]))
    else ids.add(timer.id)
  }

  /** Leaves behind what was moved or disarmed. */
  #rebuild(): void {
    this.#heap = newHeap()
    for (const timer of this.#armed.values()) this.#heap.push(timer)
  }

  #drop(id: string): void {
    const timer = this.#armed.get(id)
    if (timer === undefined) return
    this.#armed.delete(id)
    const ids = this.#byKey.get(timer.keyId)
    ids?.delete(id)
    if (ids?.size === 0) this.#byKey.delete(timer.keyId)
  }
}

const newHeap = (): Heap<Armed> =>
  new Heap((a, b) => a.mayFireAt - b.mayFireAt || a.dueAt - b.dueAt || a.order - b.order)

function rowKey(key: Buffer, name: string): Buffer {
  const row = Buffer.allocUnsafe(2 + key.length + Buffer.byteLength(name))
  row.writeUInt16BE(key.length, 0)
  key.copy(row, 2)
  row.write(name, 2 + key.length)
  return row
}

function rowValue(dueAt: number, lastFired: number): Buffer {
  const value = Buffer.allocUnsafe(16)
  value.writeBigInt64BE(BigInt(dueAt), 0)
  value.writeBigInt64BE(BigInt(lastFired), 8)
  return value
}
