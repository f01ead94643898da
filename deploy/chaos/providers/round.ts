/**
 * Some runs under way together: their companies sign up, are followed to their ends, and what they used is reported; then business time goes
 * on for three days, so that whatever still waits is tried, and the providers are judged while it stands still.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { House } from '../../../examples/acquire/house.ts'
import type { Client } from '../../../examples/acquire/http.ts'
import { businessTime } from '../../../examples/acquire/lifecycle.ts'
import { evidenceIn } from './evidence.ts'
import { changes, uses } from './fates.ts'
import type { Traveller } from './journey.ts'
import { travel } from './journey.ts'
import type { Finding } from './judge.ts'
import { judge } from './judge.ts'
import type { PlannedCompany, RunPlan } from './plan.ts'
import { chanceOf } from './plan.ts'
import type { Season } from './season.ts'
import type { Used } from './usage.ts'

export interface RoundReport {
  readonly findings: readonly Finding[]
  /** Kills that were planned and did not come. */
  readonly spared: number
}

/** For a machine that others use too. */
const withinMs = 40 * 60_000
const seenWithinMs = 3_000
const decideEveryMs = 800
const settleMs = 3 * 24 * 60 * 60 * 1000

export async function playRound(season: Season, plans: readonly RunPlan[]): Promise<RoundReport> {
  const { resident, application } = season
  const ask = season.clientUntil(Date.now() + withinMs)
  if (!(await application.ready())) throw new Error(application.findings.join('; ') || 'the application did not start')
  const house = await season.house()
  const planned = plans.flatMap(({ companies }) => companies)
  await tellSandbox(ask, plans)
  resident.faults.begin(plans)
  for (const { domain, fate } of planned) {
    if (fate.isUnheard === true) resident.faults.lose('stripe.create_subscription', domain)
    if (fate.cancelAfterS !== undefined) resident.faults.delay('stripe.cancel_subscription', domain, fate.cancelAfterS)
  }
  application.dieAt(plans.flatMap(({ kills }) => kills.flatMap((kill) => (kill.by === 'place' ? [kill.place] : []))))
  const timers = plans.flatMap(({ kills }) =>
    kills.flatMap((kill) =>
      kill.by === 'time' ? [setTimeout(() => application.kill(`time ${kill.waitMs} ms`), kill.waitMs)] : [],
    ),
  )
  const people: Traveller[] = []
  const stop = new AbortController()
  const deciding = keepDeciding(people, stop.signal)
  try {
    const travellers = await Promise.all(
      journeys(season, house, ask, planned).map(async (journey) => {
        const traveller = await journey
        people.push(traveller)
        return traveller
      }),
    )
    for (const timer of timers) clearTimeout(timer)
    await reportUsage(season, ask, travellers)
    const spared = resident.faults.disarm() + application.spare()
    await settled(season, ask)
    stop.abort()
    await deciding
    const findings = await judged(season, ask)
    return { findings, spared }
  } finally {
    stop.abort()
    for (const timer of timers) clearTimeout(timer)
    for (const who of ['judge', ...planned.map(({ domain }) => domain)]) resident.release(who)
  }
}

/** What the companies do; and webhooks that come late, twice, or wrongly signed. */
async function tellSandbox(ask: Client, plans: readonly RunPlan[]): Promise<void> {
  const people = plans.flatMap(({ companies }) => companies.flatMap(({ domain, fate }) => fate.rules([domain])))
  const webhooks = plans.flatMap(({ seed, companies }) => {
    const webhook = { operation: 'webhook', companies: companies.map(({ domain }) => domain), times: 2 }
    const all = [
      { ...webhook, duplicate: 1 },
      { ...webhook, late_ms: 3_600_000 },
      { ...webhook, signature: 'wrong' },
    ]
    return chanceOf(seed, 'webhooks') < 0.5 ? all : all.toReversed()
  })
  const answer = await ask({ method: 'PUT', path: '/sandbox/script', json: [...people, ...webhooks] })
  if (answer.status !== 200) throw new Error(`/sandbox/script: status ${answer.status}`)
}

