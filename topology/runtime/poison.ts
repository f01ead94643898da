/**
 * Bad data of one task. What fails is dead-lettered in the transaction that passes its offset; with a set-aside store the
 * records that follow on its key wait, until an operator redrives or skips.
 *
 * R5  A step that fails is dead-lettered in the same transaction; with a set-aside store its key is blocked, and that
 *     key's later records are set aside in order until redriven.
 */

import type { CrashPoint } from '../../connectors/kafka/index.ts'
import type { Clock } from '../clock.ts'
import { BadRecord, EngineError } from '../errors.ts'
import type { Collector } from './collector.ts'
import { sizeOf } from './collector.ts'
import type { Reason } from './dead-letters.ts'
import { DeadLetterRate, reasonOf, sendDeadLetter } from './dead-letters.ts'
import type { BlockedKey, SetAside } from './set-aside.ts'
import type { StoredRecord } from './stored-record.ts'
import type { TaskStep } from './task-step.ts'
import { isBadData } from './trouble.ts'

/** A record larger than this is dead-lettered without blocking its key: it would not fit its changelog. */
const setAsideRecordMaxBytes = 900_000

export interface PoisonOptions {
  readonly task: string
  readonly application: string
  readonly step: TaskStep
  readonly collector: Collector
  readonly setAside: SetAside | null
  readonly counters: { deadLetters: number; setAside: number }
  readonly deadLettersPerMinute: number
  readonly clock: Clock
  /** What dead letters are stamped with. */
  readonly time: Clock
  readonly crash: CrashPoint
}

export class Poison {
  readonly #options: PoisonOptions
  readonly #step: TaskStep
  readonly #setAside: SetAside | null
  readonly #rate: DeadLetterRate

  constructor(options: PoisonOptions) {
    this.#options = options
    this.#step = options.step
    this.#setAside = options.setAside
    this.#rate = new DeadLetterRate(options.deadLettersPerMinute)
  }

  get blocked(): readonly BlockedKey[] {
    return this.#setAside?.list() ?? []
  }

  isBlocked(key: Buffer): boolean {
    return this.#setAside?.isBlocked(key) ?? false
  }

  /** The records that wait behind a blocked key, oldest first. */
  waiting(key: Buffer): readonly StoredRecord[] {
    return (this.#setAside?.records(key) ?? []).map(({ record }) => record)
  }

  /** A record is taken, good or bad: dead letters are measured by these. */
  taken(): void {
    this.#rate.taken()
  }

  /** A record that failed; its key is blocked from now on. */
  bury(record: StoredRecord, error: unknown): void {
    const why = reasonOf(error)
    const now = this.#options.time.now()
    const key = record.key
    this.#step.run(() => {
      this.#send(record, why, now)
      const isNew = key !== null && !(this.#setAside?.isBlocked(key) ?? true)
      if (isNew && isKeepable(record)) this.#setAside?.block({ ...record, key }, why.reason, why.message, now)
    })
    this.#options.crash('C13')
    this.#count(why)
  }

  /** A timer or a call that failed: it blocks no key. `change` is part of the step. */
  buryAlone(record: StoredRecord, why: Reason, change: () => void): void {
    this.#step.run(() => {
      this.#send(record, why, this.#options.time.now())
      change()
    })
    this.#count(why)
  }

  /** Sets a record aside behind its blocked key. */
  setBehind(record: StoredRecord & { readonly key: Buffer }): void {
    if (!isKeepable(record)) {
      this.bury(record, new BadRecord('too_large_to_set_aside', 'its key is blocked and it is too large to wait'))
      return
    }
    this.#step.run(() => this.#setAside?.add(record))
    this.#options.counters.setAside++
  }

  /**
   * Tries the records of a blocked key again, in order, up to the first that fails (B2).
   * @param process handles a record and does `then` in the same step
   * @returns how many are left
   */
  redrive(key: Buffer, skipFirst: boolean, process: (record: StoredRecord, then: () => void) => void): number {
    const setAside = this.#setAside
    if (setAside === null) return 0
    const records = setAside.records(key)
    for (const [index, { row, record }] of records.entries()) {
      const remove = (): void => setAside.remove(key, row)
      if (skipFirst && index === 0) {
        this.#giveUp(record, skipped, setAside, remove)
        continue
      }
      try {
        process(record, remove)
      } catch (error) {
        if (!isBadData(error)) throw error
        const why = reasonOf(error)
        this.#giveUp(record, why, setAside, () => setAside.failed({ ...record, key }, why.reason, why.message))
        return records.length - index
      }
    }
    return 0
  }

  /** What is given up stands in the dead-letter topic: since it failed, or from now on (B2). */
  #giveUp(record: StoredRecord, why: Reason, setAside: SetAside, change: () => void): void {
    const isNew = !setAside.isCause(record)
    this.#step.run(() => {
      if (isNew) this.#send(record, why, this.#options.time.now())
      change()
    })
    if (isNew) this.#options.counters.deadLetters++
  }

  #send(record: StoredRecord, why: Reason, now: number): void {
    sendDeadLetter(this.#options.collector, this.#options.application, record, why, now)
  }

  /** @throws EngineError POISON_RATE */
  #count(last: Reason): void {
    this.#options.counters.deadLetters++
    if (!this.#rate.dead(this.#options.clock.now())) return
    throw new EngineError(
      'POISON_RATE',
      `task ${this.#options.task}: most records of the last minute were dead letters, the last one for ${last.reason}: ${last.message}`,
      'stop',
    )
  }
}

const skipped: Reason = { reason: 'skipped', message: 'given up by an operator before it was tried' }

function isKeepable({ key, value, headers }: StoredRecord): boolean {
  return (key?.length ?? 0) <= 0xffff && sizeOf(key, value, headers) <= setAsideRecordMaxBytes
}
