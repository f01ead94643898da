/** What the library needs of a vendor, and what its failures mean. */

import type { CallClass } from '../effects/port.ts'
import { classOfStatus, failedOutcome, parseJson } from '../http/index.ts'
import type { LlmRequest, LlmUsage, Vendor } from './port.ts'

export interface VendorSettings {
  /** As the vendor's SDK takes it, without a slash at its end. */
  readonly baseUrl: string
  readonly apiKey: string
  readonly model: string
  /** Of one call. */
  readonly timeoutMs: number
}

export interface VendorOptions extends VendorSettings {
  /** How much the model thinks before it writes; the vendor's own default when null. */
  readonly effort: 'low' | 'medium' | 'high' | null
  /** A longer answer is cut off and refused. */
  readonly maxBytes: number
  readonly now: () => number
}

export interface VendorAnswer {
  readonly kind: 'answer'
  readonly text: string
  /** `arguments` as JSON text. */
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[]
  readonly stop: 'end' | 'tools' | 'length'
  readonly usage: LlmUsage
  readonly model: string
}

export interface VendorEmbedding {
  readonly kind: 'embedding'
  readonly vectors: readonly Float32Array[]
  readonly usage: LlmUsage
  readonly model: string
}

export interface VendorFailure {
  readonly kind: 'failure'
  readonly class: Exclude<CallClass, 'ok'>
  readonly status: number
  readonly error: string
  readonly retryAfterMs?: number
  /** Told in spite of the failure. */
  readonly usage?: LlmUsage
  /** The vendor may have done, and counted, what was asked: it gave no whole answer. */
  readonly maybePaid: boolean
  /** The caller gave up. */
  readonly ended: boolean
}

export interface VendorClient {
  readonly name: Vendor
  readonly model: string
  ask(request: LlmRequest): Promise<VendorAnswer | VendorFailure>
  embed?(request: {
    readonly model: string
    readonly dimensions?: number
    readonly texts: readonly string[]
    readonly signal: AbortSignal
  }): Promise<VendorEmbedding | VendorFailure>
}

/** The part of both SDKs' errors that is looked at. */
export interface SdkError {
  readonly status: number | undefined
  readonly headers: Headers | undefined
}

export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

/** A `fetch` for an SDK: bounded in bytes, and redirects are not followed, so that a key is never sent on. */
export function boundedFetch(maxBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' })
    if (response.body === null) return response
    let bytes = 0
    const bound = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > maxBytes) controller.error(new TooLarge())
        else controller.enqueue(chunk)
      },
    })
    const { status, statusText, headers } = response
    return new Response(response.body.pipeThrough(bound), { status, statusText, headers })
  }
}

/** One exchange through an SDK: the body as JSON, or what went wrong. */
export async function exchange(
  vendor: Vendor,
  options: Pick<VendorOptions, 'timeoutMs' | 'now'>,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<Response>,
  judge: {
    isSdkError(thrown: unknown): SdkError | null
    quota(thrown: unknown): boolean
    code(thrown: unknown): unknown
  },
): Promise<{ readonly kind: 'body'; readonly body: unknown } | VendorFailure> {
  // The SDKs' own timers end with the headers; this one covers the body too.
  const timeout = AbortSignal.timeout(options.timeoutMs)
  let status = 0
  try {
    const response = await send(AbortSignal.any([signal, timeout]))
    status = response.status
    const body = parseJson(await response.text())
    return body === undefined ? unreadable(vendor, status) : { kind: 'body', body }
  } catch (thrown) {
    const error = judge.isSdkError(thrown)
    if (error === null && status === 0) throw thrown // ours, not the vendor's
    if (error?.status !== undefined && error.headers !== undefined)
      return answered(vendor, error.status, error.headers, options.now(), {
        quota: judge.quota(thrown),
        code: judge.code(thrown),
      })
    const reason = signal.aborted
      ? 'ended'
      : timeout.aborted
        ? 'timeout'
        : causes(thrown).some((cause) => cause instanceof TooLarge)
          ? 'too_large'
          : 'network'
    const outcome = failedOutcome(vendor, { kind: 'failure', reason, status }, options.now())
    return failure(outcome.class, status, outcome.error, {
      maybePaid: status !== 0 || reason === 'timeout' || reason === 'ended',
      ended: reason === 'ended',
    })
  }
}

function answered(
  vendor: Vendor,
  status: number,
  headers: Headers,
  nowMs: number,
  told: { readonly quota: boolean; readonly code: unknown },
): VendorFailure {
  const outcome = failedOutcome(vendor, { kind: 'answer', status, headers, body: '' }, nowMs, {
    named: told.quota ? 'quota' : classOfStatus(status),
    code: told.code,
  })
  const inMs = /^\d{1,8}$/.exec(headers.get('retry-after-ms') ?? '')?.[0]
  const retryAfterMs = inMs === undefined ? outcome.retryAfterMs : Number(inMs)
  return failure(outcome.class, status, outcome.error, retryAfterMs === undefined ? {} : { retryAfterMs })
}

export const unreadable = (vendor: Vendor, status: number): VendorFailure =>
  failure('retry', status, `${vendor} gave an answer that cannot be read`, { maybePaid: true })

export function failure(
  of: CallClass,
  status: number,
  error: string | undefined,
  more: Partial<Pick<VendorFailure, 'retryAfterMs' | 'usage' | 'maybePaid' | 'ended'>> = {},
): VendorFailure {
  const named = of === 'ok' ? 'retry' : of
  return { kind: 'failure', class: named, status, error: error ?? '', maybePaid: false, ended: false, ...more }
}

function causes(thrown: unknown): unknown[] {
  const found: unknown[] = []
  for (let at = thrown; at !== undefined && at !== null && found.length < 8; at = (at as { cause?: unknown }).cause)
    found.push(at)
  return found
}
