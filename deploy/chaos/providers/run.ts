/**
 * `npm run chaos -- --providers`: the product against providers that go wrong at every call, and outlive it. The real clients speak over HTTP
 * with a resident sandbox; answers are lost, cut, dribbled, refused; the application is killed with kill -9 when a call was done
 * and nobody has heard of it, among other moments. In the end the providers' own objects and logs are judged (`judge.ts`).
 *
 * A run is what one seed plans (`plan.ts`): three companies from sign-up to their ends, what they use, the faults of their calls and the
 * kills. Some runs are under way together on the same application, and a season of runs shares a DATA_DIR; no two runs share a company.
 */

import process from 'node:process'
import type { ProvidersArguments } from './arguments.ts'
import { add, isWholeSet, missing, runsToCome, tableOf } from './coverage.ts'
import type { Met } from './coverage.ts'
import { evidenceIn } from './evidence.ts'
import type { ProviderCall } from './faults.ts'
import type { Finding, Repeats } from './judge.ts'
import { repeats } from './judge.ts'
import type { RunPlan } from './plan.ts'
import { planOf } from './plan.ts'
import { playRound } from './round.ts'
import type { Season } from './season.ts'
import { openSeason } from './season.ts'

export interface ProvidersReport {
  readonly program: 'providers'
  readonly seed: number
  readonly runs: number
  /** The seed to go on with; null when all runs are through. */
  readonly next_seed: number | null
  readonly companies: number
  readonly kills: Readonly<Record<string, number>>
  /** Kills whose moment did not come. */
  readonly spared: number
  readonly calls: number
  readonly faults: number
  readonly created: Readonly<Record<string, number>>
  readonly repeats: Repeats
  readonly seconds: number
  readonly table: readonly string[]
  readonly findings: readonly string[]
}

interface Totals {
  readonly met: Met
  readonly findings: string[]
  readonly kills: Record<string, number>
  readonly created: Record<string, number>
  repeats: Repeats
  spared: number
  runs: number
  companies: number
  calls: number
  faults: number
}

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

export async function runProviders(options: ProvidersArguments): Promise<ProvidersReport> {
  const begun = performance.now()
  const none = { repeats: { mails: 0, questions: 0 }, spared: 0, runs: 0, companies: 0, calls: 0, faults: 0 }
  const totals: Totals = { met: new Map(), findings: [], kills: {}, created: {}, ...none }
  const minutes = (): number => (performance.now() - begun) / 60_000
  while (runsToCome(options, totals) > 0 && totals.findings.length === 0 && minutes() < options.minutes)
    await playSeason(options, totals, minutes)
  const isWhole = totals.runs >= options.runs
  const findings = [...totals.findings, ...(isWhole && isWholeSet(options) ? missing(totals.met) : [])]
  const { met, ...counted } = totals
  return {
    ...{ program: 'providers', seed: options.seed, next_seed: isWhole ? null : options.seed + totals.runs },
    ...counted,
    findings,
    table: tableOf(met),
    seconds: Math.round((performance.now() - begun) / 1000),
  }
}

async function playSeason(options: ProvidersArguments, totals: Totals, minutes: () => number): Promise<void> {
  const season = await openSeason(say)
  say(`season from seed ${options.seed + totals.runs}, data in ${season.directory}`)
  const interrupted = (): void => void season.close().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  const before = totals.findings.length
  try {
    const last = totals.runs + Math.min(runsToCome(options, totals), options.season)
    while (totals.runs < last && totals.findings.length === before && minutes() < options.minutes)
      await playOne(season, options, totals, Math.min(options.atOnce, last - totals.runs))
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted)
    totals.findings.push(...(await season.close()))
    sumUp(season, totals)
    sayMissing(totals)
    if (totals.findings.length === before && !options.keep) season.remove()
  }
}

function sayMissing({ met }: Totals): void {
  const pairs = missing(met)
  if (pairs.length > 0) say(`to come yet, ${pairs.length}: ${pairs.join(', ')}`)
}