function journeys(season: Season, house: House, ask: Client, planned: readonly PlannedCompany[]): Promise<Traveller>[] {
  const { resident } = season
  const toChange = new Set(planned.filter(({ fate }) => fate === changes).map(({ domain }) => domain))
  const out = new Set<string>()
  resident.faults.watch(({ operation, companies, asked }) => {
    if (operation !== 'create_envelope' || !asked.body.includes('"emailSubject":"Contract for ')) return
    for (const domain of companies) {
      if (!toChange.delete(domain)) continue
      out.add(domain)
      // Else days may pass before its people have seen it; what is to be tried again still must be.
      resident.hold(domain)
      setTimeout(() => resident.release(domain), seenWithinMs)
    }
  })
  return planned.map(async (one) => {
    const { domain } = one
    return travel(one, {
      client: ask,
      house,
      deadlineAt: Date.now() + withinMs,
      mayChange: () => out.has(domain),
      changed: () => {
        out.delete(domain)
        resident.release(domain)
      },
    })
  })
}

/** The paying ones' usage, said once and corrected once, while the application is down. */
async function reportUsage(season: Season, ask: Client, travellers: readonly Traveller[]): Promise<void> {
  const { application, ends } = season
  const { now } = await businessTime(ask)
  const used = travellers.filter(({ planned }) => planned.fate === uses).map((one) => ({ one, ...usedBy(one, now) }))
  for (const { planned, acquired, end } of travellers) {
    const own = used.find(({ one }) => one.acquired === acquired)
    const { organizationId } = acquired
    const counted = end !== 'paid' || own === undefined ? {} : { [own.meter]: own.quantity }
    ends.push({ domain: planned.domain, organizationId, wanted: planned.fate.ends, came: end, used: counted })
  }
  if (used.length === 0) return
  season.use(used.flatMap(({ first, last }) => [first, last]))
  while (season.unsaid > 0) {
    application.kill('usage is measured')
    await sleep(100)
    if (application.findings.length > 0) throw new Error(application.findings.join('; '))
  }
  await application.ready()
}

const meters = ['messages', 'voice_minutes', 'tokens', 'documents'] as const

function usedBy({ planned, acquired, tenantId }: Traveller, at: number) {
  const meter = meters[Math.floor(chanceOf(planned.domain, 'meter') * meters.length)]!
  const quantity = 1 + Math.floor(chanceOf(planned.domain, 'quantity') * 1_000)
  const first: Used = { tenantId, organizationId: acquired.organizationId, meter, quantity: quantity + 17, at }
  return { meter, quantity, first, last: { ...first, quantity } }
}

/** Who is through may still be asked: whether a refund is given. A request that fails here is made again by the next look. */
async function keepDeciding(people: readonly Traveller[], stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await Promise.all(people.map(({ decide }) => decide().catch(() => undefined)))
    await sleep(decideEveryMs)
  }
}

/** Business time goes on. */
async function settled({ application }: Season, ask: Client): Promise<void> {
  const begun = (await businessTime(ask)).now
  let still = 0
  for (let last = begun; last < begun + settleMs && still < 10;) {
    await sleep(1_000)
    if (application.findings.length > 0) throw new Error(application.findings.join('; '))
    const { now } = await businessTime(ask)
    still = now === last ? still + 1 : 0
    last = now
  }
}

/** While time stands still, and everything that is known has been written. */
async function judged({ resident, ends, held }: Season, ask: Client): Promise<readonly Finding[]> {
  resident.hold('judge')
  for (let tries = 0, quiet = 0; quiet < 3; tries++) {
    const { lag } = (await ask({ path: '/health' })).body as { lag: Readonly<Record<string, number>> }
    const rest = Object.values(lag).every((records) => records === 0) && !resident.sandbox.isBusy
    quiet = rest ? quiet + 1 : 0
    if (tries > 600) throw new Error('the platform does not come to rest')
    await sleep(100)
  }
  const found = judge(evidenceIn(resident.directory, resident.calls), ends, await held())
  resident.release('judge')
  return found
}
