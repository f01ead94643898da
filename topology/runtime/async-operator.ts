/**
 * Runs an operator that returns promises inside a synchronous task.
 *
 * A1  Records of one lane are called one after the other, in the order they came; the next starts when the answer of
 *     the one before it was emitted. When one is to be called again later, all behind it wait with it.
 * A2  A record's offset stays open until its answer is emitted, or until the record stands in the waiting store. The
 *     task commits its lowest open offset; the done store says which offsets above it are still open.
 * A3  A finished call's answer is kept until a commit contains what it became: after an abort it is emitted again
 *     without a call. A crash before that commit repeats the call.
 * A4  A record that must wait (not before, rate limit, a lane mate that waits) stands in the waiting store under its due
 *     time and its offset completes: only calls in flight hold the lowest open offset.
 * A5  At most `limit.calls` starts of an account in any window of `limit.windowMs`. A reservation in the waiting store
 *     says when a record is likely to start; what counts is when calls really start, and after a restart the
 *     reservations of the run before count as starts.
 * A6  What is accepted and not closed is bounded: past it the task takes no more records.
 * A7  While offsets from before a restart are read again no waiting record starts: an open one may come before it.
 *
 *   waiting store   'w' due 8 · partition 4 · offset 8 · topic -> 1 when its start is reserved, a stored record
 *                   'r' account -> start times, 8 bytes each
 *   done store      topic 0x00 partition 4 -> next offset 8, then the open offsets below it, 8 each
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { AsyncNode, CallLimit } from '../graph/nodes.ts'
import type { RecordOrigin, StreamRecord } from '../graph/record.ts'
import { Call } from './call.ts'
import { Heap } from './heap.ts'
import { decodeStored, encodeStored } from './stored-record.ts'

interface Entry {
  readonly id: string
  readonly lane: string
  readonly record: StreamRecord
  readonly origin: RecordOrigin
  /** The row it waits under; null for one whose offset is open. */
  readonly row: Buffer | null
  call: Call | null
}

interface Waiting {
  readonly dueAt: number
  readonly row: Buffer
  readonly lane: string
  readonly order: number
}

/** Accepted records per concurrent call that a task holds at most (A6). */
const heldPerCall = 8
const waitingPrefix = 0x77
const startsPrefix = 0x72

/** What a task that takes over in the same process goes on with. */
export interface CallMemo {
  /** Calls that are in flight or have succeeded, by id (A3). */
  readonly calls: ReadonlyMap<string, Call>
  /** Real start times by account (A5). */
  readonly starts: ReadonlyMap<string, readonly number[]>
}

export const noMemo: CallMemo = { calls: new Map(), starts: new Map() }

/** What may follow an answer, as part of its step. */
export interface AfterAnswer {
  /** The record is done. */
  close(): void
  /** It is called again, not before this time in ms. */
  again(dueAt: number): void
}

export class AsyncOperator {
  readonly node: AsyncNode
  readonly #clock: Clock
  readonly #done: KeyValueStore
  readonly #waiting: KeyValueStore
  readonly #wake: () => void
  readonly #memo: Map<string, Call>
  /** Everything accepted and not yet emitted in a committed transaction, by id. */
  readonly #calls = new Map<string, Call>()
  readonly #lanes = new Map<string, Entry[]>()
  #ready: Entry[] = []
  #answered: Entry[] = []
  readonly #due = new Heap<Waiting>(byDue)
  readonly #laneDue = new Map<string, { dueAt: number; count: number }>()
  /** Open offsets per input partition, ascending. */
  readonly #open = new Map<string, Set<bigint>>()
  readonly #resume = new Map<string, { readonly next: bigint; readonly open: ReadonlySet<bigint> }>()
  /** Lanes whose front is called again later while open offsets are still read again: those of the lane follow it (A1). */
  readonly #calledAgain = new Map<string, { readonly dueAt: number; order: number }>()
  #staged: (() => void)[] = []
  /** Real start times per account, the last `limit.calls` of them (A5). */
  readonly #started = new Map<string, number[]>()
  #held = 0
  #running = 0
  #order = 0
  #closing = false
  #cancelWake: () => void = () => undefined

