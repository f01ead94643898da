/** What becomes of an async operator's answers: each one a step of its task, emitted, called again or dead-lettered. */

import type { Clock } from '../clock.ts'
import type { AsyncNode, LoadContext, NodeContext } from '../graph/nodes.ts'
import type { RecordOrigin, StreamRecord } from '../graph/record.ts'
import type { AfterAnswer, AsyncOperator } from './async-operator.ts'
import type { Call } from './call.ts'
import type { Reason } from './dead-letters.ts'
import { reasonOf } from './dead-letters.ts'
import type { Poison } from './poison.ts'
import type { TaskStep } from './task-step.ts'
import { isBadData, isPassing } from './trouble.ts'

/** When a call that failed for a passing reason is made again, in ms. */
const callAgainMs = 1000

export interface AnswersOptions {
  readonly operator: AsyncOperator
  readonly step: TaskStep
  readonly poison: Poison
  /** Forwards what an answer became. */
  readonly output: NodeContext['forward']
  readonly counters: { answers: number }
  readonly time: Clock
}

export class Answers {
  readonly #options: AnswersOptions
  readonly #context: NodeContext

  constructor(options: AnswersOptions) {
    this.#options = options
    this.#context = contextOf(options.operator.node, options.step, options.output)
  }

  /** Emits those that came. */
  emit(): void {
    this.#options.operator.drain((record, origin, call, then) => this.#emit(record, origin, call, then))
  }

  #emit(record: StreamRecord, origin: RecordOrigin, call: Call, then: AfterAnswer): void {
    const { operator, step, counters } = this.#options
    const result = call.result
    if (!result.ok && isPassing(result.error)) {
      this.#callAgain(record, origin, then)
      return
    }
    step.enter(origin, record.timestamp, null)
    try {
      step.run(() => {
        if (!result.ok) throw result.error
        operator.node.operator.answered(record, result.answer, this.#context)
        then.close()
      })
      counters.answers++
    } catch (error) {
      if (result.ok && !isBadData(error)) throw error
      this.#bury(record, origin, reasonOf(error), then)
    } finally {
      step.leave()
    }
  }

  /** One that is too large to wait for another call is a dead letter. */
  #callAgain(record: StreamRecord, origin: RecordOrigin, then: AfterAnswer): void {
    const { step, time } = this.#options
    try {
      step.run(() => then.again(time.now() + callAgainMs))
    } catch (error) {
      if (!isBadData(error)) throw error
      this.#bury(record, origin, reasonOf(error), then)
    }
  }

  #bury(record: StreamRecord, origin: RecordOrigin, why: Reason, then: AfterAnswer): void {
    const { operator } = this.#options.operator.node
    const key = serialized(record.key, (of) => operator.key.serialize(of, null))
    const value = serialized(record.value, (of) => operator.value.serialize(of, key))
    const stored = { ...origin, timestamp: record.timestamp, key, value, headers: record.headers }
    this.#options.poison.buryAlone(stored, why, () => then.close())
  }
}

/** What `load` sees: the declared stores, to read. */
export function loadContext(node: AsyncNode, step: TaskStep): LoadContext {
  return {
    taskPartition: step.partition,
    store(name) {
      checkDeclared(node, name)
      const store = step.store(name)
      return { name, get: (key) => store.get(key), range: (options) => store.range(options) }
    },
  }
}

function checkDeclared(node: AsyncNode, store: string): void {
  if (!node.stores.includes(store)) throw new Error(`async operator "${node.name}" does not declare store "${store}"`)
}

/** What `answered` sees: the step, with the declared stores and without timers. */
function contextOf(node: AsyncNode, step: TaskStep, forward: NodeContext['forward']): NodeContext {
  return {
    taskPartition: step.partition,
    get timestamp() {
      return step.timestamp
    },
    get rawKey() {
      return step.rawKey
    },
    get streamTime() {
      return step.streamTime
    },
    now: () => step.now(),
    origin: () => step.origin(),
    forward,
    store: (name) => {
      checkDeclared(node, name)
      return step.store(name)
    },
    windowStore: (name) => {
      throw new Error(`an async operator has no window store "${name}"`)
    },
    dropLate: () => step.dropLate(),
    timer: () => {
      throw new Error('an async operator has no timers')
    },
  }
}

/** Null also for what cannot be written: a dead letter without it still says where the record is. */
function serialized(of: unknown, serialize: (of: unknown) => Buffer | null): Buffer | null {
  if (of === null) return null
  try {
    return serialize(of)
  } catch {
    return null
  }
}
