/**
 * Where an account is: DocuSign keeps accounts on several servers (www, na2 … na4, eu, ca, au), and one refuses calls for an
 * account of another. Whoever holds a token is told: https://www.docusign.com/blog/developers/the-trenches-who-are-you
 */

import { z } from 'zod'
import type { CallOutcome } from '../effects/port.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'

export interface AddressSettings {
  /** Null: asked for once. */
  readonly baseUrl: string | null
  readonly authUrl: string
  readonly accountId: string
  readonly timeoutMs: number
  readonly now: () => number
}

/** The account's `base_uri`, without a slash at its end, or why it is not known. */
export type AccountAddress = (token: string, signal: AbortSignal) => Promise<string | CallOutcome>

const answer = z.object({
  accounts: z.array(z.object({ account_id: z.string(), base_uri: z.string().regex(/^https?:\/\/[^/]+/) })),
})

export function accountAddress(settings: AddressSettings): AccountAddress {
  const { authUrl, accountId, timeoutMs, now } = settings
  let known = settings.baseUrl
  return async (token, signal) => {
    if (known !== null) return known
    const http = await httpCall({
      method: 'GET',
      url: `${authUrl}/oauth/userinfo`,
      headers: { authorization: `Bearer ${token}` },
      timeoutMs,
      maxBytes: 256 * 1024,
      signal,
    })
    const read = http.kind === 'answer' && http.status === 200 ? answer.safeParse(parseJson(http.body)) : null
    if (read?.success !== true)
      return failedOutcome('docusign', http, now(), { words: 'did not say where the account is' })
    const account = read.data.accounts.find(({ account_id }) => account_id.toLowerCase() === accountId.toLowerCase())
    // A token is not sent in the clear to where it was not asked for in the clear.
    if (account === undefined || new URL(account.base_uri).protocol !== new URL(authUrl).protocol)
      return { class: 'auth', status: 200, output: null, error: 'docusign knows no such account of this user' }
    known = account.base_uri.replace(/\/+$/, '')
    return known
  }
}
