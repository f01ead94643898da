/**
 * The six digits that prove a mailbox, one of each purpose per user. Invariants:
 * V1 A code counts five wrong entries at most, also when they come at once: its row is locked while it is judged.
 * V2 A wrong or late code leaves nothing but an attempt count.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { Window } from './attempts.ts'
import { sameCode, sixDigits } from './codes.ts'
import type { IdentityContext } from './context.ts'
import { uuid } from './digest.ts'

export type CodePurpose = 'verify_email' | 'reset_password'

/** What may be said of a code outside: where it stands, and until when it is good. */
export interface IssuedCode {
  readonly codeRef: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Puts a new code in place of the user's old one of this purpose. */
export async function issueUserCode(
  context: IdentityContext,
  client: PoolClient,
  user: { readonly user_id: string; readonly email: string },
  purpose: CodePurpose,
): Promise<IssuedCode> {
  const { random, settings, clock } = context
  const codeRef = newCodeRef(context)
  const expiresAt = clock.now() + settings.codeMs
  await client.query(
    `insert into auth.codes (user_id, purpose, code_ref, sealed, recipient, expires_at) values ($1, $2, $3, $4, $5, $6)
     on conflict (user_id, purpose) do update set code_ref = excluded.code_ref, sealed = excluded.sealed,
       recipient = excluded.recipient, expires_at = excluded.expires_at, wrong_tries = 0, used_at = null`,
    [user.user_id, purpose, codeRef, context.codes.seal(codeRef, sixDigits(random)), user.email, new Date(expiresAt)],
  )
  return { codeRef, expiresAt }
}

export const newCodeRef = ({ random }: IdentityContext): string => `auth.codes:${uuid(random)}`

interface CodeRow {
  readonly code_ref: string
  readonly sealed: Buffer
  readonly expires_at: Date
  readonly wrong_tries: number
  readonly used_at: Date | null
}

/** V1, V2. A code that was used fits again, so that a verification whose answer was lost can be repeated. */
export async function codeFits(
  context: IdentityContext,
  client: PoolClient,
  userId: string,
  purpose: CodePurpose,
  given: string,
): Promise<boolean> {
  const of = [userId, purpose]
  const { rows } = await client.query<CodeRow>(
    'select * from auth.codes where user_id = $1 and purpose = $2 for update',
    of,
  )
  const row = rows[0]
  const now = context.clock.now()
  if (row === undefined || row.wrong_tries >= context.settings.codeTries) return false
  const inTime = row.used_at !== null || now < row.expires_at.getTime()
  if (inTime && sameCode(given, context.codes.open(row.code_ref, row.sealed))) {
    await client.query(
      'update auth.codes set used_at = coalesce(used_at, $3) where user_id = $1 and purpose = $2',
      of.concat(new Date(now).toISOString()),
    )
    return true
  }
  await client.query('update auth.codes set wrong_tries = wrong_tries + 1 where user_id = $1 and purpose = $2', of)
  return false
}

/** The code is no good any more, used or not. */
export async function dropUserCode(client: PoolClient, userId: string, purpose: CodePurpose): Promise<void> {
  await client.query('delete from auth.codes where user_id = $1 and purpose = $2', [userId, purpose])
}

/** Mails with a code that may go to one address, each kind counted for itself. */
export const mailWindow = (
  { emailHash, settings }: IdentityContext,
  kind: 'code_sent' | 'reset_sent' | 'invitation_sent',
  address: string,
): Window => ({
  kind,
  emailHash: emailHash(address),
  limit: settings.codesPerWindow,
  windowMs: settings.codesWindowMs,
})
