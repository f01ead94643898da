/** Where a run happens: its directory, its brokers, and the processes that must not outlive us. */

import type { ChildProcess } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChaosArguments } from '../arguments.ts'
import type { Brokers } from './brokers.ts'
import { openBrokers } from './brokers.ts'
import type { Progress } from './progress.ts'
import { newProgress, readProgress, saveProgress } from './progress.ts'

export interface Site {
  readonly options: ChaosArguments
  readonly directory: string
  /** What the processes say to people, over all lives. */
  readonly logFile: string
  readonly progress: Progress
  /** Null on the embedded log. */
  readonly brokers: Brokers | null
  readonly children: Set<ChildProcess>
}

export async function openSite(given: ChaosArguments): Promise<Site> {
  const isResumed = given.resume !== null
  const progress = given.resume === null ? newProgress(given) : readProgress(given.resume)
  const options = { ...given, ...progress.asked, seed: progress.seed }
  const directory = given.resume ?? mkdtempSync(join(tmpdir(), 'chaos-'))
  mkdirSync(dataOf(directory, 'a'), { recursive: true })
  const logFile = join(directory, 'instance.log')
  appendFileSync(logFile, '')
  const brokers = options.log === 'kafka' ? await openBrokers(directory, options, isResumed) : null
  return { options, directory, logFile, progress, brokers, children: new Set() }
}

/** A process's own directory. */
export const dataOf = (directory: string, process: string): string =>
  join(directory, process === 'a' ? 'data' : `data-${process}`)

export const save = ({ directory, progress }: Site): void => saveProgress(directory, progress)

/** Nothing of it runs any more. */
export async function closeSite(site: Site): Promise<void> {
  for (const child of site.children) child.kill('SIGKILL')
  await site.brokers?.stop()
}
