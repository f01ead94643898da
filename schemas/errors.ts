/** Trouble with schemas and keys. Bad bytes are a BadRecord instead. */

export type SchemaErrorCode =
  /** Text that is not an Avro schema we take. */
  | 'BAD_SCHEMA'
  /** A change that an old or a new reader could not follow. */
  | 'INCOMPATIBLE_SCHEMA'
  /** `prepare` was not run over this record. */
  | 'SCHEMA_NOT_LOADED'
  | 'KEY_NOT_LOADED'
  /** State written by a newer version of the service. */
  | 'STATE_TOO_NEW'
  | 'REGISTRY_FAILED'

/** Trouble with schemas or keys. `then` says whether trying again can help. */
export class SchemaError extends Error {
  readonly code: SchemaErrorCode
  readonly then: 'retry' | 'stop'
  constructor(code: SchemaErrorCode, message: string, then: 'retry' | 'stop' = 'stop', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SchemaError'
    this.code = code
    this.then = then
  }
}
