/**
 * A process that stands still until its session and its transaction are over and another has taken its tasks, and then goes on
 * as if nothing had been. It must do no harm, be told, and become a member again.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../../proxy/faults.ts'
import { errorIn } from '../../proxy/frames.ts'
import { Life } from '../lives.ts'
import { count } from '../progress.ts'
import { allTasks } from '../programs.ts'
import type { PlannedZombie } from '../schedule.ts'
import type { Site } from '../site.ts'
import { armed, commitsAgain, expectNotice, inTime, struckInTime } from './arm.ts'
import { transactionalIdOf } from '../log.ts'

const shareMs = 60_000
const takeoverMs = 60_000
const comeBackMs = 30_000
/** Past the session and past the time that a transaction may be open, in ms. */
const pastBothMs = 6_500

export async function zombie(site: Site, planned: PlannedZombie): Promise<void> {
  const [a, b] = await shared(site)
  if (a === null || b === null) return
  const what = `zombie ${planned.holds === null ? 'at any moment' : `in ${planned.holds}`}`
  const fault = planned.holds === null ? null : await holding(site, planned.holds, what)
  if (fault === null) await sleep(planned.waitMs)
  const since = a.said().length
  a.freeze()
  const frozenAt = performance.now()
  const isTaken = await b.until(() => b.tasks === allTasks, takeoverMs)
  if (!isTaken) site.progress.findings.push(`${what}: the other has ${b.tasks} of ${allTasks} tasks`)
  await sleep(Math.max(0, pastBothMs - (performance.now() - frozenAt)))
  await commitsAgain(site, transactionalIdOf('ledger', 'b'), what)
  const verdict = await letGo(fault)
  a.thaw()
  count(site.progress.faults, what)
  if (verdict !== null) count(site.progress.faults, `${what}: ${verdict}`)
  const isBack = await a.until(() => a.tasks > 0 && a.tasks + b.tasks === allTasks, comeBackMs)
  if (!isBack)
    site.progress.findings.push(`${what}: it did not become a member again (${a.tasks} and ${b.tasks} tasks)`)
  expectNotice(site, a, since, what)
  await a.killed()
  await b.killed()
}

/** Both, when each has some of the tasks; else they are killed. */
export async function shared(site: Site): Promise<readonly [Life, Life] | readonly [null, null]> {
  const a = new Life(site, {})
  const b = new Life(site, { process: 'b' })
  const areReady = (await Promise.all([a.ready(), b.ready()])).every(Boolean)
  const isShared = (): boolean => a.tasks > 0 && b.tasks > 0 && a.tasks + b.tasks === allTasks
  if (areReady && (await a.until(isShared, shareMs))) return [a, b]
  site.progress.findings.push(`two processes did not share the tasks (${a.tasks} and ${b.tasks} of ${allTasks})`)
  await a.killed()
  await b.killed()
  return [null, null]
}

/** Of process a. */
async function holding(site: Site, api: string, what: string): Promise<Fault | null> {
  const fault = armed(site).arm({
    ...{ deed: 'hold', side: 'request' },
    where: (request) => request.api === api && request.clientId === 'a',
  })
  return (await struckInTime(site, fault, what)) === null ? null : fault
}

async function letGo(fault: Fault | null): Promise<string | null> {
  if (fault === null) return null
  fault.release()
  const answer = await inTime(fault.answered, 10_000)
  const error = answer === null ? null : errorIn(await fault.struck, answer)
  return answer === null ? 'not answered' : error === null ? 'answered' : error === 0 ? 'done' : `refused with ${error}`
}
