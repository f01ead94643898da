/** The practice DocuSign beside its client: whom it lets in, and what a kill in the middle leaves. */

import { createSign, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agenda } from '../../../connectors/sandbox/agenda.ts'
import type { Delivery } from '../../../connectors/sandbox/deliveries.ts'
import type { Envelope } from '../../../connectors/sandbox/docusign-people.ts'
import { people } from '../../../connectors/sandbox/docusign-people.ts'
import type { StandInContext } from '../../../connectors/sandbox/exchange.ts'
import { Records } from '../../../connectors/sandbox/records.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'
import { now, sandbox } from './start.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

test('a token is given for an RS256 assertion to this host, of an hour at most, and nothing else', async () => {
  const { baseUrls } = await sandbox()
  const iat = now / 1000
  const good = {
    iss: 'key',
    sub: 'user',
    aud: new URL(baseUrls.docusign).host,
    iat,
    exp: iat + 3600,
    scope: 'signature',
  }
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const assertion = (claims: object, header: object = { alg: 'RS256' }): string => {
    const signed = `${part(header)}.${part(claims)}`
    return `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`
  }
  const ask = async (text: string, grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'): Promise<number> => {
    const body = new URLSearchParams({ grant_type: grant, assertion: text })
    return (await fetch(`${baseUrls.docusign}/oauth/token`, { method: 'POST', body })).status
  }
  expect(await ask(assertion(good))).toBe(200)
  const bad = [
    assertion({ ...good, aud: 'account.docusign.com' }),
    assertion({ ...good, exp: iat + 3601 }),
    assertion({ ...good, iat: iat - 7200, exp: iat - 3600 }),
    assertion({ ...good, scope: 'impersonation' }),
    assertion({ ...good, sub: undefined }),
    assertion(good, { alg: 'none' }),
    assertion(good).split('.').slice(0, 2).join('.'),
    `${assertion(good).split('.').slice(0, 2).join('.')}.c2hvcnQ`,
    '',
  ]
  for (const text of bad) expect(await ask(text)).toBe(400)
  expect(await ask(assertion(good), 'password')).toBe(400)
  const path = '/restapi/v2.1/accounts/a/envelopes/e1'
  for (const authorization of ['', 'Bearer x', `Bearer sandbox.${now - 1}.x`])
    expect((await fetch(baseUrls.docusign + path, { headers: { authorization } })).status).toBe(401)
})

test('what a kill cut off between telling and keeping is told again under the same id (DP1)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'people-'))
  const clock = new HandClock(now)
  const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
  const envelopes = new Records<Envelope>(join(directory, 'envelopes.ndjson'))
  onTestFinished(() => {
    agenda.close()
    envelopes.close()
    rmSync(directory, { recursive: true })
  })
  const sent: string[] = []
  const deliveries = { signer: () => undefined, send: ({ id }: Delivery) => void sent.push(id) }
  people({ agenda, deliveries, now: () => clock.now(), webhookSecret: 's' } as unknown as StandInContext, envelopes)
  const signer = { recipientId: '1', roleName: 'client', routingOrder: 1, name: 'Ada', email: 'ada@acme.example' }
  const delivered: Envelope = {
    ...{ envelopeId: 'e1', transactionId: 't1', createdAt: now, status: 'delivered', subject: '', custom: {} },
    ...{ told: 'signs', signers: [{ ...signer, status: 'delivered' }] },
  }
  agenda.start()
  for (let life = 1; life <= 2; life++) {
    envelopes.put('e1', delivered) // as it stood before the kill
    agenda.note({ id: `sign in life ${life}`, at: now, kind: 'docusign-signer', data: { envelopeId: 'e1' } })
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(envelopes.get('e1')?.status).toBe('completed')
  }
  expect(sent).toHaveLength(4)
  expect(new Set(sent).size).toBe(2)
})
