/**
 * The engine under faults: the ledger's process is killed at seeded moments and started again on the same directory; with a
 * Kafka its brokers die too, and what goes between them is cut, held and late (`schedule.ts`, `faults/`). After every
 * `checkEvery` lives and in the end a checker reads what is there (`checks.ts` says what must be true).
 */

import { rmSync } from 'node:fs'
import process from 'node:process'
import type { ChaosArguments } from '../arguments.ts'
import { cuts } from './faults/cuts.ts'
import { kill, killAtPlace, killAtWire } from './faults/kill.ts'
import { late } from './faults/late.ts'
import { rebalance } from './faults/rebalance.ts'
import { upgrade } from './faults/upgrade.ts'
import { zombie } from './faults/zombie.ts'
import { judge } from './judge.ts'
import { Life } from './lives.ts'
import type { LedgerReport } from './report.ts'
import { progressLine, reportOf } from './report.ts'
import type { Planned } from './schedule.ts'
import type { Site } from './site.ts'
import { closeSite, openSite, save } from './site.ts'

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

/** The longest the process may take to finish what was begun, in ms. */
const drainMs = 120_000

export async function runLedger(given: ChaosArguments): Promise<LedgerReport> {
  const opened: { site: Site | null } = { site: null }
  const done = endOnSignals(opened)
  try {
    const site = (opened.site = await openSite(given))
    say(`seed ${site.progress.seed}, data in ${site.directory}`)
    const isFinished = await live(site)
    const report = reportOf(site, isFinished)
    if (!isFinished && report.findings.length === 0) say(`the time is over: go on with --resume ${site.directory}`)
    await closeSite(site)
    const isKept = site.options.keep || report.findings.length > 0 || !isFinished
    if (!isKept) rmSync(site.directory, { recursive: true, force: true })
    return report
  } finally {
    if (opened.site !== null) await closeSite(opened.site)
    done()
  }
}

/** @returns true when all that was asked for is done, and was checked in the end */
async function live(site: Site): Promise<boolean> {
  const { progress, options } = site
  const [begun, before] = [performance.now(), progress.seconds]
  const note = (): void => {
    progress.seconds = before + (performance.now() - begun) / 1000
    save(site)
  }
  const isOver = (): boolean => performance.now() - begun > options.timeoutMin * 60_000 || progress.findings.length > 0
  for (
    let next = progress.planned[progress.done];
    next !== undefined && !isOver();
    next = progress.planned[progress.done]
  ) {
    await happen(site, next)
    progress.done += 1
    note()
    if (progress.done % options.checkEvery === 0) await check(site, false)
  }
  const isDone = progress.done === progress.planned.length
  if (isDone && progress.findings.length === 0) await drain(site)
  if (progress.findings.length === 0) await check(site, isDone)
  note()
  return isDone
}

/** What goes wrong with the life itself is a finding too. */
async function happen(site: Site, planned: Planned): Promise<void> {
  try {
    await lifeOf(site, planned)
  } catch (error) {
    site.progress.findings.push(`life ${site.progress.done} (${planned.kind}): ${String(error)}`)
  } finally {
    for (const child of site.children) child.kill('SIGKILL')
  }
}

function lifeOf(site: Site, planned: Planned): Promise<void> {
  switch (planned.kind) {
    case 'kill':
      return kill(site, planned)
    case 'place':
      return killAtPlace(site, planned)
    case 'wire':
      return killAtWire(site, planned)
    case 'cuts':
      return cuts(site, planned)
    case 'late':
      return late(site, planned)
    case 'zombie':
      return zombie(site, planned)
    case 'rebalance':
      return rebalance(site, planned)
    case 'upgrade':
      return upgrade(site, planned)
  }
}

async function check(site: Site, isEnd: boolean): Promise<void> {
  await judge(site, isEnd)
  say(progressLine(site.progress))
}

/** Lets the process finish everything and end by itself. */
async function drain(site: Site): Promise<void> {
  const life = new Life(site, { further: ['--drain'] })
  const timer = setTimeout(() => life.kill(), drainMs)
  const { code, signal } = await life.ended
  clearTimeout(timer)
  if (code !== 0) throw new Error(`the process did not finish: ${signal ?? `code ${code}`}; see ${site.logFile}`)
}

/** A run that is interrupted ends its processes first. @returns what to call when it was not */
function endOnSignals(opened: { readonly site: Site | null }): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const
  const interrupted = (): void => {
    const { site } = opened
    if (site === null) return process.exit(130)
    say(`interrupted after ${site.progress.done} lives; go on with --resume ${site.directory}`)
    save(site)
    void closeSite(site).finally(() => process.exit(130))
  }
  for (const signal of signals) process.once(signal, interrupted)
  return () => {
    for (const signal of signals) process.off(signal, interrupted)
  }
}