async function playOne(season: Season, options: ProvidersArguments, totals: Totals, runs: number): Promise<void> {
  const plans = Array.from({ length: runs }, (_, index) =>
    planOf(options.seed + totals.runs + index, options.companies, options.kills),
  )
  const seeds = plans.map(({ seed }) => seed)
  const from = performance.now()
  const deaths = season.application.deaths.length
  try {
    const { findings, spared } = await playRound(season, plans)
    totals.spared += spared
    for (const finding of findings) totals.findings.push(...told(season, plans, finding))
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    totals.findings.push(`seeds ${seeds.join(', ')}: ${words}; data in ${season.directory}`)
  }
  totals.runs += runs
  totals.companies += plans.reduce((sum, { companies }) => sum + companies.length, 0)
  const seconds = ((performance.now() - from) / 1000).toFixed(0)
  say(
    `seeds ${seeds[0]} to ${seeds.at(-1)}: ${season.application.deaths.length - deaths} kills, ${seconds} s, ${totals.findings.length} findings; ${totals.runs} of ${options.runs} runs`,
  )
}

const callsShown = 40

/** A finding with its seed, and the calls concerned. */
function told(season: Season, plans: readonly RunPlan[], { domain, words }: Finding): string[] {
  const plan = plans.find(({ companies }) => companies.some((company) => company.domain === domain))
  const fate = plan?.companies.find((company) => company.domain === domain)?.fate.name
  const calls = season.resident.calls.filter(({ companies }) => companies.includes(domain))
  const again = `repeat with --seed ${plans[0]?.seed ?? 0} --runs ${plans.length}`
  return [
    `seed ${plan?.seed ?? 'of another round'}${domain === '' ? '' : `, ${domain} (${fate ?? 'earlier'})`}: ${words}; ${again}`,
    ...calls.slice(-callsShown).map((call) => `  ${lineOf(call)}`),
  ]
}

function lineOf({ n, at, provider, operation, key, status, fault, killed, replayed }: ProviderCall): string {
  const notes = [fault, replayed ? 'replayed' : null, killed === null ? null : `killed, ${killed}`]
  const shown = notes.filter((note) => note !== null).join(', ')
  return `${n} ${new Date(at).toISOString()} ${provider}.${operation} ${key.slice(0, 60)} ${status ?? 'not done'}${shown === '' ? '' : ` (${shown})`}`
}

function sumUp({ resident, application }: Season, totals: Totals): void {
  const evidence = evidenceIn(resident.directory, resident.calls)
  const invoices = evidence.customers.flatMap((customer) => customer.invoices)
  const created = {
    envelopes: evidence.envelopes.length,
    voided: evidence.envelopes.filter(({ status }) => status === 'voided').length,
    customers: evidence.customers.length,
    subscriptions: evidence.customers.reduce((sum, { subscriptions }) => sum + subscriptions.length, 0),
    invoices: invoices.length,
    paid: invoices.filter(({ paid }) => paid > 0).length,
    refunds: invoices.reduce((sum, { refundIds }) => sum + refundIds.length, 0),
    meter_events: evidence.meterEvents.length,
    analytics_events: evidence.imported.length,
    mails: evidence.mails.length,
  }
  for (const [what, count] of Object.entries(created)) totals.created[what] = (totals.created[what] ?? 0) + count
  const { mails, questions } = repeats(evidence)
  totals.repeats = { mails: totals.repeats.mails + mails, questions: totals.repeats.questions + questions }
  add(totals.met, resident.calls)
  totals.calls += resident.calls.length
  totals.faults += resident.calls.filter(({ fault }) => fault !== null).length
  for (const why of application.deaths) {
    const kind = why.split(' ').at(-1) ?? ''
    const name = why.startsWith('time') ? 'time' : why.startsWith('place') ? 'place' : kind
    totals.kills[name] = (totals.kills[name] ?? 0) + 1
  }
}
