/**
 * What an error of the payment service means for the step: a declined card is a definite answer (class ok, `declined`), a
 * call that is still in flight or limited is tried again, a key that was used for something else never is.
 */

import Stripe from 'stripe'
import type { Json } from '../../schemas/index.ts'
import type { CallOutcome } from '../effects/port.ts'
import { classOfStatus, retryAfterMs } from '../http/index.ts'

/** A call that ends here: carried up as a value of this type. */
export class CallEnds extends Error {
  override readonly name = 'CallEnds'
  readonly outcome: CallOutcome
  constructor(outcome: CallOutcome) {
    super(outcome.error)
    this.outcome = outcome
  }
}

export const done = (output: Json, status = 200): CallOutcome => ({ class: 'ok', status, output, costMicrodollars: 0 })

export const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

/** @param nowMs for a `retry-after` that is a date */
export function outcomeOfError(error: unknown, nowMs: number): CallOutcome {
  if (error instanceof CallEnds) return error.outcome
  if (!(error instanceof Stripe.errors.StripeError)) return broken('could not be reached or broke off its answer')
  if (error instanceof Stripe.errors.StripeConnectionError)
    return broken('could not be reached or gave no answer in time')
  // Without a status it was no answer of the service: a page of something that stands before it.
  if (error.statusCode === undefined) return broken('answered something that is not its own')
  const status = error.statusCode
  if (error instanceof Stripe.errors.StripeCardError)
    return done({ declined: plainWord(error.decline_code) ?? plainWord(error.code) ?? 'card_declined' }, status)
  const own = classOfStatus(status)
  const idempotency = error.rawType === 'idempotency_error' && status !== 409
  const wait = retryAfterMs(new Headers(error.headers), nowMs)
  const word = plainWord(error.code) ?? plainWord(error.rawType)
  return {
    class: idempotency ? 'invalid' : own === 'ok' || own === 'quota' ? 'invalid' : own,
    status,
    output: null,
    error: `stripe answered ${status}${word === null ? '' : ` (${word})`}`,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  }
}

const broken = (what: string): CallOutcome => ({ class: 'retry', status: 0, output: null, error: `stripe ${what}` })

/** A code is kept when it is a plain identifier; a message may repeat what was sent. */
const plainWord = (code: unknown): string | null =>
  typeof code === 'string' && /^[a-z0-9_.-]{1,64}$/i.test(code) ? code : null

/** Whether the service says that there is no such thing (any more), or that it cannot be done to it as it is. */
export const isRefused = (error: unknown): boolean =>
  error instanceof Stripe.errors.StripeInvalidRequestError && (error.statusCode === 400 || error.statusCode === 404)

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Stripe.errors.StripeError && error.code === code

/**
 * Whether usage is refused because it was reported already. The code is documented and does not come: what comes is
 * `An event already exists with identifier …` alone.
 */
export const isRepeatedReport = (error: unknown): boolean =>
  hasCode(error, 'duplicate_meter_event') ||
  (error instanceof Stripe.errors.StripeInvalidRequestError &&
    /event already exists with identifier/i.test(error.message))
