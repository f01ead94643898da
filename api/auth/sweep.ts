/** Rows that no answer depends on any more. Run now and then, by any process. */

import type { IdentityContext } from './context.ts'

/** A used code repeats its answer this long after it ran out, in ms. */
const codeKeptMs = 24 * 60 * 60_000

export async function sweep({ pool, clock, settings }: IdentityContext): Promise<void> {
  const now = clock.now()
  const longestWindowMs = Math.max(settings.loginWindowMs, settings.codesWindowMs)
  await pool.query('delete from auth.attempts where at <= $1', [new Date(now - longestWindowMs)])
  await pool.query('delete from auth.lockouts where until <= $1', [new Date(now - settings.loginWindowMs)])
  await pool.query('delete from auth.codes where expires_at <= $1', [new Date(now - codeKeptMs)])
  await pool.query('delete from auth.refresh_tokens where expires_at <= $1', [new Date(now)])
  // A session's last access token may outlive its refresh token when limits say so.
  const sessionEndedMs = Math.max(0, settings.accessTokenMs - settings.refreshTokenMs) + settings.clockToleranceMs
  await pool.query('delete from auth.sessions where expires_at <= $1', [new Date(now - sessionEndedMs)])
}
