/**
 * `npm run chaos -- --embedded --program acquire`: the product under kill -9. Runs the acquisition example against an
 * instance that is killed at seeded moments and started again on the same directory, and checks in the end that nobody
 * could tell:
 *
 *   K1  the example's totals are those without kills
 *   K2  every event id occurs once
 *   K3  a rebuild of all projections gives the same rows and calls no provider
 *   K4  no store was wiped, no part gave up
 *   K5  at each kill, no task was further behind its changelog than STATE_FLUSH_BYTES plus one transaction
 */

import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ChaosArguments } from './arguments.ts'
import { checkEventIds, checkRebuild } from './checks.ts'
import type { Instance } from './instance.ts'
import { newHome, startInstance } from './instance.ts'
import type { KillMoment } from './seeded.ts'
import { killMoments } from './seeded.ts'
import { startLogFindings } from './start-log.ts'
import { bytesBehind, measureStateLag, stateLagFindings } from './state-lag.ts'

export interface AcquireReport {
  readonly program: 'acquire'
  readonly seed: number
  readonly kills: number
  readonly events: number
  readonly rows: number
  /** The furthest any task was behind its changelogs at a kill, in bytes of keys and values. */
  readonly bytes_behind_max: number
  readonly example: unknown
  readonly findings: readonly string[]
}

interface Site {
  readonly options: ChaosArguments
  readonly directory: string
  readonly dataDir: string
  readonly url: string
  readonly start: () => Instance
  readonly logFile: string
  /** What must not outlive us. */
  readonly parts: Set<{ stop(): Promise<unknown> }>
}

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

export async function runAcquire(options: ChaosArguments): Promise<AcquireReport> {
  const site = await newSite(options)
  const interrupted = (): void => void endParts(site).finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  say(`seed ${options.seed}, data in ${site.dataDir}`)
  let instance = site.start()
  try {
    if (!(await instance.ready())) throw new Error(`the instance did not start; see ${site.logFile}`)
    const example = startExample(site)
    const killed = await killAgainAndAgain(site, instance, example)
    instance = killed.instance
    const exampleCode = await example.ended
    const totals = exampleReport(site)
    const findings = [...killed.findings]
    if (exampleCode !== 0 || totals === null)
      findings.push(`the example ended with ${exampleCode}: its totals are not as expected`)
    if (killed.kills < options.kills)
      findings.push(
        `only ${killed.kills} of ${options.kills} kills fell into the run; give more --copies or a shorter --life-ms`,
      )
    const rebuilt = await checkRebuild(site.dataDir, site.url, say)
    const exit = await instance.stop()
    if (exit.code !== 0) findings.push(`the instance did not stop cleanly: ${exit.signal ?? `code ${exit.code}`}`)
    const ids = await checkEventIds(site.dataDir)
    findings.push(...rebuilt.findings, ...ids.repeated, ...startLogFindings(readFileSync(site.logFile, 'utf8')))
    const counts = {
      kills: killed.kills,
      events: ids.events,
      rows: rebuilt.rows,
      bytes_behind_max: killed.bytesBehindMax,
    }
    const result = { program: 'acquire' as const, seed: options.seed, ...counts, example: totals, findings }
    if (findings.length === 0 && !options.keep) rmSync(site.directory, { recursive: true, force: true })
    return result
  } finally {
    await endParts(site)
  }
}

async function newSite(options: ChaosArguments): Promise<Site> {
  const { directory, dataDir, logFile, port, url } = await newHome()
  const settings = {
    PORT: String(port),
    HOST: '127.0.0.1',
    DATA_DIR: dataDir,
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'warn',
    STATE_FLUSH_BYTES: String(options.stateFlushBytes),
    // Only bytes may cause a flush, so that the bound is what is tested.
    STATE_FLUSH_MS: '3600000',
  }
  const parts: Site['parts'] = new Set()
  const start = (): Instance => {
    const instance = startInstance({ url, settings, logFile })
    parts.add(instance)
    void instance.exited.finally(() => parts.delete(instance))
    return instance
  }
  return { options, directory, dataDir, url, logFile, start, parts }
}

async function endParts({ parts }: Site): Promise<void> {
  await Promise.all([...parts].map((part) => part.stop()))
}

interface Example {
  readonly ended: Promise<number>
  isRunning(): boolean
}

function startExample({ options, directory, url, parts }: Site): Example {
  const script = fileURLToPath(new URL('../../examples/acquire.ts', import.meta.url))
  const numbers = {
    copies: options.copies,
    review: options.review,
    concurrency: options.concurrency,
    'timeout-min': options.timeoutMin,
  }
  const args = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(process.execPath, [script, '--url', url, '--json', join(directory, 'example.json'), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  let running = true
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      running = false
      resolve(code ?? 1)
    })
  })
  const part = { stop: () => (child.kill(), ended) }
  parts.add(part)
  return { ended: ended.finally(() => parts.delete(part)), isRunning: () => running }
}

interface Killed {
  readonly instance: Instance
  readonly kills: number
  readonly bytesBehindMax: number
  readonly findings: readonly string[]
}

async function killAgainAndAgain(site: Site, first: Instance, example: Example): Promise<Killed> {
  const { options } = site
  const findings: string[] = []
  let instance = first
  let kills = 0
  let bytesBehindMax = 0
  for (const moment of killMoments(options.seed, options.kills, options.lifeMs)) {
    if (!(await killAt(instance, moment, example))) break
    kills += 1
    const tasks = await measureStateLag(site.dataDir)
    const behind = Math.max(0, ...tasks.map(({ stores }) => bytesBehind(stores)))
    bytesBehindMax = Math.max(bytesBehindMax, behind)
    const found = stateLagFindings(tasks, options.stateFlushBytes).map((line) => `kill ${kills}: ${line}`)
    findings.push(...found)
    say(
      `kill ${kills} of ${options.kills}, ${moment.waitMs} ms after ${moment.after}: ${tasks.length} tasks, at most ${behind} bytes behind${found.length === 0 ? '' : ', TOO MUCH'}`,
    )
    instance = site.start()
  }
  if (!(await instance.ready())) findings.push('the instance ended by itself')
  return { instance, kills, bytesBehindMax, findings }
}

/** @returns false when the example was through before the moment came */
async function killAt(instance: Instance, moment: KillMoment, example: Example): Promise<boolean> {
  if (moment.after === 'ready' && !(await instance.ready()))
    throw new Error('the instance ended by itself; its log says why')
  const wakeAt = performance.now() + moment.waitMs
  while (performance.now() < wakeAt && example.isRunning()) await sleep(Math.min(50, moment.waitMs))
  if (!example.isRunning()) return false
  const { code, signal } = await instance.kill()
  if (signal !== 'SIGKILL') throw new Error(`the instance ended by itself with code ${code}; its log says why`)
  return true
}

function exampleReport({ directory }: Site): unknown {
  try {
    return JSON.parse(readFileSync(join(directory, 'example.json'), 'utf8'))
  } catch {
    return null
  }
}
