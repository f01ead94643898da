import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { isFreeMail } from '../../api/auth/email.ts'
import { acquire, holdingOf } from '../../examples/acquire/acquisition.ts'
import type { Acquired, Holding } from '../../examples/acquire/acquisition.ts'
import { applicants, reviewScript } from '../../examples/acquire/applicants.ts'
import { readArguments } from '../../examples/acquire/arguments.ts'
import { client, GaveUp } from '../../examples/acquire/http.ts'
import { progressLine } from '../../examples/acquire/progress.ts'
import { percentiles, report } from '../../examples/acquire/report.ts'
import type { Outcome } from '../../examples/acquire/report.ts'
import { companies } from '../../examples/companies.ts'

describe('companies', () => {
  test('are at least 100, each once', () => {
    expect(companies.length).toBeGreaterThanOrEqual(100)
    for (const field of ['name', 'domain'] as const) {
      expect(new Set(companies.map((company) => company[field].toLowerCase())).size).toBe(companies.length)
    }
  })

  test('have host names, none of them of a mail provider, and come from many places', () => {
    for (const { domain, country, industry, name } of companies) {
      expect(domain, name).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/)
      expect(isFreeMail(domain), name).toBe(false)
      expect(country, name).toMatch(/^[A-Z]{2}$/)
      expect(industry.length, name).toBeGreaterThan(3)
    }
    expect(new Set(companies.map(({ country }) => country)).size).toBeGreaterThan(25)
  })
})

describe('applicants', () => {
  test('exactly so many go to review, always the same ones, and every domain is there once', () => {
    const sizes = fc.record({
      count: fc.integer({ min: 1, max: 1200 }),
      review: fc.nat({ max: 1200 }),
      from: fc.integer({ min: 1, max: 9 }),
    })
    fc.assert(
      fc.property(sizes, ({ count, review, from }) => {
        const wanted = Math.min(review, count)
        const list = applicants(companies, from, count, wanted)
        expect(list).toHaveLength(count)
        expect(list.filter(({ toReview }) => toReview)).toHaveLength(wanted)
        expect(new Set(list.map(({ domain }) => domain)).size).toBe(count)
        expect(applicants(companies, from, count, wanted)).toEqual(list)
      }),
    )
  })

  test('copy 1 has the company’s own domain, copy n its own host below it', () => {
    const list = applicants(companies, 1, 201, 0)
    expect(list[0]?.email).toBe('ada@siemens.com')
    expect(list[100]?.email).toBe('ada@c2.siemens.com')
    expect(list[200]?.domain).toBe('c3.siemens.com')
  })

  test('the script names the domains of those that go to review, and is empty for none', () => {
    const [first, ...others] = reviewScript(applicants(companies, 1, 1000, 37))
    expect(first?.['companies']).toHaveLength(37)
    expect(others).toHaveLength(1)
    expect(reviewScript(applicants(companies, 1, 10, 0))).toEqual([])
  })
})

describe('arguments', () => {
  test('have defaults', () => {
    expect(readArguments([])).toMatchObject({ url: 'http://127.0.0.1:8080', copies: 1, review: 37, sequential: null })
    expect(readArguments(['--copies', '10', '--url', 'http://localhost:1/'])).toMatchObject({
      copies: 10,
      url: 'http://localhost:1',
    })
  })
  test.each([
    [['--copies', '0'], '--copies: 0 is given; wanted a whole number from 1'],
    [['--review', 'some'], '--review: some is given'],
    [['--url', 'ftp://x'], '--url: ftp://x is given'],
    [['--copis', '1'], "Unknown option '--copis'"],
  ])('%j is one line', (argv, line) => {
    const read = readArguments(argv)
    expect(read).toContain(line)
    expect(read).not.toContain('\n')
  })
})