  constructor(options: {
    node: AsyncNode
    clock: Clock
    done: KeyValueStore
    waiting: KeyValueStore
    wake: () => void
    memo: CallMemo
  }) {
    this.node = options.node
    this.#clock = options.clock
    this.#done = options.done
    this.#waiting = options.waiting
    this.#wake = options.wake
    this.#memo = new Map(options.memo.calls)
    this.#load()
    for (const [account, starts] of options.memo.starts) this.#started.set(account, [...starts])
  }

  /** Calls that are in flight or answered and not yet committed. */
  get inFlight(): number {
    return this.#calls.size
  }

  get waitingCount(): number {
    return this.#due.size
  }

  /** False while enough is in flight: the task takes no more records. */
  get hasRoom(): boolean {
    return this.#held < this.node.operator.concurrency * heldPerCall
  }

  get hasAnswers(): boolean {
    return this.#answered.length > 0
  }

  /** When the next waiting record is due; null when none waits. */
  get nextDue(): number | null {
    return this.#due.peek()?.dueAt ?? null
  }

  /** True when a re-read record was done before the restart (A2). */
  wasDone(topic: string, partition: number, offset: bigint): boolean {
    const resume = this.#resume.get(`${topic}-${partition}`)
    return resume !== undefined && offset < resume.next && !resume.open.has(offset)
  }

