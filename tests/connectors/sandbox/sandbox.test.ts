import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { perplexityProvider, webScraperProvider } from '../../../connectors/research/index.ts'
import type { LoggedCall, Sandbox, SandboxMail } from '../../../connectors/sandbox/index.ts'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import { Journal } from '../../../connectors/sandbox/journal.ts'
import type { Claim, ResearchAnswer } from '../../../processors/research/answer.ts'
import { researchFields } from '../../../processors/research/answer.ts'
import { judge } from '../../../processors/research/confidence.ts'
import { researchDefaults } from '../../../processors/research/settings.ts'
import type { Json } from '../../../schemas/index.ts'
import { acme, call, get, sandbox, stillClock } from './start.ts'

const settings = { apiKey: 'k', mode: 'sandbox', timeoutMs: 10_000, rate: null } as const
const answers = (to: Sandbox, request: Json = acme) =>
  perplexityProvider({ ...settings, baseUrl: to.baseUrls.perplexity }).call(call('answer', request))
const searches = (to: Sandbox, request: Json = acme) =>
  perplexityProvider({ ...settings, baseUrl: to.baseUrls.perplexity }).call(call('search', request))
const scrapes = (to: Sandbox, request: Json = acme) =>
  webScraperProvider({ ...settings, baseUrl: to.baseUrls.webscraper, pollMs: 10 }).call(call('scrape', request))

const mail = (to: string) => ({
  method: 'POST',
  headers: { authorization: 'Bearer SG', 'content-type': 'application/json' },
  body: JSON.stringify({
    personalizations: [{ to: [{ email: to }] }],
    from: { email: 'x@y.example' },
    subject: 'Hi',
    content: [{ type: 'text/plain', value: `to ${to}` }],
  }),
})

const company = (name: string, domain: string | null, industry: string | null): Json => ({
  company_name: name,
  domain,
  industry,
  fields: [...researchFields],
})

/** Confidence per field, of what these answers say together. */
function confidences(domain: string | null, outputs: readonly Json[]): readonly (readonly [string, number])[] {
  const evidence = outputs.flatMap((output) => {
    const { claims, searched } = output as unknown as ResearchAnswer
    return claims.map((claim: Claim) => ({ ...claim, searched, provider: 'perplexity' }))
  })
  return researchFields.map((field) => {
    const judged = judge(researchDefaults, { domain }, field, evidence)
    return [field, judged[field === 'competitor' ? 2 : 0]?.confidence ?? 0] as const
  })
}

describe('answers', () => {
  test('follow from the request alone, in any sandbox', async () => {
    expect((await answers(await sandbox())).output).toEqual((await answers(await sandbox())).output)
  })

  test.each([
    ['Stripe', 'stripe.com', 'Payments'],
    ['Maersk', 'c7.maersk.com', 'Shipping'],
    ['Nobody knows', null, null],
    ['Łódź Śledź', 'xn--d-uga0v8h.pl', 'Food'],
    ['Workloom', 'workloom.example', 'Software'],
  ])('are sure enough of %s for no second question', async (name, domain, industry) => {
    const { output } = await answers(await sandbox(), company(name, domain, industry))
    for (const [field, confidence] of confidences(domain, [output]))
      expect([field, confidence >= 0.7]).toEqual([field, true])
  })

  test('differ by company and fit the industry', async () => {
    const to = await sandbox()
    const outputs = await Promise.all([
      answers(to, company('Stripe', 'stripe.com', 'Payments')),
      answers(to, company('Adyen', 'adyen.com', 'Payments')),
      answers(to, company('Maersk', 'maersk.com', 'Shipping')),
    ])
    expect(new Set(outputs.map(({ output }) => JSON.stringify(output))).size).toBe(3)
  })

  test('the script can send exactly the chosen companies to review', async () => {
    const to = await sandbox()
    await fetch(`${to.url}/sandbox/script`, {
      method: 'POST',
      body: JSON.stringify([{ companies: ['c2.acme.example'], answer: 'low_confidence' }]),
    })
    for (const domain of ['acme.example', 'c1.acme.example', 'c2.acme.example']) {
      const asked = company('Acme', domain, 'Logistics')
      const outputs = [
        (await answers(to, asked)).output,
        (await searches(to, asked)).output,
        (await scrapes(to, asked)).output,
      ]
      const doubtful = confidences(domain, outputs).every(([, confidence]) => confidence < 0.6)
      expect([domain, doubtful]).toEqual([domain, domain === 'c2.acme.example'])
    }
  })
})

