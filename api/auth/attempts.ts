/**
 * What an address has tried lately, over a sliding window. Addresses are hashed, and unknown ones are counted like known
 * ones, so that a refusal says nothing about who exists.
 */

import type { Queryable } from '../../connectors/postgres/index.ts'
import { ApiProblem } from '../http/problem.ts'

export type AttemptKind = 'login_failed' | 'code_sent' | 'reset_sent' | 'invitation_sent'

export interface Window {
  readonly kind: AttemptKind
  readonly emailHash: string
  readonly limit: number
  readonly windowMs: number
}

/** Serialises decisions about one address until the transaction ends, so that no parallel guess escapes the count. */
export async function lockAddress(client: Queryable, { kind, emailHash }: Window): Promise<void> {
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${kind}:${emailHash}`])
}

export interface Tried {
  readonly count: number
  /** When the oldest attempt that stands in the way leaves the window, in ms; null while another attempt is allowed. */
  readonly refusedUntil: number | null
}

export async function tried(client: Queryable, window: Window, now: number): Promise<Tried> {
  const { rows } = await client.query<{ at: Date }>(
    'select at from auth.attempts where email_hash = $1 and kind = $2 and at > $3 order by at desc limit $4',
    [window.emailHash, window.kind, new Date(now - window.windowMs), window.limit],
  )
  const oldest = rows[window.limit - 1]
  return { count: rows.length, refusedUntil: oldest === undefined ? null : oldest.at.getTime() + window.windowMs }
}

export async function note(client: Queryable, { kind, emailHash }: Window, now: number): Promise<void> {
  await client.query('insert into auth.attempts (kind, email_hash, at) values ($1, $2, $3)', [
    kind,
    emailHash,
    new Date(now),
  ])
}

export async function forget(client: Queryable, { kind, emailHash }: Window): Promise<void> {
  await client.query('delete from auth.attempts where email_hash = $1 and kind = $2', [emailHash, kind])
}

export function tooMany(until: number, now: number, detail: string): ApiProblem {
  const seconds = Math.max(1, Math.ceil((until - now) / 1000))
  return new ApiProblem(429, 'too_many_attempts', detail, { headers: { 'Retry-After': String(seconds) } })
}
