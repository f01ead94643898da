/** Rows that no answer depends on any more. Run now and then, by any process. */

import type { IdentityContext } from './context.ts'

/** A used code repeats its answer this long after it ran out, in ms. */
const codeKeptMs = 24 * 60 * 60_000

/** An invitation that ran out, or ended, is shown or kept this long, in ms. */
const invitationKeptMs = 30 * 24 * 60 * 60_000

/** Longer than the longest span of a quota, in ms. */
const usageKeptMs = 2 * 24 * 60 * 60_000

export async function sweep({ pool, clock, settings }: IdentityContext): Promise<void> {
  const now = clock.now()
  const longestWindowMs = Math.max(settings.loginWindowMs, settings.codesWindowMs)
  await pool.query('delete from auth.attempts where at <= $1', [new Date(now - longestWindowMs)])
  await pool.query('delete from auth.lockouts where until <= $1', [new Date(now - settings.loginWindowMs)])
  await pool.query('delete from auth.codes where expires_at <= $1', [new Date(now - codeKeptMs)])
  await pool.query('delete from auth.invitations where expires_at <= $1', [new Date(now - invitationKeptMs)])
  await pool.query('delete from auth.api_key_usage where window_start <= $1', [new Date(now - usageKeptMs)])
  await pool.query('delete from auth.refresh_tokens where expires_at <= $1', [new Date(now)])
  // A session's last access token may outlive its refresh token when limits say so.
  const sessionEndedMs = Math.max(0, settings.accessTokenMs - settings.refreshTokenMs) + settings.clockToleranceMs
  await pool.query('delete from auth.sessions where expires_at <= $1', [new Date(now - sessionEndedMs)])
}
