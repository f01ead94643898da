/**
 * Three kinds of failure, never mixed. A bug is an AssertionError: the worker stops. Trouble carries a stable code and
 * says what helps. Bad data is a BadRecord: the record goes to the dead-letter topic with its reason and work goes on.
 */

export type EngineErrorCode =
  | 'INVALID_TOPOLOGY'
  | 'MISSING_TOPIC'
  | 'PARTITIONS_CHANGED'
  | 'TASK_MIGRATED'
  | 'TASK_CORRUPTED'
  | 'POISON_RATE'
  | 'SET_ASIDE_FULL'
  | 'PREPARE_FAILED'
  | 'CLOSED'

/** Trouble in the engine. */
export class EngineError extends Error {
  readonly code: EngineErrorCode
  readonly then: 'retry' | 'restore' | 'stop'
  constructor(code: EngineErrorCode, message: string, then: 'retry' | 'restore' | 'stop', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EngineError'
    this.code = code
    this.then = then
  }
}

/** A record that cannot be used. `reason` is a stable word such as `bad_frame`, `bad_length`, `step_failed`. */
export class BadRecord extends Error {
  readonly reason: string
  constructor(reason: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BadRecord'
    this.reason = reason
  }
}
