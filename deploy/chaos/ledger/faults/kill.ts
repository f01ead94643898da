/** Kills: by the clock, at a named place, and while a request is with its broker. */

import { setTimeout as sleep } from 'node:timers/promises'
import { bounceBroker } from '../brokers.ts'
import { Life } from '../lives.ts'
import { count } from '../progress.ts'
import type { PlannedKill, PlannedPlace, PlannedWire } from '../schedule.ts'
import type { Site } from '../site.ts'
import { transactionalIdOf } from '../log.ts'
import { allTasks } from '../programs.ts'
import { armed, commitsAgain, recoverMs, struckInTime } from './arm.ts'

/** How long a process may take to come to its place after it became ready, in ms. */
const placeMs = 1_500
/** The same where it must come there; each try is given more. */
const longPlaceMs = 5_000
/** How often a place is tried that the process did not come to. */
const triesMax = 4

export async function kill(site: Site, { after, waitMs, at, brokerAwayMs, isSurvived }: PlannedKill): Promise<void> {
  const { progress, brokers } = site
  const other = isSurvived ? new Life(site, { process: 'b' }) : null
  await other?.ready()
  const life = new Life(site, at === null ? {} : { further: ['--crash', `${at.place}:${at.pass}`] })
  if (after === 'ready') await life.ready()
  if (brokerAwayMs !== null && brokers !== null) {
    await sleep(waitMs)
    await bounceBroker(brokers, progress.brokerKills, brokerAwayMs)
    progress.brokerKills += 1
  }
  await life.until(() => false, at === null ? waitMs : placeMs)
  const [byItself, wasReady] = [life.isOver, life.isReady]
  await life.killed()
  progress.kills += 1
  if (!wasReady) progress.killsInStart += 1
  if (byItself && at !== null) count(progress.killsAtPlaces, at.place)
  if (other !== null) await takeover(site, other)
}

/** The other has all tasks soon, and goes on; then it dies too. */
async function takeover(site: Site, other: Life): Promise<void> {
  const what = 'kill that another survives'
  const hasAll = await other.until(() => other.tasks === allTasks, recoverMs)
  if (!hasAll) site.progress.findings.push(`${what}: the other has ${other.tasks} of ${allTasks} tasks`)
  await commitsAgain(site, transactionalIdOf('ledger', other.process), what)
  await other.killed()
  count(site.progress.faults, what)
}

/** Where the last commit of a task that moves, and of a process that leaves, needs somebody who comes, or a word. */
export async function killAtPlace(site: Site, planned: PlannedPlace): Promise<void> {
  const { place, pass, tried } = planned
  const { progress } = site
  const ofTwo = place === 'C16' || place === 'C17'
  const life = new Life(site, { further: ['--crash', `${place}:${ofTwo || tried > 1 ? 1 : pass}`] })
  const lives = [life]
  if (await life.ready()) {
    const isLeaving = ofTwo && (pass + tried) % 2 === 0
    if (isLeaving) life.leave()
    else if (ofTwo) lives.push(new Life(site, { process: 'b' }))
    await life.until(() => false, longPlaceMs * (ofTwo ? 4 : 1 + 2 * tried))
  }
  const byItself = life.isOver && (await life.ended).signal === 'SIGKILL'
  await Promise.all(lives.map((one) => endOf(one)))
  if (byItself) count(progress.killsAtPlaces, place)
  else if (tried + 1 < triesMax) progress.planned.push({ ...planned, tried: tried + 1 })
  else progress.findings.push(`${place} was not come to in ${triesMax} lives`)
}

/** One that was told to leave may have. */
async function endOf(life: Life): Promise<void> {
  life.kill()
  const { code, signal } = await life.ended
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`process ${life.process} ended by itself with code ${code}`)
}

/** The broker gets what was sent, also when its sender is dead. */
export async function killAtWire(site: Site, { api, side, skip }: PlannedWire): Promise<void> {
  const life = new Life(site, {})
  await life.ready()
  const fault = armed(site).arm({
    ...{ deed: 'hold', side, skip },
    where: (request) => request.api === api && request.transactionalId !== null,
  })
  if ((await struckInTime(site, fault, `kill at the wire, ${api}`)) === null) return life.killed()
  await life.killed()
  fault.release()
  await fault.answered
  count(site.progress.faults, `kill ${side === 'answer' ? 'after' : 'before'} ${api}`)
}
