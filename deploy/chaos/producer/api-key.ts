/** A company of its own in a platform that runs on sandboxes, and an API key of it: as README's first five minutes do it. */

import { setTimeout as sleep } from 'node:timers/promises'

export interface KeyHolder {
  readonly key: string
  readonly tenantId: string
  readonly organizationId: string
}

type Body = Readonly<Record<string, unknown>>

/** How long a mail may take, in ms. */
const mailMs = 60_000

/** @throws Error with one line */
export async function signUpForKey(url: string, email: string, company: string): Promise<KeyHolder> {
  const password = 'correct horse battery'
  await post(url, '/auth/signup', { email, password, company_name: company, first_name: 'Ada', last_name: 'Byron' })
  await post(url, '/auth/verify-email', { email, code: await codeFor(url, email) })
  const { access_token: token } = await post(url, '/auth/login', { email, password })
  const { key } = await post(url, '/api-keys', { name: 'producer' }, String(token))
  const { organization } = await ask(`${url}/api/v1/profile`, { headers: { authorization: `Bearer ${String(token)}` } })
  const { organization_id, tenant_id } = organization as { organization_id: string; tenant_id: string }
  return { key: String(key), tenantId: tenant_id, organizationId: organization_id }
}

async function codeFor(url: string, email: string): Promise<string> {
  for (const until = Date.now() + mailMs; Date.now() < until; await sleep(100)) {
    const mails = await ask(`${url}/sandbox/mail?to=${encodeURIComponent(email)}`, {})
    const code = /\b\d{6}\b/.exec(JSON.stringify(mails))?.[0]
    if (code !== undefined) return code
  }
  throw new Error(`no code was mailed to ${email}`)
}

function post(url: string, path: string, json: object, token?: string): Promise<Body> {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return ask(`${url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(json) })
}

async function ask(url: string, init: RequestInit): Promise<Body> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(30_000) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 200)}`)
  return JSON.parse(text) as Body
}
