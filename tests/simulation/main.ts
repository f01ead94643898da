/**
 * `npm run simulate`: runs seeds of the deterministic simulator.
 *
 *   --seeds N [--from S] [--workers 2]   N seeds from S on, the kept failing seeds first
 *   --minutes M [--from S]               as many seeds as fit
 *   --seed S [--program P] [--trace]     one seed in this process, with everything it says
 *   --set option=number                  an option that is not as drawn, to narrow a failure down: `--set processes=1`
 *
 *   --canary NAME                        a bug is planted on purpose: see canaries.ts
 *   --until-failure                      ends with the first seed that fails
 *   --no-keep                            a seed that fails is not added to the file
 *   --no-replay                          the kept seeds are left out
 *
 * Exit code 1 when a seed failed; failing seeds are appended to `failing-seeds.txt` and replayed first from then on.
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Kept } from './kept-seeds.ts'
import { programs } from './programs.ts'
import { Report, failureText } from './report.ts'
import type { Outcome } from './run.ts'
import { runSeed } from './run.ts'

export interface Job {
  readonly seed: number
  readonly program?: string | undefined
  readonly changes?: Readonly<Record<string, number>> | undefined
  readonly canary?: string | undefined
}

/** Module-level state cannot leak far, and compiled code is not thrown away too often: a process runs this many seeds. */
const seedsPerProcess = 400
/** A seed that takes longer than this hangs, in ms. */
const hangMs = 120_000

const keptFile = join(import.meta.dirname, 'failing-seeds.txt')

const usage = 'usage: simulate --seeds N [--from S] [--workers W] [--program P] | --minutes M | --seed S [--trace]'

function serve(): void {
  // Nobody is left to answer to.
  process.on('disconnect', () => process.exit(0))
  process.on('message', (job: Job) => {
    void runSeed({ ...job, programs }).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => {
        process.stderr.write(`seed ${job.seed}: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`)
        process.exit(70)
      },
    )
  })
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: '2' },
      program: { type: 'string' },
      canary: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'no-keep': { type: 'boolean', default: false },
      'no-replay': { type: 'boolean', default: false },
      'until-failure': { type: 'boolean', default: false },
    },
  })
  const { program, canary } = values
  const changes = Object.fromEntries(values.set.map((one) => [one.split('=')[0], Number(one.split('=')[1])]))
  if (values.seed !== undefined)
    return one({ seed: Number(values.seed), program, changes, canary }, values.trace, values.json)
  if (values.seeds === undefined && values.minutes === undefined) {
    process.stderr.write(`${usage}\n`)
    process.exitCode = 64
    return
  }
  const keeps = !values['no-keep']
  const kept = new Kept(values['no-replay'] ? '' : readFileSync(keptFile, 'utf8'), (line) =>
    appendFileSync(keptFile, line),
  )
  const startedAt = Date.now()
  const until = values.minutes === undefined ? Infinity : startedAt + Number(values.minutes) * 60_000
  const last = values.seeds === undefined ? Infinity : Number(values.from) + Number(values.seeds) - 1
  const report = new Report(
    (line) => process.stdout.write(`${line}\n`),
    () => (Date.now() - startedAt) / 60_000,
  )
  await many(
    jobsOf(kept, Number(values.from), last, { program, changes, canary }),
    Number(values.workers),
    () => Date.now() < until && !(values['until-failure'] && report.failures > 0),
    (outcome) => {
      report.add(outcome)
      if (!outcome.ok && keeps && values.set.length === 0 && canary === undefined) kept.add(outcome)
    },
  )
  report.end()
  process.exitCode = report.failures === 0 ? 0 : 1
}

async function one(job: Job, trace: boolean, json: boolean): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const outcome = await runSeed({
    ...job,
    programs,
    trace: trace ? say : undefined,
    notice: json ? undefined : say,
  })
  if (json) say(JSON.stringify(outcome))
  else {
    say(JSON.stringify(outcome.options))
    say(JSON.stringify(outcome.stats))
    say(`trace hash ${outcome.traceHash}`)
    say(outcome.ok ? `seed ${job.seed} passed` : failureText(outcome))
  }
  process.exitCode = outcome.ok ? 0 : 1
}

function* jobsOf(kept: Kept, from: number, last: number, like: Omit<Job, 'seed'>): Generator<Job> {
  yield* kept.jobs
  for (let seed = from; seed <= last; seed++) yield { seed, ...like }
}

async function many(
  jobs: Iterator<Job>,
  workers: number,
  goesOn: () => boolean,
  ended: (outcome: Outcome) => void,
): Promise<void> {
  const work = async (): Promise<void> => {
    let child = new Child()
    for (let done = 1; goesOn(); done++) {
      const { value: job } = jobs.next()
      if (job === undefined) break
      if (done % seedsPerProcess === 0) {
        child.end()
        child = new Child()
      }
      const outcome = await child.run(job)
      if (outcome === null) child = new Child()
      ended(outcome ?? hung(job))
    }
    child.end()
  }
  await Promise.all(Array.from({ length: workers }, work))
}

class Child {
  readonly #process: ChildProcess = fork(import.meta.filename, [], { serialization: 'advanced' })

  /** Null when the process died or hung. */
  run(job: Job): Promise<Outcome | null> {
    return new Promise((resolve) => {
      const settle = (outcome: Outcome | null): void => {
        clearTimeout(timer)
        this.#process.removeAllListeners()
        if (outcome === null) this.#process.kill('SIGKILL')
        resolve(outcome)
      }
      const timer = setTimeout(() => settle(null), hangMs)
      this.#process.once('message', (outcome) => settle(outcome as Outcome))
      this.#process.once('exit', () => settle(null))
      this.#process.send(job)
    })
  }

  end(): void {
    this.#process.removeAllListeners()
    this.#process.kill()
  }
}

function hung({ seed, program = '' }: Job): Outcome {
  const nothing = {}
  return {
    seed,
    ok: false,
    options: { seed, program },
    violations: [{ invariant: 'I14', what: `the process died, or took longer than ${hangMs} ms` }],
    traceHash: '',
    stats: {
      tasks: 0,
      records: 0,
      faults: 0,
      faultsByKind: nothing,
      crashHits: nothing,
      crashPasses: nothing,
      endings: nothing,
      events: 0,
      healedMs: 0,
      virtualMs: 0,
    },
  }
}

if (process.send !== undefined) serve()
else await main()
