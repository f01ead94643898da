import { describe, expect, test } from 'vitest'
import { render, sendGridProvider, templates } from '../../../connectors/mail/index.ts'
import type { SandboxMail, Sandbox } from '../../../connectors/sandbox/index.ts'
import { call, failures, get, now, patience, sandbox } from '../sandbox/start.ts'

/** Codes of two tenants under one reference. */
const codes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'tenant-a auth.codes:1': { to: 'ada@acme.example', code: '123456', first_name: 'Ada', company_name: 'Acme' },
  'tenant-b auth.codes:1': { to: 'bob@globex.example', code: '654321', first_name: 'Bob', company_name: 'Globex' },
}

const provider = (
  to: Sandbox,
  resolve = (tenant: string, ref: string) => Promise.resolve(codes[`${tenant} ${ref}`] ?? null),
  timeoutMs = 10_000,
) =>
  sendGridProvider({
    baseUrl: to.baseUrls.sendgrid,
    apiKey: 'SG.1',
    from: { email: 'hello@lifecycle.example', name: 'Lifecycle' },
    mode: 'sandbox',
    timeoutMs,
    resolve,
    templates: {
      ...templates,
      greeting: { subject: 'Welcome to {company_name}', text: 'Hello {first_name}, welcome.' },
    },
    now: () => now,
  })

const verify = { template: 'verify_email', message_id: 'm1', data_ref: 'auth.codes:1', to: null, data: null }

test('sends the code its reference stands for, to the right tenant', async () => {
  const to = await sandbox()
  expect(await provider(to).call(call('send', verify))).toMatchObject({
    class: 'ok',
    status: 202,
    output: { provider_id: expect.stringMatching(/^.{22}$/) as unknown },
  })
  await provider(to).call(call('send', verify, { tenantId: 'tenant-b' }))
  const mails = await get<SandboxMail[]>(`${to.url}/sandbox/mail?to=ADA@acme.example`)
  expect(mails).toEqual([
    {
      to: 'ada@acme.example',
      subject: 'Your verification code',
      text: expect.stringContaining('123456') as unknown,
      sent_at: '2026-01-01T00:00:00.000Z',
    },
  ])
  expect(mails[0]?.text).not.toContain('654321')
  expect((await get<SandboxMail[]>(`${to.url}/sandbox/mail?to=bob@globex.example`))[0]?.text).toContain('654321')
})

test('the bytes are SendGrid’s, and our id travels along', async () => {
  const wire =
    '{"personalizations":[{"to":[{"email":"ada@acme.example"}],"custom_args":{"message_id":"m1"}}],"from":{"email":"hello@lifecycle.example","name":"Lifecycle"},"subject":"Your verification code","content":[{"type":"text/plain","value":"Hello,'
  const to = await sandbox({ provider: 'sendgrid', contains: wire, status: 418 })
  expect((await provider(to).call(call('send', verify))).status).toBe(418)
})

test('the address of the request comes first, and its data', async () => {
  const to = await sandbox()
  await provider(to).call(
    call('send', { ...verify, template: 'greeting', to: 'eve@acme.example', data: { first_name: 'Eve' } }),
  )
  expect((await get<SandboxMail[]>(`${to.url}/sandbox/mail?to=eve@acme.example`))[0]).toMatchObject({
    subject: 'Welcome to Acme',
    text: 'Hello Eve, welcome.',
  })
})

describe('nothing is sent when', () => {
  test.each([
    ['the reference stands for nothing any more', { ...verify, data_ref: 'auth.codes:gone' }],
    ['a value is missing', { ...verify, data_ref: null, to: 'ada@acme.example' }],
    ['there is no address', { ...verify, data_ref: null }],
    ['the template is not known', { ...verify, template: 'nonsense' }],
    ['the request is none', { hello: 'world' }],
  ])('%s', async (_, request) => {
    const to = await sandbox()
    expect(await provider(to).call(call('send', request))).toMatchObject({ class: 'invalid', status: 0, output: null })
    expect(await get(`${to.url}/sandbox/mail`)).toEqual([])
  })

  test('what it carries cannot be read now: tried again later', async () => {
    const to = await sandbox()
    const away = provider(to, () => Promise.reject(new Error('no database')))
    expect(await away.call(call('send', verify))).toMatchObject({ class: 'retry', status: 0 })
  })
})

describe('what goes wrong is an outcome', () => {
  test.each([...failures, ['a slow answer', { delay_ms: 2_000 }, { class: 'retry', status: 0 }] as const])(
    '%s',
    async (_, rule, expected) => {
      const to = await sandbox({ ...rule, times: 1 })
      const outcome = await provider(to, undefined, patience(rule)).call(call('send', verify))
      expect(outcome).toMatchObject({ ...expected, output: null })
      expect(JSON.stringify(outcome)).not.toContain('ada@')
      expect((await provider(to).call(call('send', verify))).class).toBe('ok')
    },
  )

  test('an account without credits is told from a wrong key', async () => {
    const body = '{"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}'
    const to = await sandbox({ status: 401, body })
    expect(await provider(to).call(call('send', verify))).toMatchObject({ class: 'quota', status: 401 })
  })
})

test('a value stays on its line', () => {
  const greeting = { subject: 'Hello {first_name}', text: 'Hello {first_name}!' }
  const rendered = render(greeting, { first_name: 'Ada\r\nBcc: eve@acme.example' })
  expect(rendered).toMatchObject({ kind: 'text', subject: 'Hello Ada Bcc: eve@acme.example' })
})