describe('what it keeps', () => {
  async function place(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'sandbox-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    return directory
  }
  const start = (directory: string) => startSandbox({ directory, clock: stillClock })

  test('mails, calls, jobs and the script outlive a restart, a line cut short does not', async () => {
    const directory = await place()
    const before = await start(directory)
    await fetch(`${before.baseUrls.sendgrid}/v3/mail/send`, mail('ada@acme.example'))
    await scrapes(before)
    await fetch(`${before.url}/sandbox/script`, {
      method: 'POST',
      body: JSON.stringify([{ provider: 'perplexity', status: 500, times: 2 }]),
    })
    await answers(before)
    await before.close()
    await appendFile(join(directory, 'mail.ndjson'), '{"to":"half')

    const after = await start(directory)
    onTestFinished(() => after.close())
    await fetch(`${after.baseUrls.sendgrid}/v3/mail/send`, mail('ada@acme.example'))
    expect(await get<SandboxMail[]>(`${after.url}/sandbox/mail?to=ada@acme.example`)).toHaveLength(2)
    expect(await get(`${after.url}/sandbox/script`)).toEqual({
      rules: [{ provider: 'perplexity', status: 500, times: 1 }],
    })
    await scrapes(after)
    const made = await get<{ total: number }>(`${after.url}/sandbox/calls?provider=webscraper&operation=create_job`)
    expect(made.total).toBe(1)
    expect((await answers(after)).status).toBe(500)
    expect((await answers(after)).class).toBe('ok')
    const { total, calls } = await get<{ total: number; calls: LoggedCall[] }>(
      `${after.url}/sandbox/calls?provider=perplexity`,
    )
    expect(total).toBe(3)
    expect(calls.map(({ status }) => status)).toEqual([500, 500, 200])
    expect(calls[0]).toMatchObject({
      operation: 'answer',
      companies: ['acme.example', 'Acme'],
      at: '2026-01-01T00:00:00.000Z',
    })
  })

  test('a journal is bounded: the oldest half goes, places of it read as nothing', async () => {
    const path = join(await place(), 'bounded.ndjson')
    const places: Parameters<Journal<{ n: number }>['read']>[0][] = []
    const journal = new Journal<{ n: number }>({ path, maxBytes: 40, known: (_, place) => void places.push(place) })
    for (let n = 10; n < 20; n++) journal.append({ n })
    expect(places.map((at) => journal.read(at)?.n ?? null)).toEqual(
      [null, null, null, null, null, null, null, null, 18, 19].map((n, i) =>
        i === 4 || i === 5 || i === 6 || i === 7 ? 10 + i : n,
      ),
    )
    journal.close()
    const kept: number[] = []
    new Journal<{ n: number }>({ path, maxBytes: 40, known: ({ n }) => void kept.push(n) }).close()
    expect(kept).toEqual([14, 15, 16, 17, 18, 19])
  })
})

describe('its doors', () => {
  test('say in one line what is wrong with a script, and keep the old one', async () => {
    const to = await sandbox({ status: 500 })
    for (const body of ['nonsense', '[{"statsu":500}]', '{"rules":[{"status":"high"}]}']) {
      const response = await fetch(`${to.url}/sandbox/script`, { method: 'PUT', body })
      expect(response.status).toBe(400)
      expect(((await response.json()) as { detail: string }).detail).toMatch(/^the script is not valid: [^\n]+$/)
    }
    expect(await get(`${to.url}/sandbox/script`)).toEqual({ rules: [{ status: 500 }] })
  })

  test.each([
    ['GET', '/sandbox/nowhere', 404],
    ['GET', '/sandbox/calls?provider=nobody', 400],
    ['GET', '/sandbox/mail?limit=-1', 400],
    ['GET', '/elsewhere', 404],
    ['POST', '/perplexity/chat/completions', 404],
  ])('%s %s: %i', async (method, path, status) => {
    expect((await fetch((await sandbox()).url + path, { method })).status).toBe(status)
  })

  test.each([
    ['a name that is not this machine', { host: 'evil.example' }],
    ['a proxy on this machine', { 'x-forwarded-for': '203.0.113.7' }],
  ])('are closed to %s', async (_, headers) => {
    const to = await sandbox()
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(`${to.url}/sandbox/mail`, { headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on('error', reject).end()
    })
    expect(status).toBe(403)
  })
})
