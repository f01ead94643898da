/** Follows companies to the end of their lifecycle, in business time, deciding what people are asked on the way. */

import type { Acquired } from './acquisition.ts'
import { expectStatus, Refused } from './acquisition.ts'
import type { Applicant } from './applicants.ts'
import type { End } from './fates.ts'
import { ends } from './fates.ts'
import type { Answer, Call, Client } from './http.ts'
import { sleep } from './http.ts'

export interface Followed {
  readonly applicant: Applicant
  /** Null when it came to no end in time. */
  readonly end: End | 'other' | null
  /** The reason as the platform says it, or the step it stands at. */
  readonly reason: string
  readonly steps: number
  /** What a person decided for it. */
  readonly decisions: number
}

export interface FollowOptions {
  readonly client: Client
  readonly password: string
  /** Decides what is the seller's; looks after all of them. */
  readonly agent: Person
  readonly deadlineAt: number
  readonly ended: () => void
}

const holder = 'example:acquire'

/** Stops business time, so that all companies begin together. @throws Refused where it is not warped */
export async function holdClock(client: Client): Promise<void> {
  const answer = await client({ method: 'POST', path: '/sandbox/clock', json: { hold: holder, for_ms: 600_000 } })
  if (answer.status === 404) throw new Refused('business time goes as slowly as yours: start it with CLOCK=warp')
  expectStatus(answer, [200], '/sandbox/clock')
}

/** Lets it go on. */
export async function releaseClock(client: Client): Promise<void> {
  await client({ method: 'POST', path: '/sandbox/clock', json: { release: holder } })
}

export async function businessTime(client: Client): Promise<{ readonly now: number; readonly jumps: number }> {
  const { now, jumps } = (await client({ path: '/sandbox/clock' })).body as { now: string; jumps: number }
  return { now: Date.parse(now), jumps }
}

/** Somebody's token, made anew when it is too old. */
export class Person {
  readonly #options: Pick<FollowOptions, 'client' | 'password'>
  readonly #email: string
  #token: string

  constructor(
    { applicant, token }: { readonly applicant: Pick<Applicant, 'email'>; readonly token: string },
    options: Pick<FollowOptions, 'client' | 'password'>,
  ) {
    this.#options = options
    this.#email = applicant.email
    this.#token = token
  }

  async ask(request: Omit<Call, 'token'>): Promise<Answer> {
    const answer = await this.#options.client({ ...request, token: this.#token })
    if (answer.status !== 401) return answer
    const { client, password } = this.#options
    const login = await client({ method: 'POST', path: '/api/v1/auth/login', json: { email: this.#email, password } })
    expectStatus(login, [200], `login of ${this.#email}`)
    this.#token = (login.body as { access_token: string }).access_token
    return this.#options.client({ ...request, token: this.#token })
  }
}

const atOnce = 8

/** Looks at each company in turn, a few at once, until all have ended or time is up. */
export async function followAll(acquired: readonly Acquired[], options: FollowOptions): Promise<Followed[]> {
  const open = acquired.map((one) => ({ one, person: new Person(one, options), decisions: 0 }))
  const done: Followed[] = []
  const work = async (): Promise<void> => {
    for (let company = open.shift(); company !== undefined; company = open.shift()) {
      company.decisions += await decideAll(company.person, options.agent, company.one.organizationId)
      const found = await standingOf(company.person, company.one)
      if (found.end === null && Date.now() <= options.deadlineAt) {
        open.push(company)
        await sleep(100)
      } else {
        done.push({ ...found, decisions: company.decisions })
        options.ended()
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return done
}

interface Waiting {
  readonly review_id: string
  readonly decider: 'client' | 'seller'
}

/** Approves what waits for a person, as the company where it is about itself, else as our agent; says how much that was. */
export async function decideAll(person: Person, agent: Person, organizationId: string): Promise<number> {
  const list = await person.ask({ path: `/api/v1/reviews?status=waiting&organization_id=${organizationId}` })
  if (list.status === 404) return 0
  expectStatus(list, [200], 'reviews')
  const { items } = list.body as { items: readonly Waiting[] }
  let decided = 0
  for (const { review_id, decider } of items) {
    const by = decider === 'client' ? person : agent
    const path = `/api/v1/reviews/${review_id}/decision`
    const answer = await by.ask({ method: 'POST', path, json: { decision: 'approve', comment: 'example run' } })
    if (answer.status < 300) decided += 1
    else expectStatus(answer, [404, 409], path) // somebody, or its time, was faster
  }
  return decided
}

interface Lifecycle {
  readonly stage: string | null
  readonly status: string
  readonly abort_reason: string | null
  readonly current_step: string | null
  readonly steps: readonly { readonly step: string; readonly status: string }[]
}

export async function standingOf(
  person: Person,
  { applicant, organizationId }: Acquired,
): Promise<Omit<Followed, 'decisions'>> {
  const path = `/api/v1/lifecycle/${organizationId}`
  const answer = await person.ask({ path })
  if (answer.status === 404) return { applicant, end: null, reason: 'no lifecycle', steps: 0 }
  expectStatus(answer, [200], path)
  const { stage, status, abort_reason, current_step, steps } = answer.body as Lifecycle
  const completed = steps.filter((step) => step.status === 'completed' || step.status === 'compensated').length
  const isPaid = steps.some(({ step, status: how }) => step === 'billing' && how === 'completed')
  if (status === 'aborted') {
    const reason = abort_reason ?? ''
    return { applicant, end: ends.find((name) => name === reason) ?? 'other', reason, steps: completed }
  }
  if (isPaid) return { applicant, end: 'paid', reason: stage ?? '', steps: completed }
  return { applicant, end: null, reason: `${status} at ${current_step ?? 'nothing'}`, steps: completed }
}
