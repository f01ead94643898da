/**
 * A process that stands still until its session and its transaction are over and another has taken its tasks, and then goes on
 * as if nothing had been. It must do no harm, be told, and become a member again.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Seen } from '../../proxy/faults.ts'
import { errorIn } from '../../proxy/frames.ts'
import { Life } from '../lives.ts'
import { count } from '../progress.ts'
import { allTasks } from '../programs.ts'
import type { PlannedZombie, ZombieHold } from '../schedule.ts'
import type { Site } from '../site.ts'
import { armed, commitsAgain, expectNotice, inTime, struckInTime } from './arm.ts'
import { transactionalIdOf } from '../log.ts'

const shareMs = 60_000
const takeoverMs = 60_000
const comeBackMs = 30_000
/** Past the session and past the time that a transaction may be open, in ms. */
const pastBothMs = 6_500

export async function zombie(site: Site, { holds, waitMs }: PlannedZombie): Promise<void> {
  const [a, b] = await shared(site)
  if (a === null || b === null) return
  const what = `zombie ${holds === null ? 'at any moment' : `in ${holds.api} until ${holds.until}`}`
  const fault = holds === null ? null : await holding(site, holds, what)
  if (fault === null) await sleep(waitMs)
  const since = a.said().length
  a.freeze()
  const frozenAt = performance.now()
  const isInTime = holds?.until === 'takeover'
  if (isInTime) await soonAfterTakeover(site)
  const inTime = isInTime ? await letGo(fault) : null
  const isTaken = await b.until(() => b.tasks === allTasks, takeoverMs)
  if (!isTaken) site.progress.findings.push(`${what}: the other has ${b.tasks} of ${allTasks} tasks`)
  await sleep(Math.max(0, pastBothMs - (performance.now() - frozenAt)))
  await commitsAgain(site, transactionalIdOf('ledger', 'b'), what)
  const verdict = inTime ?? (await letGo(fault))
  a.thaw()
  count(site.progress.faults, what)
  if (verdict !== null) count(site.progress.faults, `${what}: ${verdict}`)
  await comesBack(site, [a, b], since, what)
}

async function comesBack(site: Site, [a, b]: readonly [Life, Life], since: number, what: string): Promise<void> {
  const isBack = await a.until(() => a.tasks > 0 && a.tasks + b.tasks === allTasks, comeBackMs)
  if (!isBack)
    site.progress.findings.push(`${what}: it did not become a member again (${a.tasks} and ${b.tasks} tasks)`)
  expectNotice(site, a, since, what)
  await a.killed()
  await b.killed()
}

/** The other has the assignment, and would have read offsets; the transaction is not over yet, unless all is slow. */
async function soonAfterTakeover(site: Site): Promise<void> {
  const isAssigned = ({ what, request }: Seen): boolean =>
    what === 'answered' && request.api === 'SyncGroup' && request.clientId === 'b' && request.group === heldGroup
  await armed(site).next(isAssigned, 3_500)
  await sleep(700)
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

/** What has tasks without state, which no restore keeps from reading offsets. */
const heldGroup = 'audit'

/** Of process a. */
async function holding(site: Site, { api, until }: ZombieHold, what: string): Promise<Fault | null> {
  const only = until === 'takeover' ? transactionalIdOf(heldGroup, 'a') : null
  const fault = armed(site).arm({
    ...{ deed: 'hold', side: 'request' },
    where: (request) =>
      request.api === api && request.clientId === 'a' && (only === null || request.transactionalId === only),
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
