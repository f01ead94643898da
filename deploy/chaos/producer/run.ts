/**
 * The client of event producers under kill -9: a process that uses it is killed at seeded moments, and started again with what
 * its own record calls acknowledged, which is sometimes behind. In the end everything is acknowledged, and the checker reads
 * the topic element by element: nothing that was acknowledged is lost, nothing stands there twice, order is kept.
 */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ClientStats } from '../../../client/index.ts'
import { seeded } from '../seeded.ts'
import type { ProducerArguments } from './arguments.ts'
import { checkProducer } from './check.ts'
import type { ChildTask } from './child.ts'
import { planOf } from './plan.ts'
import type { ProducerSite } from './site.ts'
import { openHttpSite, openKafkaSite } from './site.ts'

export interface ProducerReport {
  readonly program: 'producer'
  readonly via: 'http' | 'kafka'
  readonly seed: number
  readonly events: number
  readonly kills: number
  readonly kills_in_start: number
  readonly platform_kills: number
  /** Events that a life sent again although they had been acknowledged to an earlier one. */
  readonly sent_again: number
  readonly seconds: number
  /** Acknowledged events, by the seconds in which a producer was ready. */
  readonly events_per_second: number
  /** Of the last life. */
  readonly stats: readonly ClientStats[]
  readonly findings: readonly string[]
}

interface Run {
  readonly options: ProducerArguments
  readonly directory: string
  readonly site: ProducerSite
  readonly counts: readonly number[]
  /** Units in the order of their first acknowledgement. */
  readonly acknowledged: Set<number>
  readonly draw: () => number
  child: ChildProcess | null
  stats: readonly ClientStats[]
  kills: number
  killsInStart: number
  platformKills: number
  sentAgain: number
  readyMs: number
}

/** How far a producer's own record may be behind, in units. */
const longestLag = 100
const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

export async function runProducer(options: ProducerArguments): Promise<ProducerReport> {
  const directory = mkdtempSync(join(tmpdir(), 'chaos-'))
  say(`seed ${options.seed}, data in ${directory}`)
  const site = await (options.via === 'http' ? openHttpSite(directory) : openKafkaSite(directory))
  const plan = planOf(options.seed, options.events, options.unitEvents)
  const run: Run = {
    ...{ options, directory, site, counts: plan.map(({ count }) => count), acknowledged: new Set<number>() },
    draw: seeded(options.seed ^ 0x2545f491),
    ...{ child: null, stats: [], kills: 0, killsInStart: 0, platformKills: 0, sentAgain: 0, readyMs: 0 },
  }
  const interrupted = (): void => {
    run.child?.kill('SIGKILL')
    void site.close().finally(() => process.exit(130))
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, interrupted)
  const begun = performance.now()
  try {
    const isThrough = await killAgainAndAgain(run)
    if (!isThrough) await lifeOf(run, null)
    const seconds = (performance.now() - begun) / 1000
    const findings =
      run.kills < options.kills
        ? [`only ${run.kills} of ${options.kills} kills fell into the run; give more --events`]
        : []
    if (run.acknowledged.size < plan.length)
      findings.push(`${plan.length - run.acknowledged.size} units were never acknowledged`)
    const reader = await site.openReader()
    const found = await checkProducer(reader.log, reader.registry, {
      ...{ seed: options.seed, plan, acknowledged: run.acknowledged, tenantIds: site.tenantIds },
    })
    if (found.events !== options.events)
      findings.push(`${found.events} events stand in the topic, ${options.events} were sent`)
    findings.push(...found.findings)
    if (findings.length === 0 && !options.keep) rmSync(directory, { recursive: true, force: true })
    return {
      ...{ program: 'producer', via: options.via, seed: options.seed, events: found.events },
      ...{ kills: run.kills, kills_in_start: run.killsInStart, platform_kills: run.platformKills },
      ...{ sent_again: run.sentAgain, seconds: Math.round(seconds), stats: run.stats, findings },
      events_per_second: Math.round(options.events / (run.readyMs / 1000)),
    }
  } finally {
    for (const signal of signals) process.off(signal, interrupted)
    run.child?.kill('SIGKILL')
    await site.close()
  }
}

