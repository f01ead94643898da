/**
 * One company's way from sign-up to researched client, as its first user sees it. Every step can be repeated: after a
 * lost answer, a restarted server or an interrupted run it goes on where it was.
 */

import type { Applicant } from './applicants.ts'
import type { Answer, Client } from './http.ts'
import { sleep } from './http.ts'

export type Stage = 'signed_up' | 'verified' | 'researched' | 'in_review' | 'failed' | 'ended'

export interface Acquired {
  readonly applicant: Applicant
  readonly organizationId: string
  readonly token: string
  readonly status: 'completed' | 'in_review' | 'failed'
  /** From the answer to the right code until the results (or the review) were read, in ms; logging in included. */
  readonly visibleMs: number
  readonly competitors: number
  readonly hasCompanyInfo: boolean
}

/** The server said no to something that should have worked. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

export interface AcquireOptions {
  readonly client: Client
  readonly password: string
  readonly deadlineAt: number
  /** Between two looks at something that is not there yet, in ms. */
  readonly pollMs: number
  /** Told of each stage as it is reached. */
  readonly reached?: (stage: Stage) => void
}

export async function acquire(applicant: Applicant, options: AcquireOptions): Promise<Acquired> {
  await signUp(applicant, options)
  options.reached?.('signed_up')
  const organizationId = await verify(applicant, options)
  const verifiedAt = performance.now()
  options.reached?.('verified')
  const token = await logIn(applicant, options)
  const results = await researched(organizationId, token, options)
  const visibleMs = performance.now() - verifiedAt
  options.reached?.(results.status === 'completed' ? 'researched' : results.status)
  return { applicant, organizationId, token, visibleMs, ...results }
}

async function signUp({ email, domain, company }: Applicant, { client, password }: AcquireOptions): Promise<void> {
  const json = {
    email,
    password,
    company_name: company.name,
    first_name: 'Ada',
    last_name: 'Byron',
    domain,
    industry: company.industry,
  }
  expectStatus(await client({ method: 'POST', path: '/api/v1/auth/signup', json }), [201], `sign-up of ${email}`)
}

/** Reads the code that was mailed and enters it; when it is not accepted, somebody was here before or it is too old. */
async function verify(applicant: Applicant, options: AcquireOptions): Promise<string> {
  const { client } = options
  const { email } = applicant
  let refused = 0
  for (let last = ''; ;) {
    const code = await codeFor(email, last, options)
    const answer = await client({ method: 'POST', path: '/api/v1/auth/verify-email', json: { email, code } })
    if (answer.status === 200) return textOf(answer.body, 'organization_id')
    refused += 1
    if (answer.status !== 400 || refused >= 4) expectStatus(answer, [200], `verification of ${email}`)
    const known = await knownOrganization(applicant, options)
    if (known !== null) return known
    last = code
    await client({ method: 'POST', path: '/api/v1/auth/resend-code', json: { email } })
  }
}

/** The organization of an address that an earlier run has verified. */
async function knownOrganization({ email }: Applicant, { client, password }: AcquireOptions): Promise<string | null> {
  const login = await client({ method: 'POST', path: '/api/v1/auth/login', json: { email, password } })
  if (login.status !== 200) return null
  const profile = await client({ path: '/api/v1/profile', token: textOf(login.body, 'access_token') })
  expectStatus(profile, [200], `profile of ${email}`)
  return textOf((profile.body as { organization?: unknown }).organization, 'organization_id')
}

/** The newest code in the sandbox's mail for this address, other than the one that was refused. */
async function codeFor(email: string, refused: string, options: AcquireOptions): Promise<string> {
  const path = `/sandbox/mail?to=${encodeURIComponent(email)}`
  return until(options, `mail to ${email}`, async () => {
    const mails = (await options.client({ path })).body
    if (!Array.isArray(mails)) throw new Refused('GET /sandbox/mail does not answer a list')
    const text = mails.length === 0 ? '' : textOf(mails[mails.length - 1], 'text')
    const code = /\b\d{6}\b/.exec(text)?.[0] ?? ''
    return code === '' || code === refused ? null : code
  })
}

async function logIn({ email }: Applicant, { client, password }: AcquireOptions): Promise<string> {
  const answer = await client({ method: 'POST', path: '/api/v1/auth/login', json: { email, password } })
  expectStatus(answer, [200], `login of ${email}`)
  return textOf(answer.body, 'access_token')
}

type Results = Pick<Acquired, 'status' | 'competitors' | 'hasCompanyInfo'>

async function researched(organizationId: string, token: string, options: AcquireOptions): Promise<Results> {
  const path = `/api/v1/research/${organizationId}/results`
  return until(options, `results of ${organizationId}`, async () => {
    const answer = await options.client({ path, token })
    // 404: the organization exists already, its row is on the way.
    if (answer.status === 404) return null
    expectStatus(answer, [200], path)
    const body = answer.body as { status: string; competitors: unknown[]; company_info: object }
    if (body.status !== 'completed' && body.status !== 'in_review' && body.status !== 'failed') return null
    return {
      status: body.status,
      competitors: body.competitors.length,
      hasCompanyInfo: Object.keys(body.company_info).length > 0,
    }
  })
}

/** Looks until there is something; a little less often each time, up to ten times the first wait. */
async function until<T>(options: AcquireOptions, what: string, look: () => Promise<T | null>): Promise<T> {
  for (let waitMs = options.pollMs; ; waitMs = Math.min(waitMs * 1.25, options.pollMs * 10)) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > options.deadlineAt) throw new Refused(`${what} did not come in time`)
    await sleep(waitMs)
  }
}

export function expectStatus(answer: Answer, wanted: readonly number[], what: string): void {
  if (wanted.includes(answer.status)) return
  const detail = (answer.body as { detail?: unknown } | null)?.detail
  throw new Refused(`${what}: status ${answer.status}${typeof detail === 'string' ? `, ${detail}` : ''}`)
}

function textOf(body: unknown, field: string): string {
  const value = (body as Record<string, unknown> | null)?.[field]
  if (typeof value !== 'string') throw new Refused(`an answer has no ${field}`)
  return value
}

/** What the platform holds about a company in the end: read once everything has come to rest. */
export interface Holding {
  readonly sessions: readonly string[]
  /** Reviews of findings that wait. */
  readonly openReviews: number
  readonly reviews: number
}

export async function holdingOf({ organizationId, token }: Acquired, client: Client): Promise<Holding> {
  const sessions = await client({ path: `/api/v1/research/${organizationId}/sessions`, token })
  expectStatus(sessions, [200], 'sessions')
  const reviews = await client({ path: `/api/v1/reviews?status=all&organization_id=${organizationId}`, token })
  expectStatus(reviews, [200], 'reviews')
  const ofFindings = itemsOf(reviews).filter(({ subject_type: type }) => type === 'finding' || type === 'step')
  return {
    sessions: itemsOf(sessions).map((session) => String(session['status'])),
    openReviews: ofFindings.filter(({ status }) => status === 'open' || status === 'claimed').length,
    reviews: ofFindings.length,
  }
}

function itemsOf(answer: Answer): readonly Record<string, unknown>[] {
  const { items } = answer.body as { items?: unknown }
  if (!Array.isArray(items)) throw new Refused('a list has no items')
  return items as Record<string, unknown>[]
}
