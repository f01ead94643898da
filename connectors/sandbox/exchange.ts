/** A request as the stand-ins see it, and what they answer. */

import { createHash } from 'node:crypto'
import type { Agenda } from './agenda.ts'
import type { Deliveries } from './deliveries.ts'
import type { SandboxProvider, SandboxRule, Script } from './script.ts'

export interface Asked {
  readonly method: string
  /** Below the provider's base URL. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  /** The body's bytes. */
  readonly raw: Buffer
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** One provider's stand-in: it names a call, answers it, and spells its errors. */
export interface StandIn {
  readonly name: SandboxProvider
  /** What the call is and whom it concerns; null for a path the provider does not have. */
  recognise(asked: Asked): { readonly operation: string; readonly companies: readonly string[] } | null
  /** @param rule what a script says about this call beside the answer's form */
  answer(
    operation: string,
    asked: Asked,
    told: SandboxRule['answer'],
    rule: SandboxRule | null,
  ): Answer | Promise<Answer>
  error(status: number): string
  close?(): void
}

/** What a stand-in is opened with. */
export interface StandInContext {
  /** A place of its own in here: `<directory>/<provider>-….ndjson`. */
  readonly directory: string
  /** Business time in ms. */
  readonly now: () => number
  /** Real time in ms, for what is signed. */
  readonly realNow: () => number
  /** Of the platform's endpoints named `sandbox`. */
  readonly webhookSecret: string
  readonly agenda: Agenda
  readonly deliveries: Deliveries
  readonly script: Script
}

export const jsonAnswer = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
})

export const hasBearer = (asked: Asked): boolean => /^Bearer \S+$/.test(String(asked.headers['authorization'] ?? ''))

/** A short id that depends on the text alone. */
export const idOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22)

export const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

export const textField = (value: unknown, name: string): string | null => {
  const found = field(value, name)
  return typeof found === 'string' && found !== '' ? found : null
}
