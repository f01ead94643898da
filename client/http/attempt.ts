/** One `POST /api/v1/events`, and what its answer means for the events in it. */

import { ClientError } from '../errors.ts'

export interface EventRequest {
  /** How many events are in it. */
  readonly count: number
  readonly body: string
  readonly idempotencyKey: string
}

export interface AttemptOptions {
  readonly url: string
  readonly credential: string
  readonly fetch: typeof globalThis.fetch
  /** By the clock in ms: a date in Retry-After is told against it. */
  readonly now: () => number
  /** Ends the attempt. */
  readonly signal: AbortSignal
}

export interface WrittenEvent {
  readonly event_id: string
  readonly position: string
}

export type Answer =
  | { readonly kind: 'written'; readonly events: readonly WrittenEvent[] }
  /** Worth another attempt. `isUnknown`: this one may have had its effect. */
  | {
      readonly kind: 'again'
      readonly why: string
      readonly afterMs: number
      readonly status: number
      readonly isUnknown: boolean
    }
  /** Without effect, and so would every further attempt be. `index`: the event that is to blame. */
  | { readonly kind: 'refused'; readonly status: number; readonly error: ClientError; readonly index: number | null }

/** Answers that say that nothing was written. */
const withoutEffect = new Set(['log_unavailable', 'overloaded', 'too_many_requests'])
const worthAnother = new Set([408, 425, 429, 500, 502, 503, 504])

export async function attempt(request: EventRequest, options: AttemptOptions): Promise<Answer> {
  let response: Response
  let text: string
  try {
    response = await options.fetch(options.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${options.credential}`,
        'content-type': 'application/json',
        'idempotency-key': request.idempotencyKey,
      },
      body: request.body,
      redirect: 'manual',
      signal: options.signal,
    })
    text = await response.text()
  } catch (error) {
    return { kind: 'again', why: reasonOf(error), afterMs: 0, status: 0, isUnknown: !isUnsent(error) }
  }
  const body = parsed(text)
  if (response.status === 202) {
    const { events } = body as { readonly events?: readonly WrittenEvent[] }
    if (Array.isArray(events) && events.length === request.count) return { kind: 'written', events }
  }
  return judged(response, body, options.now())
}

function judged({ status, headers }: Response, body: Readonly<Record<string, unknown>>, nowMs: number): Answer {
  const code = typeof body.code === 'string' ? body.code : ''
  const detail = typeof body.detail === 'string' ? body.detail : ''
  const why = `${status} ${code === '' ? 'without a reason' : code}${detail === '' ? '' : `: ${detail}`}`
  if (worthAnother.has(status) || status === 202) {
    const afterMs = retryAfterMs(headers.get('retry-after'), nowMs)
    return { kind: 'again', why, afterMs, status, isUnknown: !withoutEffect.has(code) && status !== 429 }
  }
  const [field] = Array.isArray(body.errors) ? (body.errors as readonly { readonly field?: string }[]) : []
  const isCredential = status === 401 || status === 403
  const error = new ClientError(isCredential ? 'UNAUTHORIZED' : 'REFUSED', `The platform refuses it: ${why}`, 'stop', {
    field: field?.field,
  })
  return { kind: 'refused', status, error, index: typeof body.index === 'number' ? body.index : null }
}

/** Seconds, or a date. */
export function retryAfterMs(text: string | null, nowMs: number): number {
  if (text === null) return 0
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs)
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** fetch says why in the cause of its error. */
const causeOf = (error: unknown): { readonly code?: string; readonly message?: string } =>
  ((error as { readonly cause?: unknown }).cause ?? error) as { readonly code?: string; readonly message?: string }

/** No connection was made, so nothing was sent over it. */
const isUnsent = (error: unknown): boolean =>
  ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'].includes(
    causeOf(error).code ?? '',
  )

function reasonOf(error: unknown): string {
  const { code, message } = causeOf(error)
  return code ?? message ?? String(error)
}
