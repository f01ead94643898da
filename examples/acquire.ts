/**
 * `npm run example:acquire -- --copies 10`: signs real companies up over HTTP against a running instance, follows each
 * to its research results, and compares the totals with what had to come. It refuses an instance that could reach
 * anybody: every provider must be sandbox. It survives the instance being killed and started again.
 */

import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { adminCommand } from './acquire/admin.ts'
import { acquire, expectStatus, holdingOf, Refused } from './acquire/acquisition.ts'
import type { Acquired } from './acquire/acquisition.ts'
import { applicants, reviewScript } from './acquire/applicants.ts'
import type { Applicant } from './acquire/applicants.ts'
import type { Arguments } from './acquire/arguments.ts'
import { readArguments, usage } from './acquire/arguments.ts'
import { fateScript } from './acquire/fates.ts'
import type { House } from './acquire/house.ts'
import { openHouse } from './acquire/house.ts'
import { client } from './acquire/http.ts'
import type { Client } from './acquire/http.ts'
import { businessTime, followAll as followToTheEnd, holdClock, releaseClock } from './acquire/lifecycle.ts'
import { progress } from './acquire/progress.ts'
import type { Progress } from './acquire/progress.ts'
import type { Outcome, Report } from './acquire/report.ts'
import { report, table } from './acquire/report.ts'
import type { PaidReport, PaidRun } from './acquire/until-paid.ts'
import { paidReport, paidTable } from './acquire/until-paid.ts'
import { companies } from './companies.ts'

/** Signed up before a sequential measurement, and not counted. */
const warmUp = 10

interface Run {
  readonly options: Arguments
  readonly client: Client
  readonly deadlineAt: number
  readonly progress: Progress
}

async function main(options: Arguments): Promise<Report | PaidReport> {
  const deadlineAt = Date.now() + options.timeoutMin * 60_000
  const ask = client({ url: options.url, deadlineAt })
  await refuseUnlessSandbox(options.url)
  const sequential = options.sequential !== null
  const count = sequential ? (options.sequential ?? 0) + warmUp : options.copies * companies.length
  const review = sequential ? 0 : Math.min(options.review, count)
  const list = applicants(companies, options.firstCopy, count, review)
  await using house = options.untilPaid ? await openHouse({ client: ask, admin: adminCommand }) : null
  if (options.untilPaid) await holdClock(ask)
  await tellSandbox(ask, [...reviewScript(list), ...(options.untilPaid ? fateScript(list, options.seed) : [])])
  const shown = progress({ total: list.length, output: process.stdout, now: () => performance.now() })
  const run: Run = { options, client: ask, deadlineAt, progress: shown }
  const stopWatching = watchLag(run)
  try {
    return await runOf(run, list, house)
  } finally {
    stopWatching()
    shown.end()
  }
}

/** @param house there with `--until paid` */
async function runOf(run: Run, list: readonly Applicant[], house: House | null): Promise<Report | PaidReport> {
  const { options } = run
  const sequential = options.sequential !== null
  if (sequential) await followAll(run, list.slice(0, warmUp), 1)
  const startedAt = performance.now()
  const found = await followAll(run, sequential ? list.slice(warmUp) : list, sequential ? 1 : options.concurrency)
  const secondsSince = (): number => (performance.now() - startedAt) / 1000
  if (house !== null) {
    const followed = await toTheEnd(run, found, house)
    return paidReport({ ...followed, seed: options.seed, list, seconds: secondsSince() })
  }
  const seconds = secondsSince()
  return report(await audited(run, found), seconds)
}

/** Lets business time go, and follows everybody to the end of their lifecycle. */
async function toTheEnd(
  run: Run,
  found: readonly Found[],
  house: House,
): Promise<Omit<PaidRun, 'seed' | 'list' | 'seconds'>> {
  const { client: ask, deadlineAt, options } = run
  const acquired = found.flatMap((one) => one.acquired ?? [])
  await house.lookAfter(acquired)
  const before = await businessTime(ask)
  await releaseClock(ask)
  const followed = await followToTheEnd(acquired, {
    client: ask,
    password: options.password,
    agent: house.agent,
    deadlineAt,
    ended: () => run.progress.reached('ended'),
  })
  const after = await businessTime(ask)
  const businessDays = (after.now - before.now) / 86_400_000
  return { acquired, followed, businessDays, jumps: after.jumps - before.jumps }
}

