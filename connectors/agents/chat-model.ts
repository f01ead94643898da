/** What the agents need of a language model, and how often they ask: a failure is a value, never an error. */

import type { Json } from '../../schemas/index.ts'
import type { Clock } from '../../topology/index.ts'

export interface ChatMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

export interface ChatRequest {
  readonly system: string
  /** Not empty; the last is of the user. */
  readonly messages: readonly ChatMessage[]
  /** The answer is JSON of this shape. */
  readonly schema: { readonly name: string; readonly schema: { readonly [keyword: string]: Json } }
  readonly maxOutputTokens: number
  readonly tenantId: string
  /** From 1. */
  readonly attempt: number
  readonly signal: AbortSignal
}

export interface ChatOutcome {
  /** ok · retry · auth · quota · invalid: the last three are not tried again. */
  readonly class: 'ok' | 'retry' | 'auth' | 'quota' | 'invalid'
  readonly text: string
  /** The text read as JSON, when whoever asked the model has done that. */
  readonly json?: Json
  /** What the model asked us to wait, in ms, when it said so. */
  readonly retryAfterMs?: number
}

/** Asks once; does not throw for what the model or the network did. */
export interface ChatModel {
  complete(request: ChatRequest): Promise<ChatOutcome>
}

export interface Asking {
  readonly model: ChatModel
  readonly clock: Clock
  /** Times it is asked; the wait before the second, doubled for each later one, in ms. */
  readonly tries: number
  readonly retryMs: number
  /** The time is up: no further try, and one that runs is not waited for. */
  readonly deadline: AbortSignal
  /** The caller gave up. */
  readonly signal: AbortSignal
}

/**
 * Asks until `read` finds what it needs in the answer. Null when it never did.
 * @throws what the caller's signal was aborted with
 */
export async function ask<T>(
  asking: Asking,
  request: Omit<ChatRequest, 'attempt' | 'signal'>,
  read: (answer: Json) => T | null,
): Promise<T | null> {
  const { model, tries, deadline, signal } = asking
  const ended = AbortSignal.any([deadline, signal])
  for (let attempt = 1; attempt <= tries && !ended.aborted; attempt++) {
    const outcome = await orEnd(ended, model.complete({ ...request, attempt, signal: ended }))
    if (outcome === null) break
    const found = outcome.class === 'ok' ? read(outcome.json ?? parsed(outcome.text)) : null
    if (found !== null) return found
    if (outcome.class !== 'ok' && outcome.class !== 'retry') break
    if (attempt < tries) await pause(asking, ended, outcome.retryAfterMs ?? asking.retryMs * 2 ** (attempt - 1))
  }
  signal.throwIfAborted()
  return null
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return null
  }
}

/** Null when it ended first. */
function orEnd<T>(ended: AbortSignal, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => resolve(null)
    if (ended.aborted) end()
    ended.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => ended.removeEventListener('abort', end))
  })
}

async function pause({ clock }: Asking, ended: AbortSignal, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, resolve)
  await orEnd(ended, promise)
  cancel()
}
