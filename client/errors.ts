/** Why an event was not sent. */

export type ClientErrorCode =
  /** It is no event that may be sent; `field` says where. */
  | 'INVALID_EVENT'
  /** It is one, and not by this way; the message names the other. */
  | 'NOT_ALLOWED'
  /** Its number is not above the one sent before for its entity. */
  | 'BAD_SEQUENCE'
  /** An event before it, of its entity and with a sequence, failed with `retry`: send that again first; this was not sent. */
  | 'EARLIER_FAILED'
  /** Too much waits already; nothing was sent. */
  | 'QUEUE_FULL'
  /** It gave way to something more important; nothing was sent. */
  | 'DROPPED'
  /** Its time was over before it was sent, or each attempt was certainly without effect. */
  | 'TIMEOUT'
  /** It may or may not be written. Sent again with the same id or sequence it is written once. */
  | 'OUTCOME_UNKNOWN'
  /** The other side will not have it; sending it again changes nothing. */
  | 'REFUSED'
  /** The credential is missing, wrong, or may not do this. */
  | 'UNAUTHORIZED'
  /** Another process has opened this producer: this one sends nothing any more. */
  | 'FENCED'
  | 'CLOSED'

export interface ClientErrorOptions {
  /** Of the event: `payload.contact_id`. */
  readonly field?: string | undefined
  readonly cause?: unknown
}

/** `then` says whether sending the same event again can help. */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  readonly then: 'retry' | 'stop'
  readonly field: string | undefined
  constructor(code: ClientErrorCode, message: string, then: 'retry' | 'stop', options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ClientError'
    this.code = code
    this.then = then
    this.field = options.field
  }
}
