/** A second process that comes, and goes, while a commit of the first is on its way. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Seen } from '../../proxy/faults.ts'
import { Life } from '../lives.ts'
import { transactionalIdOf } from '../log.ts'
import { count } from '../progress.ts'
import { allTasks } from '../programs.ts'
import type { PlannedRebalance } from '../schedule.ts'
import type { Site } from '../site.ts'
import { armed, struckInTime } from './arm.ts'

/** How long the other may take to come or go after it was told, and tasks to find their places, in ms. */
const callMs = 30_000
const placedMs = 60_000

export async function rebalance(site: Site, { application, coming, going }: PlannedRebalance): Promise<void> {
  const [a, b] = [new Life(site, {}), new Life(site, { process: 'b', further: ['--wait'] })]
  await a.ready()
  const came = await during(site, application, { ...coming, call: () => b.go(), api: coming.api, sign: 'JoinGroup' })
  const isShared = await a.until(() => b.tasks > 0 && a.tasks + b.tasks === allTasks, placedMs)
  if (!isShared) site.progress.findings.push(`${came}: ${a.tasks} and ${b.tasks} of ${allTasks} tasks run`)
  const went = await during(site, application, { ...going, call: () => b.leave(), sign: 'LeaveGroup' })
  const { code, signal } = await b.ended
  if (code !== 0) site.progress.findings.push(`${went}: the process that left ended with ${signal ?? `code ${code}`}`)
  const isAlone = await a.until(() => a.tasks === allTasks, placedMs)
  if (!isAlone) site.progress.findings.push(`${went}: ${a.tasks} of ${allTasks} tasks run`)
  await a.killed()
}

interface During {
  readonly api: string
  readonly side: 'request' | 'answer'
  readonly holdMs: number
  readonly call: () => void
  /** What b sends then. */
  readonly sign: 'JoinGroup' | 'LeaveGroup'
}

/** Holds a commit of a, has b called, and lets the commit go when b has come or gone and a while is over. */
async function during(site: Site, application: string, of: During): Promise<string> {
  const { api, side, holdMs, call, sign } = of
  const what = `${sign} during ${api}, ${side} held${holdMs > 1_000 ? ' past the rebalance' : ''}`
  const faults = armed(site)
  const transactionalId = transactionalIdOf(application, 'a')
  const where = (request: Seen['request']): boolean =>
    request.api === api && request.transactionalId === transactionalId
  const fault = faults.arm({ deed: 'hold', side, where })
  if ((await struckInTime(site, fault, what)) === null) return what
  const isSign = ({ what: phase, request }: Seen): boolean =>
    phase === 'asked' && request.api === sign && request.clientId === 'b' && request.group === application
  const seen = faults.next(isSign, callMs)
  call()
  if ((await seen) === null) site.progress.findings.push(`${what}: it was not called in ${callMs} ms`)
  else count(site.progress.faults, what)
  await sleep(holdMs)
  fault.release()
  return what
}
