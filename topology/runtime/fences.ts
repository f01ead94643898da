/** Whether another process runs under this one's id: two producers that fence each other again and again. */

import { EngineError } from '../errors.ts'
import { messageOf } from './trouble.ts'

/** So many fences of young transactions in so many ms mean that another process has the same id. */
const fencesMax = 5
const fencesWindowMs = 60_000

export class Fences {
  #at: number[] = []

  /** Notes a fence. True when there were too many to be requests of its own that came late. */
  add(now: number): boolean {
    this.#at = [...this.#at.filter((at) => at > now - fencesWindowMs), now]
    return this.#at.length >= fencesMax
  }
}

export const taskMigrated = (application: string, processId: string, error: unknown): EngineError =>
  new EngineError(
    'TASK_MIGRATED',
    `application "${application}": another process runs under the same id (${processId}): ${messageOf(error)}`,
    'stop',
    error,
  )
