/** Identity in the whole product: mails through topics and sandbox, rows through sinks, a changed token secret over a restart. */

import { mkdtempSync, chmodSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../deploy/config.ts'
import type { Platform } from '../../deploy/platform.ts'
import { startPlatform } from '../../deploy/platform.ts'
import { call as ask } from '../api/http/world.ts'

const directory = mkdtempSync(join(tmpdir(), 'identity-'))
chmodSync(directory, 0o755)
const dataDir = join(directory, 'data')
const notices: string[] = []
let platform: Platform

async function start(more: Record<string, string> = {}): Promise<void> {
  const result = readConfig({ DATA_DIR: dataDir, PORT: '0', RATE_LIMIT_PER_MINUTE: '0', LOG_LEVEL: 'error', ...more })
  if ('errors' in result) throw new Error(result.errors.join('\n'))
  platform = await startPlatform({
    config: result.config,
    version: 'test',
    notice: (line) => notices.push(line),
    failed: (error) => notices.push(error.message),
  })
}

beforeAll(() => start(), 120_000)
afterAll(async () => {
  await platform.close()
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

const password = 'correct horse'
const call = (method: string, path: string, token?: string, body?: unknown) =>
  ask(`${platform.url}/api/v1${path}`, {
    method,
    ...(token === undefined ? {} : { token }),
    ...(body === undefined ? {} : { body }),
  })

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${what} did not come; ${notices.join(' | ')}`)
}

interface Mail {
  readonly subject: string
  readonly text: string
}
/** The newest mail to an address under a subject. */
const mailTo = (to: string, subject: string): Promise<string> =>
  until(`“${subject}” to ${to}`, async () => {
    const { body } = await ask(`${platform.url}/sandbox/mail?to=${encodeURIComponent(to)}`)
    return (body as Mail[]).findLast((mail) => mail.subject === subject)?.text ?? null
  })
const digits = (text: string): string => /\b\d{6}\b/.exec(text)![0]

async function verify(email: string): Promise<number> {
  const names = { first_name: 'Ada', last_name: 'Byron', company_name: 'Acme' }
  expect((await call('POST', '/auth/signup', undefined, { email, password, ...names })).status).toBe(201)
  const code = digits(await mailTo(email, 'Your verification code'))
  return (await call('POST', '/auth/verify-email', undefined, { email, code })).status
}
async function login(email: string, secret = password): Promise<string> {
  const { status, body } = await call('POST', '/auth/login', undefined, { email, password: secret })
  expect(status).toBe(200)
  return String(body.access_token)
}
const emailsOf = async (token: string): Promise<string[]> =>
  ((await call('GET', '/members', token)).body.members as { email: string }[]).map(({ email }) => email)

test('two organizations, their people and programs, through every part of the product', async () => {
  expect([await verify('ada@acme.example'), await verify('eve@globex.example')]).toEqual([200, 200])
  const [ada, eve] = [await login('ada@acme.example'), await login('eve@globex.example')]

  // A colleague by invitation.
  await call('POST', '/invitations', ada, { email: 'bob@partner.example', role: 'admin' })
  const invitation = await mailTo('bob@partner.example', 'You are invited to join acme.example')
  const code = /([A-Z2-9]{5}-){3}[A-Z2-9]{5}/.exec(invitation)![0]
  const names = { first_name: 'Bob', last_name: 'Cole' }
  const accepted = await call('POST', '/auth/invitations/accept', undefined, { code, password, ...names })
  expect(accepted.status).toBe(200)

  // Another by the host of their address.
  expect(await verify('cid@acme.example')).toBe(409)
  expect(await mailTo('ada@acme.example', 'cid@acme.example asks to join your organization')).toContain('acme.example')
  const [asked] = (await call('GET', '/join-requests', ada)).body.join_requests as { id: string }[]
  expect((await call('POST', `/join-requests/${asked!.id}/decision`, ada, { decision: 'approve' })).status).toBe(200)
  await mailTo('cid@acme.example', 'You are in')

  // A forgotten password.
  const old = await login('cid@acme.example')
  await call('POST', '/auth/password/forgot', undefined, { email: 'cid@acme.example' })
  const reset = digits(await mailTo('cid@acme.example', 'Choose a new password'))
  const next = { email: 'cid@acme.example', code: reset, password: 'another good one' }
  expect((await call('POST', '/auth/password/reset', undefined, next)).status).toBe(200)
  expect((await call('GET', '/profile', old)).status).toBe(401)
  const cid = await login('cid@acme.example', 'another good one')

  expect(await emailsOf(ada)).toEqual(['ada@acme.example', 'bob@partner.example', 'cid@acme.example'])
  expect(await emailsOf(eve)).toEqual(['eve@globex.example'])

  // A program that reads, for its own organization and within its quota.
  const key = String((await call('POST', '/api-keys', ada, { name: 'reader', scopes: ['read'] })).body.key)
  const own = await until('the organization', async () => {
    const { status, body, headers } = await call('GET', '/organizations', key)
    expect([status, headers.get('ratelimit-limit')]).toEqual([200, '60000'])
    return (body.items as { domain: string }[]).length > 0 ? (body.items as { domain: string }[]) : null
  })
  expect(own.map(({ domain }) => domain)).toEqual(['acme.example'])
  expect((await call('POST', '/events', key, {})).body.code).toBe('insufficient_scope')

  // Somebody leaves, and what was decided stands in the audit log of their organization alone.
  const { body } = await call('GET', '/profile', cid)
  const removed = await call('DELETE', `/members/${String(body.user_id)}`, ada)
  expect(removed.status).toBe(204)
  expect((await call('GET', '/profile', cid)).status).toBe(401)
  const position = String(removed.headers.get('position'))
  const audit = await call('GET', `/audit-logs?limit=100&min_position=${position}`, ada)
  const rows = audit.body.items as { event_type: string; actor_id: string; user_id: string; ip_hash: string | null }[]
  const of = (type: string) => rows.filter(({ event_type }) => event_type === type)
  for (const type of [
    'member_invited',
    'invitation_accepted',
    'join_requested',
    'join_approved',
    'password_changed',
    'api_key_created',
    'member_removed',
    'token_revoked',
  ])
    // prettier-ignore
    expect([type, of(type).length > 0]).toEqual([type, true])
  const me = (await call('GET', '/profile', ada)).body
  expect(of('member_removed')).toMatchObject([{ user_id: body.user_id, actor_id: me.user_id }])
  expect(rows.filter(({ ip_hash }) => !/^[0-9a-f]{32}$/.test(ip_hash ?? ''))).toEqual([])
  expect(JSON.stringify(rows)).not.toMatch(/bob@partner|cid@acme|another good one/)
  const theirs = (await call('GET', '/audit-logs?limit=100', eve)).body.items as { event_type: string }[]
  expect(theirs.some(({ event_type }) => event_type.startsWith('member_invited'))).toBe(false)
}, 120_000)

test('row 32: JWT_SECRET is changed over a restart: tokens that are out stay good until the old one is dropped', async () => {
  const before = await login('ada@acme.example')
  const { jwt } = JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8')) as { jwt: string }
  const next = 'the secret that comes after, long enough'
  await platform.close()
  await start({ JWT_SECRET: next, JWT_SECRETS_PREVIOUS: jwt })
  const after = await login('ada@acme.example')
  for (const token of [before, after]) expect((await call('GET', '/profile', token)).status).toBe(200)
  await platform.close()
  await start({ JWT_SECRET: next })
  const statuses = [before, after].map(async (token) => (await call('GET', '/profile', token)).status)
  expect(await Promise.all(statuses)).toEqual([401, 200])
}, 120_000)