/** @returns whether the producer came to its end */
async function killAgainAndAgain(run: Run): Promise<boolean> {
  const { options, site } = run
  const platformEvery =
    options.platformKills === 0 ? Infinity : Math.max(1, Math.floor(options.kills / options.platformKills))
  for (const moment of momentsOf(options, run.counts.length)) {
    if (await lifeOf(run, moment)) return true
    run.kills += 1
    const isPlatform = run.kills % platformEvery === 0 && run.platformKills < options.platformKills
    if (isPlatform && (await site.killPlatform())) run.platformKills += 1
    if (run.kills % 10 === 0)
      say(`kill ${run.kills} of ${options.kills}: ${run.acknowledged.size} of ${run.counts.length} units acknowledged`)
  }
  return false
}

/** One in five dies while it starts, the others when so many units are acknowledged in all, and a little later. */
interface Moment {
  readonly units: number | null
  readonly waitMs: number
}

/** Spread over the plan at random, so that each life gets a part of it, however fast the machine is. */
function momentsOf({ seed, kills }: ProducerArguments, units: number): readonly Moment[] {
  const draw = seeded(seed)
  const marks = Array.from({ length: kills }, () => Math.ceil(draw() * units * 0.95)).sort((one, other) => one - other)
  return marks.map((mark) =>
    draw() < 0.2 ? { units: null, waitMs: draw() * longestStartMs } : { units: mark, waitMs: draw() * longestMoreMs },
  )
}

const longestStartMs = 2_000
const longestMoreMs = 50

/** One life of the producer. @param kill when it is killed, null to let it come to its end. @returns whether it did */
async function lifeOf(run: Run, kill: Moment | null): Promise<boolean> {
  const life = start(run)
  const isLate = sleep(run.options.timeoutMin * 60_000, 'late' as const, { ref: false })
  const atMoment = kill === null ? life.ended : momentIn(run, life, kill)
  if ((await Promise.race([atMoment, life.ended, isLate])) === 'late')
    throw new Error(`a producer lives for more than ${run.options.timeoutMin} minutes`)
  run.child?.kill('SIGKILL')
  const { code, signal } = await life.ended
  if (code === 0) return true
  if (signal !== 'SIGKILL')
    throw new Error(`the producer ended by itself with code ${code}; see ${join(run.directory, 'producer.log')}`)
  if (!life.wasReady()) run.killsInStart += 1
  return false
}

async function momentIn(run: Run, life: Life, { units, waitMs }: Moment): Promise<void> {
  if (units !== null) await life.acknowledged(units)
  await sleep(waitMs)
}

interface Life {
  /** Resolves when so many units are acknowledged, in all lives. */
  acknowledged(units: number): Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  wasReady(): boolean
}

function start(run: Run): Life {
  const task = join(run.directory, 'task.json')
  writeFileSync(task, JSON.stringify(taskOf(run)), { mode: 0o600 })
  const script = fileURLToPath(new URL('./child.ts', import.meta.url))
  const child = spawn(process.execPath, [script, '--task', task], { stdio: ['ignore', 'pipe', 'pipe'] })
  run.child = child
  child.stderr.on('data', (chunk: Buffer) => appendFileSync(join(run.directory, 'producer.log'), chunk))
  const reached = Promise.withResolvers<void>()
  let wanted = Infinity
  let readyAt: number | null = null
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [what, rest = ''] = [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)]
    if (what === 'ready') readyAt = performance.now()
    if (what === 'acked') note(run, Number(rest))
    if (run.acknowledged.size >= wanted) reached.resolve()
    if (what === 'done') run.stats = JSON.parse(rest) as ClientStats[]
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject)
    // After its pipes: everything it said has been read by then.
    child.once('close', (code, signal) => {
      run.child = null
      if (readyAt !== null) run.readyMs += performance.now() - readyAt
      resolve({ code, signal })
    })
  })
  return {
    acknowledged(units) {
      wanted = units
      return reached.promise
    },
    ended,
    wasReady: () => readyAt !== null,
  }
}

function note(run: Run, unit: number): void {
  if (run.acknowledged.has(unit)) run.sentAgain += run.counts[unit]!
  run.acknowledged.add(unit)
}

/** The producer's own record lacks the latest few acknowledgements. */
function taskOf({ options, site, acknowledged, draw }: Run): ChildTask {
  const record = [...acknowledged]
  const { seed, events, unitEvents } = options
  const known = record.slice(0, Math.max(0, record.length - Math.floor(draw() * longestLag)))
  return { seed, events, unitEvents, acknowledged: known, to: site.to }
}