/** How long nothing may answer before the run begins, in ms. */
const firstAnswerWithinMs = 10_000

/** @throws Refused when nobody answers, or when anything could leave this machine */
async function refuseUnlessSandbox(url: string): Promise<void> {
  const answer = await client({ url, deadlineAt: Date.now() + firstAnswerWithinMs })({ path: '/health' }).catch(() => {
    throw new Refused(`nothing answers at ${url}: start it with "npm start", or name another address with --url`)
  })
  expectStatus(answer, [200], '/health')
  const { providers } = answer.body as { providers?: readonly { readonly name: string; readonly mode: string }[] }
  if (providers === undefined || providers.length === 0) throw new Refused('/health names no providers')
  const live = providers.filter(({ mode }) => mode !== 'sandbox')
  if (live.length > 0) throw new Refused(`these providers are not sandbox: ${live.map(({ name }) => name).join(', ')}`)
}

/** Replaces the sandbox's script: left-over rules would send others to review. */
async function tellSandbox(ask: Client, json: readonly unknown[]): Promise<void> {
  const answer = await ask({ method: 'PUT', path: '/sandbox/script', json })
  expectStatus(answer, [200], '/sandbox/script')
}

type Found = { readonly applicant: Applicant; readonly acquired: Acquired | null; readonly trouble: string | null }

/** Bounded workers over one list; a company that fails does not stop the others. */
async function followAll(run: Run, list: readonly Applicant[], workers: number): Promise<Found[]> {
  const found: Found[] = []
  const pollMs = run.options.sequential === null ? 100 : 10
  const { client: ask, deadlineAt } = run
  let next = 0
  async function work(): Promise<void> {
    for (let index = next++; index < list.length; index = next++) {
      const applicant = list[index] as Applicant
      const { password } = run.options
      const reached = run.progress.reached
      try {
        const acquired = await acquire(applicant, { client: ask, password, deadlineAt, pollMs, reached })
        found[index] = { applicant, acquired, trouble: null }
      } catch (error) {
        reached('failed')
        found[index] = { applicant, acquired: null, trouble: error instanceof Error ? error.message : String(error) }
      }
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return found
}

/** Looks again at everybody, once nothing moves any more: only now would something that happened twice show. */
async function audited(run: Run, found: readonly Found[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const batch = 8
  for (let from = 0; from < found.length; from += batch) {
    outcomes.push(...(await Promise.all(found.slice(from, from + batch).map((one) => auditedOne(run, one)))))
  }
  return outcomes
}

async function auditedOne({ client: ask }: Run, { applicant, acquired, trouble }: Found): Promise<Outcome> {
  const { email, toReview } = applicant
  try {
    const holding = acquired === null ? null : await holdingOf(acquired, ask)
    return { email, toReview, acquired, holding, trouble }
  } catch (error) {
    return { email, toReview, acquired, holding: null, trouble: error instanceof Error ? error.message : String(error) }
  }
}

/** Shows the instance's lag each second. */
function watchLag({ options, progress: shown }: Run): () => void {
  const timer = setInterval(() => {
    const once = client({ url: options.url, deadlineAt: 0, requestTimeoutMs: 2_000 })
    once({ path: '/health' }).then(
      ({ body }) => {
        const lag = (body as { lag?: Readonly<Record<string, number>> }).lag ?? {}
        shown.lag(Object.values(lag).reduce((sum, records) => sum + records, 0))
      },
      () => shown.lag(null),
    )
  }, 1_000)
  return () => clearInterval(timer)
}

const options = readArguments(process.argv.slice(2))
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${usage}\n`)
  process.exitCode = 64
} else {
  try {
    const result = await main(options)
    const lines = 'ended' in result ? paidTable(result) : table(result)
    process.stdout.write(`\n${lines.join('\n')}\n`)
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
    process.exitCode = result.as_expected ? 0 : 1
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
