/** HTTP against a server that may be killed at any moment: what can be asked again is asked again, until the time is up. */

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly json?: unknown
  readonly token?: string
  readonly idempotencyKey?: string
}

export type Client = (call: Call) => Promise<Answer>

/** The server did not answer in all the time there was. */
export class GaveUp extends Error {
  override readonly name = 'GaveUp'
}

export interface ClientOptions {
  readonly url: string
  /** When to give up, in ms since the epoch. */
  readonly deadlineAt: number
  readonly requestTimeoutMs?: number
  /** Told of each repetition and its reason. */
  readonly repeated?: (reason: string) => void
}

const longestWaitMs = 2_000

/**
 * Every call made with it must be safe to repeat: an answer can be lost after the server has done its work.
 * Repeats on lost connections, 429, 502, 503 and 504, as `Retry-After` says or in growing steps.
 *
 * @throws GaveUp after the deadline
 */
export function client(options: ClientOptions): Client {
  return async (call) => {
    for (let tries = 0; ; tries++) {
      const { answer, reason } = await once(options, call)
      if (answer !== null && !mayRepeat.has(answer.status)) return answer
      const waitMs = (retryAfterMs(answer) ?? Math.min(longestWaitMs, 50 * 2 ** tries)) * (0.75 + Math.random() / 2)
      if (Date.now() + waitMs > options.deadlineAt) throw new GaveUp(`${call.path}: ${reason}`)
      options.repeated?.(reason)
      await sleep(waitMs)
    }
  }
}

const mayRepeat = new Set([429, 502, 503, 504])

async function once(options: ClientOptions, call: Call): Promise<{ answer: Answer | null; reason: string }> {
  try {
    const response = await fetch(options.url + call.path, {
      method: call.method ?? 'GET',
      headers: {
        ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
        ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
      },
      ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
      signal: AbortSignal.timeout(options.requestTimeoutMs ?? 30_000),
    })
    const text = await response.text()
    const body: unknown = text === '' ? null : JSON.parse(text)
    return { answer: { status: response.status, headers: response.headers, body }, reason: `status ${response.status}` }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return { answer: null, reason: cause instanceof Error ? cause.message : String(cause) }
  }
}

function retryAfterMs(answer: Answer | null): number | null {
  const seconds = answer?.headers.get('retry-after') ?? ''
  return /^\d+$/.test(seconds) ? Math.max(50, Number(seconds) * 1000) : null
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