describe('the report', () => {
  const applicant = applicants(companies, 1, 1, 0)[0]!
  const acquired: Acquired = {
    applicant,
    organizationId: 'o',
    token: 't',
    status: 'completed',
    visibleMs: 10,
    competitors: 3,
    hasCompanyInfo: true,
  }
  const done: Holding = { sessions: ['completed'], openReviews: 0, reviews: 0 }
  const waiting: Holding = { sessions: ['started'], openReviews: 1, reviews: 1 }
  const outcome = (changes: Partial<Outcome>): Outcome => ({
    email: 'ada@a.test',
    toReview: false,
    acquired,
    holding: done,
    trouble: null,
    ...changes,
  })
  const inReview = outcome({ toReview: true, acquired: { ...acquired, status: 'in_review' }, holding: waiting })

  test('everything as it had to come', () => {
    const result = report([outcome({}), outcome({}), inReview], 2)
    expect(result).toMatchObject({
      companies: 3,
      researched: 2,
      in_review: 1,
      lost: 0,
      twice: 0,
      per_second: 1.5,
      as_expected: true,
    })
  })

  test.each<[string, Partial<Outcome>, 'lost' | 'twice' | 'failed' | 'in_review']>([
    ['gave up', { acquired: null, holding: null, trouble: 'time' }, 'lost'],
    ['no session', { holding: { ...done, sessions: [] } }, 'lost'],
    ['two sessions', { holding: { ...done, sessions: ['completed', 'completed'] } }, 'twice'],
    ['completed and still in review', { holding: { ...done, openReviews: 1, reviews: 1 } }, 'twice'],
    ['two reviews', { toReview: true, holding: { ...waiting, reviews: 2 } }, 'twice'],
    ['failed', { holding: { ...done, sessions: ['failed'] } }, 'failed'],
    ['too few competitors', { acquired: { ...acquired, competitors: 2 } }, 'failed'],
    ['nothing about the company', { acquired: { ...acquired, hasCompanyInfo: false } }, 'failed'],
    [
      'in review against expectation',
      { acquired: { ...acquired, status: 'in_review' }, holding: waiting },
      'in_review',
    ],
  ])('%s is not as expected', (_, changes, verdict) => {
    const result = report([outcome({}), outcome(changes)], 1)
    expect(result[verdict]).toBe(1)
    expect(result.as_expected).toBe(false)
    expect(result.troubles).toHaveLength(1)
  })

  test('a review that did not come is not as expected', () => {
    expect(report([outcome({ toReview: true })], 1).as_expected).toBe(false)
  })

  test('percentiles are values that occurred, in order', () => {
    expect(percentiles(Array.from({ length: 100 }, (_, index) => index + 1))).toEqual({
      p50: 50,
      p95: 95,
      p99: 99,
      max: 100,
    })
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1 }), (values) => {
        const { p50, p95, p99, max } = percentiles(values)
        for (const value of [p50, p95, p99, max]) expect(values).toContain(value)
        expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].sort((a, b) => a - b))
        expect(values.filter((value) => value <= p50).length * 2).toBeGreaterThanOrEqual(values.length)
      }),
    )
  })

  test('the progress line', () => {
    const counts = { signed_up: 9, verified: 8, researched: 5, in_review: 1, failed: 0, ended: 0 }
    expect(progressLine(12, counts, 7, 3.4)).toBe(
      '[############............] 6/12 · 8 verified · 5 researched · 1 in review · lag 7 · 3 s',
    )
    expect(progressLine(12, counts, null, 0)).toContain('no answer')
  })
})

describe('a company’s way, against a server that loses answers', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.closeAllConnections()
  })

  /** Two tenants; does its work, then answers only every second time: by a reset, by 503, by 429. */
  async function flaky(): Promise<string> {
    const users = new Map<string, { password: string; polls: number }>()
    let calls = 0
    const work = (method: string, path: string, json: Record<string, string>): [number, unknown] => {
      const organization = path.split('/')[4] ?? ''
      const user = users.get(json['email'] ?? '')
      if (path === '/api/v1/auth/signup') {
        if (user === undefined) users.set(json['email'] ?? '', { password: json['password'] ?? '', polls: 0 })
        return [201, { user_id: 'u', message: '' }]
      }
      if (path.startsWith('/sandbox/mail')) {
        const to = new URLSearchParams(path.split('?')[1]).get('to') ?? ''
        return [
          200,
          users.has(to)
            ? [
                { to, text: 'Your code is 000111.' },
                { to, text: 'Your code is 123456.' },
              ]
            : [],
        ]
      }
      if (path === '/api/v1/auth/verify-email')
        return json['code'] === '123456' ? [200, { organization_id: json['email'] }] : [400, {}]
      if (path === '/api/v1/auth/login')
        return user?.password === json['password'] ? [200, { access_token: json['email'] }] : [401, {}]
      if (path.endsWith('/results')) {
        const found = users.get(organization)
        if (found === undefined || found.polls++ < 2)
          return found === undefined ? [404, {}] : [200, { status: 'running' }]
        return [200, { status: 'completed', competitors: [1, 2, 3], company_info: { employees: {} } }]
      }
      if (path.endsWith('/sessions')) return [200, { items: [{ status: 'completed' }] }]
      return path.startsWith('/api/v1/reviews')
        ? [200, { items: [{ subject_type: 'saga', status: 'open' }] }]
        : [404, {}]
    }
    const handler = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      const answer = work(
        request.method ?? '',
        request.url ?? '',
        text === '' ? {} : (JSON.parse(text) as Record<string, string>),
      )
      calls += 1
      if (calls % 2 === 0) return void response.writeHead(answer[0]).end(JSON.stringify(answer[1]))
      if (calls % 3 === 0) return void response.destroy()
      response.writeHead(calls % 5 === 0 ? 429 : 503, { 'retry-after': '0' }).end('{}')
    }
    const server = createServer((request, response) => void handler(request, response))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('every company arrives once', async () => {
    const reasons: string[] = []
    const deadlineAt = Date.now() + 20_000
    const ask = client({ url: await flaky(), deadlineAt, repeated: (reason) => reasons.push(reason) })
    const list = applicants(companies, 1, 4, 0)
    const all = await Promise.all(
      list.map((applicant) => acquire(applicant, { client: ask, password: 'p', deadlineAt, pollMs: 5 })),
    )
    expect(all.map(({ organizationId }) => organizationId)).toEqual(list.map(({ email }) => email))
    expect(all.every(({ status, competitors }) => status === 'completed' && competitors === 3)).toBe(true)
    expect(await holdingOf(all[0]!, ask)).toEqual({ sessions: ['completed'], openReviews: 0, reviews: 0 })
    expect(new Set(reasons).size).toBeGreaterThan(1)
  })

  test('a server that is gone is given up on after the deadline', async () => {
    const ask = client({ url: 'http://127.0.0.1:1', deadlineAt: Date.now() + 200 })
    await expect(ask({ path: '/health' })).rejects.toThrow(GaveUp)
  })
})