  #wasOpen({ topic, partition, offset }: RecordOrigin): boolean {
    return this.#resume.get(`${topic}-${partition}`)?.open.has(offset) ?? false
  }

  /** Takes a record inside its step. */
  accept(record: StreamRecord, origin: RecordOrigin): void {
    const operator = this.node.operator
    const lane = operator.lane(record)
    const now = this.#clock.now()
    // One that was open before a restart had begun: it comes before whatever waits in its lane.
    if (this.#wasOpen(origin)) {
      const called = this.#calledAgain.get(lane)
      if (called !== undefined) this.#wait(record, origin, lane, called.dueAt, false, (called.order += 2 ** -20))
      else this.#staged.push(() => this.#enqueue({ id: idOf(origin), lane, record, origin, row: null, call: null }))
      return
    }
    const behind = this.#waitsUntil(lane)
    const dueAt = Math.max(operator.notBefore?.(record) ?? 0, behind ?? 0)
    if (dueAt > now || behind !== null) {
      this.#wait(record, origin, lane, dueAt, false)
      return
    }
    const start = this.#reserve(record, now)
    if (start > now) this.#wait(record, origin, lane, start, true)
    else this.#staged.push(() => this.#enqueue({ id: idOf(origin), lane, record, origin, row: null, call: null }))
  }

  /**
   * When the last one of a lane that stands in the waiting store is due; null when none does. Whoever comes after it waits
   * too, also when its time has come: so in a lane open offsets come before waiting records, and after a restart as well (A1).
   */
  #waitsUntil(lane: string): number | null {
    const waiting = this.#laneDue.get(lane)
    if (waiting !== undefined) return waiting.dueAt
    const last = this.#lanes.get(lane)?.at(-1)?.row ?? null
    return last === null ? null : Number(last.readBigInt64BE(1))
  }

  /** The task has read a partition up to `position`: what was open before a restart is held again (A7). */
  reached(topic: string, partition: number, position: bigint): void {
    const place = `${topic}-${partition}`
    const resume = this.#resume.get(place)
    if (resume !== undefined && position >= resume.next) this.#resume.delete(place)
    if (this.#resume.size === 0) this.#calledAgain.clear()
  }

  /** Moves records whose time has come from the waiting store into their lanes. Inside a step; true when any moved. */
  takeDue(): boolean {
    if (this.#closing || this.#resume.size > 0) return false
    const now = this.#clock.now()
    const room = this.node.operator.concurrency * heldPerCall - this.#held
    const waitOn = new Map<string, number>()
    let moved = 0
    for (let top = this.#due.peek(); top !== undefined && top.dueAt <= now && moved < room; top = this.#due.peek()) {
      this.#due.pop()
      this.#leaveLaneWait(top.lane)
      moved++
      this.#takeOne(top, now, waitOn)
    }
    this.#postpone(waitOn)
    return moved > 0
  }

  /** @param waitOn lanes whose front must wait on, and until when: their later records wait with it (A1) */
  #takeOne(waiting: Waiting, now: number, waitOn: Map<string, number>): void {
    const { row, lane } = waiting
    const value = this.#waiting.get(row)
    if (value === undefined) return
    const { record, origin } = this.#decode(value.subarray(1))
    const reserved = value.readUInt8(0) === 1
    const start = waitOn.get(lane) ?? (reserved ? now : this.#reserve(record, now))
    if (start > now) {
      this.#waiting.delete(row)
      this.#wait(record, origin, lane, start, !waitOn.has(lane))
      waitOn.set(lane, start)
      return
    }
    this.#staged.push(() => this.#enqueue({ id: idOf(origin), lane, record, origin, row, call: null }))
  }

  /** Starts what may start. */
  pump(): void {
    if (this.#closing) return
    const now = this.#clock.now()
    const early: Entry[] = []
    let nextAt = Infinity
    while (this.#running < this.node.operator.concurrency) {
      const entry = this.#ready.shift()
      if (entry === undefined) break
      const startAt = this.#startOf(entry, now)
      if (startAt > now) {
        early.push(entry)
        nextAt = Math.min(nextAt, startAt)
      } else this.#start(entry)
    }
    this.#ready = [...early, ...this.#ready]
    this.#cancelWake()
    this.#cancelWake = nextAt === Infinity ? () => undefined : this.#clock.after(nextAt - now, this.#wake)
  }

  /** When a call may really start under its account's limit (A5). */
  #startOf({ record }: Entry, now: number): number {
    const limited = this.#limitOf(record)
    return limited === null ? now : nextStart(this.#started.get(limited.account) ?? [], limited.limit, now)
  }

  /** A limit that cannot be told is none: the call itself will say what is wrong with the record. */
  #limitOf(record: StreamRecord): { readonly account: string; readonly limit: CallLimit } | null {
    try {
      return this.node.operator.limit?.(record) ?? null
    } catch {
      return null
    }
  }

  /** Hands each answer to `emit`, which runs it as a step and says whether it may be closed. */
  drain(emit: (record: StreamRecord, origin: RecordOrigin, call: Call, then: AfterAnswer) => void): void {
    const answered = this.#answered
    this.#answered = []
    for (const entry of answered) {
      if (entry.call === null) continue
      const close = (): void => {
        if (entry.row !== null) this.#waiting.delete(entry.row)
        this.#staged.push(() => this.#close(entry))
      }
      const again = (dueAt: number): void => this.#waitAgain(entry, dueAt)
      emit(entry.record, entry.origin, entry.call, { close, again })
    }
    this.pump()
  }

  /** The lowest offset of a partition that may not be committed past; null when none is open. */
  lowestOpen(topic: string, partition: number): bigint | null {
    const open = this.#open.get(`${topic}-${partition}`)
    if (open === undefined) return null
    for (const offset of open) return offset
    return null
  }

  /** Writes which offsets below `next` are still open, if any is; part of the commit. */
  writeDone(topic: string, partition: number, next: bigint): void {
    const row = doneRow(topic, partition)
    const open = [...(this.#open.get(`${topic}-${partition}`) ?? [])]
    const resume = this.#resume.get(`${topic}-${partition}`)
    if (resume !== undefined && next < resume.next) {
      // Still inside the stretch read again: what was open there and was not reached yet stays open.
      for (const offset of resume.open) if (offset >= next) open.push(offset)
      this.#done.put(row, offsetList(resume.next, open))
    } else if (open.length > 0) {
      this.#done.put(row, offsetList(next, open))
    } else if (this.#done.get(row) !== undefined) {
      this.#done.delete(row)
    }
  }

  /** A commit contains what was emitted: its answers need not be kept. */
  committed(): void {
    for (const [id, call] of this.#calls) if (call.emitted) this.#calls.delete(id)
  }

  release(): void {
    const staged = this.#staged
    this.#staged = []
    for (const apply of staged) apply()
  }

  rollback(): void {
    this.#staged.length = 0
  }

  /** What a task that takes over in this process can use again (A3). */
  memo(): CallMemo {
    this.#cancelWake()
    for (const call of this.#calls.values()) call.detach()
    // A call that failed is worth another try.
    const calls = new Map([...this.#memo, ...this.#calls].filter(([, call]) => !call.hasFailed))
    return { calls, starts: this.#started }
  }

  /** Resolves when nothing is in flight, or after `boundMs`; what still runs is abandoned un-acknowledged. */
  async close(boundMs: number): Promise<void> {
    this.#closing = true
    this.#cancelWake()
    const running = [...this.#calls.values()].filter((call) => !call.settled)
    if (running.length === 0) return
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(boundMs, resolve)
      void Promise.all(running.map((call) => call.finished)).then(() => {
        cancel()
        resolve()
      })
    })
    for (const call of running) call.abandon()
  }

  #start(entry: Entry): void {
    this.#running++
    const limited = this.#limitOf(entry.record)
    if (limited !== null) {
      const starts = this.#started.get(limited.account) ?? []
      this.#started.set(limited.account, [...starts, this.#clock.now()].slice(-limited.limit.calls))
    }
    const remembered = this.#memo.get(entry.id)
    this.#memo.delete(entry.id)
    const call = remembered ?? new Call(this.node.operator, entry.record, this.#clock)
    entry.call = call
    call.emitted = false
    this.#calls.set(entry.id, call)
    call.settledBy(() => {
      this.#running--
      this.#answered.push(entry)
      this.#wake()
    })
  }

  #enqueue(entry: Entry): void {
    this.#held++
    if (entry.row === null) {
      const partition = `${entry.origin.topic}-${entry.origin.partition}`
      const open = this.#open.get(partition)
      if (open === undefined) this.#open.set(partition, new Set([entry.origin.offset]))
      else open.add(entry.origin.offset)
    }
    const lane = this.#lanes.get(entry.lane)
    if (lane !== undefined) {
      lane.push(entry)
      return
    }
    this.#lanes.set(entry.lane, [entry])
    this.#ready.push(entry)
  }

  /** The front of a lane waits, and everything behind it too: first what is in the lane, then what waits already (A1). */
  #waitAgain(front: Entry, dueAt: number): void {
    const { lane } = front
    const entries = this.#lanes.get(lane) ?? []
    for (const { row, record, origin } of entries) {
      if (row !== null) this.#waiting.delete(row)
      this.#wait(record, origin, lane, dueAt, false)
    }
    const order = this.#order - 1
    this.#postpone(new Map([[lane, dueAt]]))
    this.#staged.push(() => {
      for (const entry of entries) this.#complete(entry)
      this.#lanes.delete(lane)
      if (this.#resume.size > 0) this.#calledAgain.set(lane, { dueAt, order })
    })
  }

  /** Lanes whose front was just made to wait until a time: what waits there for an earlier one moves behind it (A1). */
  #postpone(lanes: ReadonlyMap<string, number>): void {
    const untilOf = ({ lane }: Waiting): number => (this.#laneDue.has(lane) ? (lanes.get(lane) ?? -1) : -1)
    if (![...lanes.keys()].some((lane) => this.#laneDue.has(lane))) return
    const early = this.#due.items.filter((waiting) => waiting.dueAt <= untilOf(waiting))
    for (const waiting of early.toSorted(byDue)) this.#moveBehind(waiting, untilOf(waiting))
    const moved = new Set(early)
    this.#staged.push(() => this.#due.remove((waiting) => moved.has(waiting)))
  }

  #moveBehind({ row, lane }: Waiting, dueAt: number): void {
    const value = this.#waiting.get(row)
    if (value === undefined) return
    const { origin } = this.#decode(value.subarray(1))
    const moved = { dueAt, row: waitingRow(dueAt, origin), lane, order: this.#order++ }
    this.#waiting.delete(row)
    this.#waiting.put(moved.row, value)
    this.#staged.push(() => {
      this.#leaveLaneWait(lane)
      this.#index(moved)
    })
  }

  /** The record's offset, or its row, holds nothing any more. */
  #complete(entry: Entry): void {
    this.#held--
    if (entry.call !== null) entry.call.emitted = true
    if (entry.row === null)
      this.#open.get(`${entry.origin.topic}-${entry.origin.partition}`)?.delete(entry.origin.offset)
  }

  #close(entry: Entry): void {
    this.#complete(entry)
    const lane = this.#lanes.get(entry.lane)
    lane?.shift()
    const next = lane?.[0]
    if (next === undefined) this.#lanes.delete(entry.lane)
    else this.#ready.push(next)
  }

  #wait(
    record: StreamRecord,
    origin: RecordOrigin,
    lane: string,
    dueAt: number,
    reserved: boolean,
    order: number = this.#order++,
  ): void {
    const row = waitingRow(dueAt, origin)
    this.#waiting.put(row, Buffer.concat([Buffer.of(reserved ? 1 : 0), this.#encode(record, origin)]))
    this.#staged.push(() => this.#index({ dueAt, row, lane, order }))
  }

  #index(waiting: Waiting): void {
    this.#due.push(waiting)
    const held = this.#laneDue.get(waiting.lane)
    this.#laneDue.set(waiting.lane, { dueAt: Math.max(held?.dueAt ?? 0, waiting.dueAt), count: (held?.count ?? 0) + 1 })
  }

  #leaveLaneWait(lane: string): void {
    const held = this.#laneDue.get(lane)
    if (held === undefined || held.count <= 1) this.#laneDue.delete(lane)
    else this.#laneDue.set(lane, { dueAt: held.dueAt, count: held.count - 1 })
  }

  /** The earliest time this record may start under its account's limit (A5), taken. */
  #reserve(record: StreamRecord, now: number): number {
    const limited = this.#limitOf(record)
    if (limited === null) return now
    const row = Buffer.concat([Buffer.of(startsPrefix), Buffer.from(limited.account, 'utf8')])
    const starts = this.#startsOf(row)
    const start = nextStart(starts, limited.limit, now)
    const kept = keptStarts([...starts, start], limited.limit, now)
    this.#waiting.put(row, offsetList(BigInt(start), kept.slice(0, -1).map(BigInt)))
    return start
  }

  /** Read from the store each time a step begins, so that a rolled back reservation is forgotten. */
  #startsOf(row: Buffer): number[] {
    const value = this.#waiting.get(row)
    if (value === undefined) return []
    const [last, ...earlier] = readOffsets(value).map(Number)
    return last === undefined ? [] : [...earlier, last]
  }

  #encode(record: StreamRecord, origin: RecordOrigin): Buffer {
    const { key, value } = this.node.operator
    const keyBytes = record.key === null ? null : key.serialize(record.key, null)
    return encodeStored({
      ...origin,
      timestamp: record.timestamp,
      key: keyBytes,
      value: value.serialize(record.value, keyBytes),
      headers: record.headers,
    })
  }

  #decode(bytes: Buffer): { record: StreamRecord; origin: RecordOrigin } {
    const { key, value } = this.node.operator
    const stored = decodeStored(bytes)
    const record: StreamRecord = {
      key: stored.key === null ? null : key.deserialize(stored.key, null),
      value: value.deserialize(stored.value ?? Buffer.alloc(0), stored.key),
      timestamp: stored.timestamp,
      headers: stored.headers,
    }
    return { record, origin: { topic: stored.topic, partition: stored.partition, offset: stored.offset } }
  }

  #load(): void {
    for (const [row, value] of this.#waiting.range({
      gte: Buffer.of(waitingPrefix),
      lt: Buffer.of(waitingPrefix + 1),
    })) {
      const { record } = this.#decode(value.subarray(1))
      const dueAt = Number(row.readBigInt64BE(1))
      this.#index({ dueAt, row, lane: this.node.operator.lane(record), order: this.#order++ })
    }
    const now = this.#clock.now()
    for (const [row, value] of this.#waiting.range({
      gte: Buffer.of(startsPrefix),
      lt: Buffer.of(startsPrefix + 1),
    })) {
      const [last, ...earlier] = readOffsets(value).map(Number)
      const starts = last === undefined ? [] : [...earlier, last].filter((start) => start <= now)
      this.#started.set(row.toString('utf8', 1), starts)
    }
    for (const [row, value] of this.#done.range()) {
      const [next, ...open] = readOffsets(value)
      const split = row.length - 5
      if (next !== undefined)
        this.#resume.set(`${row.toString('utf8', 0, split)}-${row.readInt32BE(split + 1)}`, {
          next,
          open: new Set(open),
        })
    }
  }
}

