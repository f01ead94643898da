/**
 * Three processes of the build before, replaced by this one, one after the other in any order: by a stop in order, or a kill. What
 * a run begins with again is what this build has left: so the way back is gone too.
 */

import { Life } from '../lives.ts'
import { transactionalIdOf } from '../log.ts'
import { allTasks } from '../programs.ts'
import { count } from '../progress.ts'
import type { PlannedUpgrade } from '../schedule.ts'
import type { Site } from '../site.ts'
import { commitsAgain } from './arm.ts'

/** How long tasks may take to find their places, in ms. */
const placedMs = 90_000

export async function upgrade(site: Site, { order }: PlannedUpgrade): Promise<void> {
  const { findings, faults } = site.progress
  const lives = new Map(order.map(({ process }) => [process, new Life(site, { process, build: 'before' })]))
  const areShared = async (what: string): Promise<boolean> => {
    const all = [...lives.values()]
    const isShared = (): boolean =>
      all.every(({ tasks }) => tasks > 0) && all.reduce((sum, { tasks }) => sum + tasks, 0) === allTasks
    const [first] = all
    if (first !== undefined && (await first.until(isShared, placedMs))) return true
    const found = all.map(({ process, tasks }) => `${process} ${tasks}`).join(', ')
    findings.push(`${what}: the tasks were not shared (${found} of ${allTasks})`)
    return false
  }
  if (!(await areShared('three of the build before'))) return
  for (const { process, isKilled } of order) {
    const what = `${isKilled ? 'killed' : 'stopped'} and started as this build`
    await (isKilled ? lives.get(process)?.killed() : stopped(site, lives.get(process)))
    const next = new Life(site, { process })
    lives.set(process, next)
    if (!(await areShared(`${process} ${what}`))) return
    await commitsAgain(site, transactionalIdOf('ledger', process), `${process} ${what}`)
    count(faults, what)
  }
  for (const life of lives.values()) await life.killed()
}

async function stopped(site: Site, life: Life | undefined): Promise<void> {
  life?.leave()
  const { code, signal } = (await life?.ended) ?? { code: 0, signal: null }
  if (code !== 0) site.progress.findings.push(`the build before ended with ${signal ?? `code ${code}`}`)
}
