/**
 * One HTTP exchange with a provider, bounded in bytes and time. It never throws: whatever the network or the provider
 * did is a value, and retries are the effect worker's. Redirects are not followed, so that a key is never sent on.
 */

import type { CallClass, CallOutcome } from '../effects/port.ts'

export { fromLoopback } from './loopback.ts'

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as application/x-www-form-urlencoded, instead of `json`. */
  readonly form?: Readonly<Record<string, string>>
  /** latin1 keeps every byte of a body that is no text, one character each. */
  readonly encoding?: 'utf8' | 'latin1'
  readonly timeoutMs: number
  /** A longer answer is cut off and refused. */
  readonly maxBytes: number
  readonly signal: AbortSignal
}

export type HttpAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly headers: Headers; readonly body: string }
  | { readonly kind: 'failure'; readonly reason: HttpFailure; readonly status: number }

/** timeout: no whole answer in time · ended: the caller gave up · network: refused, reset, cut short · too_large. */
export type HttpFailure = 'timeout' | 'ended' | 'network' | 'too_large'

export async function httpCall(call: HttpCall): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(call.timeoutMs)
  let status = 0
  try {
    const response = await fetch(call.url, {
      method: call.method,
      redirect: 'manual',
      signal: AbortSignal.any([call.signal, timeout]),
      headers: {
        accept: 'application/json',
        ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...call.headers,
      },
      ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
      ...(call.form === undefined ? {} : { body: new URLSearchParams(call.form) }),
    })
    status = response.status
    const body = await boundedText(response, call.maxBytes, call.encoding ?? 'utf8')
    if (body === null) return { kind: 'failure', reason: 'too_large', status }
    return { kind: 'answer', status, headers: response.headers, body }
  } catch {
    const reason = call.signal.aborted ? 'ended' : timeout.aborted ? 'timeout' : 'network'
    return { kind: 'failure', reason, status }
  }
}

async function boundedText(response: Response, maxBytes: number, encoding: 'utf8' | 'latin1'): Promise<string | null> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return null // leaving the loop cancels the stream and closes the connection
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes).toString(encoding)
}

/** The JSON of a body, or undefined: a provider behind a broken proxy answers HTML with status 200. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

export function classOfStatus(status: number): CallClass {
  if (status >= 200 && status < 300) return 'ok'
  if (status === 401 || status === 403) return 'auth'
  if (status === 402) return 'quota'
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) return 'retry'
  return 'invalid'
}

const longestRetryAfterMs = 24 * 60 * 60 * 1000

/**
 * `retry-after` in ms: seconds or an HTTP date (RFC 9110 10.2.3). A date is measured against the answer's own `date`
 * where there is one, so that our clock and theirs need not agree. Undefined when absent or not understood.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  if (/^\d+(\.\d+)?$/.test(value)) return bounded(Math.ceil(Number(value) * 1000))
  const then = /^[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(then)) return undefined
  const theirNow = Date.parse(headers.get('date') ?? '')
  return bounded(then - (Number.isNaN(theirNow) ? nowMs : theirNow))
}

const bounded = (ms: number): number => Math.min(Math.max(0, ms), longestRetryAfterMs)

const failureClass: Readonly<Record<HttpFailure, CallClass>> = {
  timeout: 'retry',
  ended: 'retry',
  network: 'retry',
  too_large: 'invalid',
}

const failureWords: Readonly<Record<HttpFailure, string>> = {
  timeout: 'gave no whole answer in time',
  ended: 'was left before it answered',
  network: 'could not be reached or broke off its answer',
  too_large: 'answered more bytes than are accepted',
}

/**
 * The outcome of an exchange that is not a success. `named` overrides the class that the status alone gives; `code` is
 * the provider's own word for the error, kept only when it is a plain identifier (a message may repeat what we sent).
 */
export function failedOutcome(
  provider: string,
  answer: HttpAnswer,
  nowMs: number,
  told: { readonly named?: CallClass; readonly code?: unknown; readonly words?: string } = {},
): CallOutcome {
  if (answer.kind === 'failure') {
    const error = `${provider} ${failureWords[answer.reason]}`
    return { class: failureClass[answer.reason], status: answer.status, output: null, error }
  }
  const wait = retryAfterMs(answer.headers, nowMs)
  const code = typeof told.code === 'string' && /^[a-z0-9_.-]{1,64}$/i.test(told.code) ? ` (${told.code})` : ''
  const ownClass = classOfStatus(answer.status)
  return {
    class: told.named ?? (ownClass === 'ok' ? 'retry' : ownClass),
    status: answer.status,
    output: null,
    error:
      told.words === undefined ? `${provider} answered ${answer.status}${code}` : `${provider} ${told.words}${code}`,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  }
}
