/**
 * Who is logged in. The access token lives in memory. The refresh token is kept for the tabs of this browser, because each
 * works once: a tab takes it, and puts the next one there, while no other tab does.
 */

export interface Profile {
  readonly user_id: string
  readonly email: string
  readonly first_name: string
  readonly last_name: string
  readonly user_type: 'client' | 'agent'
  readonly role: string
  readonly organization: { readonly organization_id: string; readonly company_name: string }
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

const kept = 'lifecycle.refresh'
const base = '/api/v1'

let accessToken: string | null = null
let renewing: Promise<boolean> | null = null
const ended = new Set<(why: 'ended' | 'left') => void>()

/** The id of whoever is logged in; empty before. */
export const me = { id: '' }

export const token = (): string | null => accessToken

/** Calls when the session is over: `left` by a log-out, `ended` by anything else. */
export function onEnd(call: (why: 'ended' | 'left') => void): void {
  ended.add(call)
}

export function end(why: 'ended' | 'left'): void {
  accessToken = null
  localStorage.removeItem(kept)
  for (const call of ended) call(why)
}

/** @returns null, or why not, as a sentence */
export async function logIn(email: string, password: string): Promise<string | null> {
  const answer = await ask('/auth/login', { email, password })
  if (answer === null) return 'The platform does not answer. Check that it runs, then try again.'
  if (answer.ok) {
    take((await answer.json()) as Tokens)
    return null
  }
  const problem = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string }
  if (problem.code === 'wrong_credentials') return 'This e-mail address and password do not belong together.'
  return problem.detail ?? 'This did not work; try again.'
}

/** Goes on with what another page load left. */
export const resume = (): Promise<boolean> => (localStorage.getItem(kept) === null ? Promise.resolve(false) : renew())

/** A new access token. @returns false when the session is over, or nobody could be asked */
export function renew(): Promise<boolean> {
  renewing ??= navigator.locks.request(kept, exchange).finally(() => (renewing = null))
  return renewing
}

async function exchange(): Promise<boolean> {
  const refresh = localStorage.getItem(kept)
  if (refresh === null) return false
  const answer = await ask('/auth/refresh', { refresh_token: refresh })
  if (answer === null || answer.status === 409 || answer.status >= 500) return false
  if (!answer.ok) {
    localStorage.removeItem(kept)
    return false
  }
  take((await answer.json()) as Tokens)
  return true
}

export async function logOut(): Promise<void> {
  const headers = { authorization: `Bearer ${accessToken ?? ''}` }
  await fetch(`${base}/auth/logout`, { method: 'POST', headers }).catch(() => undefined)
  end('left')
}

function take(tokens: Tokens): void {
  accessToken = tokens.access_token
  localStorage.setItem(kept, tokens.refresh_token)
}

const ask = (path: string, body: unknown): Promise<Response | null> =>
  fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => null)

// Another tab logged out.
addEventListener('storage', ({ key, newValue }) => {
  if (key === kept && newValue === null && accessToken !== null) end('left')
})