const byDue = (a: Waiting, b: Waiting): number => a.dueAt - b.dueAt || a.order - b.order

const idOf = (origin: RecordOrigin): string => `${origin.topic}-${origin.partition}@${origin.offset}`

/** At most `calls` in any window: the start `calls` places back plus the window, and never before an earlier start. */
function nextStart(starts: readonly number[], limit: CallLimit, now: number): number {
  const last = starts.at(-1) ?? now
  const oldest = starts.length < limit.calls ? undefined : starts[starts.length - limit.calls]
  return Math.max(now, last, oldest === undefined ? now : oldest + limit.windowMs)
}

/** What a restart must know: starts still inside the window, and the last reservations after now. */
function keptStarts(starts: readonly number[], { calls, windowMs }: CallLimit, now: number): number[] {
  const inWindow = starts.filter((start) => start <= now && start > now - windowMs)
  const ahead = starts.filter((start) => start > now)
  return [...inWindow.slice(-calls), ...ahead.slice(-calls)]
}

function waitingRow(dueAt: number, origin: RecordOrigin): Buffer {
  const row = Buffer.allocUnsafe(21 + Buffer.byteLength(origin.topic))
  row.writeUInt8(waitingPrefix, 0)
  row.writeBigInt64BE(BigInt(dueAt), 1)
  row.writeInt32BE(origin.partition, 9)
  row.writeBigInt64BE(origin.offset, 13)
  row.write(origin.topic, 21)
  return row
}

function doneRow(topic: string, partition: number): Buffer {
  const row = Buffer.alloc(Buffer.byteLength(topic) + 5)
  row.write(topic, 0)
  row.writeInt32BE(partition, row.length - 4)
  return row
}

function offsetList(first: bigint, rest: readonly bigint[]): Buffer {
  const list = Buffer.allocUnsafe(8 * (rest.length + 1))
  list.writeBigInt64BE(first, 0)
  rest.forEach((offset, index) => list.writeBigInt64BE(offset, 8 * (index + 1)))
  return list
}

function readOffsets(list: Buffer): bigint[] {
  const offsets: bigint[] = []
  for (let at = 0; at < list.length; at += 8) offsets.push(list.readBigInt64BE(at))
  return offsets
}
