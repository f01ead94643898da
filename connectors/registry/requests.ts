/**
 * What a registry's answers mean, and how often a question is asked again.
 *
 * CR1 "There is no such thing" is only what the registry says in its own words, a 404 with its error code. A 404 of anything
 *     between, or of a wrong path, is trouble.
 * CR2 Trouble is asked again, a bounded number of times within a bounded time. A refusal is not.
 */

import { z } from 'zod'
import { SchemaError } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { RegistryAnswer, RegistryQuestion } from './connection.ts'
import type { RegistryConnection } from './connection.ts'

/** A registry's no, which asking again does not change. */
export class RegistryRefused extends Error {
  readonly status: number
  /** The registry's own error code; null when it gave none. */
  readonly code: number | null
  constructor(status: number, code: number | null, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RegistryRefused'
    this.status = status
    this.code = code
  }
}

export interface RetryBounds {
  readonly attempts: number
  /** Before the second attempt; doubled before each later one. */
  readonly pauseMs: number
  /** No attempt begins later than this after the first. */
  readonly withinMs: number
}

export const usualBounds: RetryBounds = { attempts: 6, pauseMs: 100, withinMs: 20_000 }

type Outcome<T> =
  | { readonly kind: 'answer'; readonly body: T }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly error: RegistryRefused }
  | { readonly kind: 'trouble'; readonly words: string; readonly waitMs: number; readonly cause?: unknown }

const errorBody = z.object({ error_code: z.number(), message: z.string().catch('') })

export class RegistryRequests {
  readonly #connection: RegistryConnection
  readonly #clock: Clock
  readonly #bounds: RetryBounds

  constructor(connection: RegistryConnection, clock: Clock, bounds: RetryBounds) {
    this.#connection = connection
    this.#clock = clock
    this.#bounds = bounds
  }

  /** For a person's eyes. */
  get name(): string {
    return `the schema registry at ${this.#connection.name}`
  }

  /**
   * @returns null when there is no such thing (CR1)
   * @throws RegistryRefused; SchemaError REGISTRY_FAILED with one line when trouble does not end (CR2)
   */
  async ask<T>(question: RegistryQuestion, shape: z.ZodType<T>): Promise<T | null> {
    const { attempts, pauseMs, withinMs } = this.#bounds
    const endAt = this.#clock.now() + withinMs
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(question, shape)
      if (outcome.kind === 'answer') return outcome.body
      if (outcome.kind === 'absent') return null
      if (outcome.kind === 'refused') throw outcome.error
      const waitMs = Math.max(outcome.waitMs, pauseMs * 2 ** (attempt - 1))
      if (attempt >= attempts || this.#clock.now() + waitMs > endAt)
        throw new SchemaError('REGISTRY_FAILED', `${this.name} ${outcome.words}`, 'retry', outcome.cause)
      await new Promise<void>((resolve) => void this.#clock.after(waitMs, resolve))
    }
  }

  async #once<T>(question: RegistryQuestion, shape: z.ZodType<T>): Promise<Outcome<T>> {
    try {
      return this.#outcomeOf(question, await this.#connection.ask(question), shape)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (isDistrust(code)) {
        const words = `${this.name} shows a certificate that is not trusted (${code})`
        return { kind: 'refused', error: new RegistryRefused(0, null, words, error) }
      }
      const words =
        code === 'TIMEOUT' ? 'gives no whole answer in time' : `cannot be reached (${code || String(error)})`
      return { kind: 'trouble', words, waitMs: 0, cause: error }
    }
  }

  #outcomeOf<T>(question: RegistryQuestion, answer: RegistryAnswer, shape: z.ZodType<T>): Outcome<T> {
    const { status, body } = answer
    const json = parsed(body)
    if (status >= 200 && status < 300) {
      const good = shape.safeParse(json)
      return good.success ? { kind: 'answer', body: good.data } : this.#strange(question, answer)
    }
    const own = errorBody.safeParse(json)
    const code = own.success ? own.data.error_code : null
    if (status === 404) return code !== null && isAbsence(code) ? { kind: 'absent' } : this.#strange(question, answer)
    const said = own.success && own.data.message !== '' ? `: ${oneLine(own.data.message)}` : ''
    // Apicurio answers so to two who do the same at one moment; an incompatible schema has a code of its own.
    const isClash = status === 409 && code !== 409
    if (isClash || status === 408 || status === 429 || status >= 500)
      return { kind: 'trouble', words: `answers ${status}${said}`, waitMs: secondsMs(answer.retryAfter) }
    return { kind: 'refused', error: new RegistryRefused(status, code, `${this.name} answers ${status}${said}`) }
  }

  #strange<T>({ method, path }: RegistryQuestion, { status, type }: RegistryAnswer): Outcome<T> {
    const words = `answers ${method} ${path} as no registry does (${status}, ${type === '' ? 'no content type' : type}): is this the root of its API?`
    return { kind: 'trouble', words, waitMs: 0 }
  }
}

/** 40401 to 40499: no such subject, version, schema, level. The 404 of a path that is not served has no such code. */
const isAbsence = (code: number): boolean => code > 40_400 && code < 40_500

/** What TLS says of a certificate. */
const isDistrust = (code: string): boolean =>
  /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)

/** A wait in whole seconds; a date is not looked at. */
const secondsMs = (text: string): number => (/^\d{1,4}$/.test(text) ? Number(text) * 1000 : 0)

/** A stranger's words on one line of ours. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, ' ').trim()
  return line.length > 500 ? `${line.slice(0, 500)}…` : line
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
