/**
 * Runs an operator that returns promises inside a synchronous task.
 *
 * A1  Records of one lane are called one after the other, in the order they came; the next starts when the answer of
 *     the one before it was emitted. When one is to be called again later, all behind it wait with it.
 * A2  A record's offset stays open until its answer is emitted, or until the record stands in the waiting store. The
 *     task commits its lowest open offset; the done store says which offsets above it are still open. Past the end of a log
 *     that lost records nothing was done: what comes there is new.
 * A3  A finished call's answer is kept until a commit contains what it became: after an abort it is emitted again
 *     without a call. A crash before that commit repeats the call.
 * A4  A record that must wait (not before, rate limit, a lane mate that waits) stands in the waiting store under its due
 *     time and its offset completes: only calls in flight hold the lowest open offset.
 * A5  At most `limit.calls` starts of an account in any window of `limit.windowMs`. A reservation in the waiting store
 *     says when a record is likely to start; what counts is when calls really start. A commit writes that, so a task that
 *     is given up in order hands its starts on; after a crash the reservations of the run before count as starts.
 * A6  What is accepted and not closed is bounded: past it the task takes no more records.
 * A7  While offsets from before a restart are read again no waiting record starts: an open one may come before it. One that
 *     is to be called again meanwhile keeps its offset and its place: lane mates that were open are still to come.
 * A8  A call starts from what `load` reads when it starts: whatever the answers before it in its lane have written is
 *     there, and they write in the step that emits them. A kept call (A3) is used again only when one that starts now would
 *     start from the same; when a lane mate before it came out otherwise the second time, it is made anew.
 *
 *   waiting store   'w' due 8 · partition 4 · offset 8 · topic -> 1 when its start is reserved, a stored record
 *                   'r' account -> start times: `call-limits.ts`
 *   done store      offsets that were open at a commit: `open-offsets.ts`
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { AsyncNode, LoadContext } from '../graph/nodes.ts'
import type { RecordOrigin, StreamRecord } from '../graph/record.ts'
import type { Loaded } from './call.ts'
import { Call } from './call.ts'
import { CallLimits } from './call-limits.ts'
import { Heap } from './heap.ts'
import { OpenOffsets } from './open-offsets.ts'
import { decodeStored, encodeStored } from './stored-record.ts'
import { isBadData } from './trouble.ts'

interface Entry {
  readonly id: string
  readonly lane: string
  readonly record: StreamRecord
  readonly origin: RecordOrigin
  /** The row it waits under; null for one whose offset is open. */
  readonly row: Buffer | null
  call: Call | null
  /** It is called again, not before this time in ms; its offset is open (A7). */
  againAt: number
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
  /** How long calls may take. */
  readonly #clock: Clock
  /** When calls may start. */
  readonly #time: Clock
  readonly #waiting: KeyValueStore
  readonly #wake: () => void
  readonly #context: LoadContext
  readonly #memo: Map<string, Call>
  /** Everything accepted and not yet emitted in a committed transaction, by id. */
  readonly #calls = new Map<string, Call>()
  readonly #lanes = new Map<string, Entry[]>()
  #ready: Entry[] = []
  #answered: Entry[] = []
  readonly #due = new Heap<Waiting>(byDue)
  readonly #laneDue = new Map<string, { dueAt: number; count: number }>()
  readonly #offsets: OpenOffsets
  readonly #limits: CallLimits
  #staged: (() => void)[] = []
  #held = 0
  #running = 0
  #order = 0
  #closing = false
  #cancelWake: () => void = () => undefined

  constructor(options: {
    node: AsyncNode
    clock: Clock
    time: Clock
    done: KeyValueStore
    waiting: KeyValueStore
    wake: () => void
    /** What `load` sees. */
    context: LoadContext
    memo: CallMemo
    /** Where each input partition ended when the task opened, by `topic-partition`. */
    ends: ReadonlyMap<string, bigint>
  }) {
    this.node = options.node
    this.#clock = options.clock
    this.#time = options.time
    this.#waiting = options.waiting
    this.#wake = options.wake
    this.#context = options.context
    this.#memo = new Map(options.memo.calls)
    this.#load()
    this.#limits = new CallLimits(this.node.operator, options.waiting, options.time.now())
    this.#limits.takeOver(options.memo.starts)
    this.#offsets = new OpenOffsets(options.done, options.ends)
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
    return this.#offsets.wasDone(topic, partition, offset)
  }

  /** Takes a record inside its step. */
  accept(record: StreamRecord, origin: RecordOrigin): void {
    const operator = this.node.operator
    const lane = operator.lane(record)
    const now = this.#time.now()
    // One that was open before a restart had begun: it comes before whatever waits in its lane.
    if (this.#offsets.wasOpen(origin)) {
      this.#staged.push(() =>
        this.#enqueue({ id: idOf(origin), lane, record, origin, row: null, call: null, againAt: 0 }),
      )
      return
    }
    const behind = this.#waitsUntil(lane)
    const dueAt = Math.max(operator.notBefore?.(record) ?? 0, behind ?? 0)
    if (dueAt > now || behind !== null) {
      this.#wait(record, origin, lane, dueAt, false)
      return
    }
    const start = this.#limits.reserve(record, now)
    if (start > now) this.#wait(record, origin, lane, start, true)
    else
      this.#staged.push(() =>
        this.#enqueue({ id: idOf(origin), lane, record, origin, row: null, call: null, againAt: 0 }),
      )
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
    this.#offsets.reached(topic, partition, position)
  }

  /** Moves records whose time has come from the waiting store into their lanes. Inside a step; true when any moved. */
  takeDue(): boolean {
    if (this.#closing || this.#offsets.isResuming) return false
    const now = this.#time.now()
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
    const start = waitOn.get(lane) ?? (reserved ? now : this.#limits.reserve(record, now))
    if (start > now) {
      this.#waiting.delete(row)
      this.#wait(record, origin, lane, start, !waitOn.has(lane))
      waitOn.set(lane, start)
      return
    }
    this.#staged.push(() => this.#enqueue({ id: idOf(origin), lane, record, origin, row, call: null, againAt: 0 }))
  }

  /** Starts what may start. */
  pump(): void {
    if (this.#closing) return
    const now = this.#time.now()
    const early: Entry[] = []
    let nextAt = Infinity
    while (this.#running < this.node.operator.concurrency) {
      const entry = this.#ready.shift()
      if (entry === undefined) break
      const startAt = Math.max(entry.againAt, this.#limits.startOf(entry.record, now))
      if (startAt > now) {
        early.push(entry)
        nextAt = Math.min(nextAt, startAt)
      } else this.#start(entry)
    }
    this.#ready = [...early, ...this.#ready]
    this.#cancelWake()
    this.#cancelWake = nextAt === Infinity ? () => undefined : this.#time.after(nextAt - now, this.#wake)
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
      const again = (dueAt: number): void => {
        if (this.#offsets.isResuming) this.#staged.push(() => this.#callAgain(entry, dueAt))
        else this.#waitAgain(entry, dueAt)
      }
      emit(entry.record, entry.origin, entry.call, { close, again })
    }
    this.pump()
  }

  /** The lowest offset of a partition that may not be committed past; null when none is open. */
  lowestOpen(topic: string, partition: number): bigint | null {
    return this.#offsets.lowest(topic, partition)
  }

  /** Writes which offsets below `next` are still open, if any is; part of the commit. */
  writeDone(topic: string, partition: number, next: bigint): void {
    this.#offsets.write(topic, partition, next)
  }

  /** True when a commit has to say when calls have started (A5). */
  get hasStarts(): boolean {
    return this.#limits.hasUnwritten
  }

  /** Writes when calls have really started; part of the commit. */
  writeStarts(): void {
    this.#limits.write(this.#time.now())
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
    return { calls, starts: this.#limits.started }
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
    const loaded = this.#loadFor(entry.record)
    this.#running++
    this.#limits.starts(entry.record, this.#time.now())
    const call = this.#remembered(entry.id, loaded) ?? new Call(this.node.operator, entry.record, this.#clock, loaded)
    entry.call = call
    call.emitted = false
    this.#calls.set(entry.id, call)
    call.settledBy(() => {
      this.#running--
      this.#answered.push(entry)
      this.#wake()
    })
  }

  /** A8. Trouble passes through; whatever else is wrong is the call's failure. */
  #loadFor(record: StreamRecord): Loaded {
    try {
      return { ok: true, value: this.node.operator.load?.(record, this.#context) }
    } catch (error) {
      if (!isBadData(error)) throw error
      return { ok: false, error }
    }
  }

  /** The call that was made before, unless it started from what does not stand (A3, A8). */
  #remembered(id: string, loaded: Loaded): Call | null {
    const call = this.#memo.get(id)
    this.#memo.delete(id)
    if (call === undefined || call.startedFrom(loaded)) return call ?? null
    call.abandon()
    return null
  }

  #enqueue(entry: Entry): void {
    this.#held++
    if (entry.row === null) this.#offsets.add(entry.origin)
    const lane = this.#lanes.get(entry.lane)
    if (lane !== undefined) {
      lane.push(entry)
      return
    }
    this.#lanes.set(entry.lane, [entry])
    this.#ready.push(entry)
  }

  /** The front of a lane keeps its place until it is called again (A7). */
  #callAgain(front: Entry, dueAt: number): void {
    this.#calls.delete(front.id)
    front.call = null
    front.againAt = dueAt
    this.#ready.push(front)
  }

  /** The front of a lane waits, and everything behind it too: first what is in the lane, then what waits already (A1). */
  #waitAgain(front: Entry, dueAt: number): void {
    const { lane } = front
    const entries = this.#lanes.get(lane) ?? []
    for (const { row, record, origin } of entries) {
      if (row !== null) this.#waiting.delete(row)
      this.#wait(record, origin, lane, dueAt, false)
    }
    this.#postpone(new Map([[lane, dueAt]]))
    this.#staged.push(() => {
      for (const entry of entries) this.#complete(entry)
      this.#lanes.delete(lane)
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
    if (entry.row === null) this.#offsets.remove(entry.origin)
  }

  #close(entry: Entry): void {
    this.#complete(entry)
    const lane = this.#lanes.get(entry.lane)
    lane?.shift()
    const next = lane?.[0]
    if (next === undefined) this.#lanes.delete(entry.lane)
    else this.#ready.push(next)
  }

  #wait(record: StreamRecord, origin: RecordOrigin, lane: string, dueAt: number, reserved: boolean): void {
    const row = waitingRow(dueAt, origin)
    this.#waiting.put(row, Buffer.concat([Buffer.of(reserved ? 1 : 0), this.#encode(record, origin)]))
    const order = this.#order++
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
  }
}

const byDue = (a: Waiting, b: Waiting): number => a.dueAt - b.dueAt || a.order - b.order

const idOf = (origin: RecordOrigin): string => `${origin.topic}-${origin.partition}@${origin.offset}`

function waitingRow(dueAt: number, origin: RecordOrigin): Buffer {
  const row = Buffer.allocUnsafe(21 + Buffer.byteLength(origin.topic))
  row.writeUInt8(waitingPrefix, 0)
  row.writeBigInt64BE(BigInt(dueAt), 1)
  row.writeInt32BE(origin.partition, 9)
  row.writeBigInt64BE(origin.offset, 13)
  row.write(origin.topic, 21)
  return row
}
