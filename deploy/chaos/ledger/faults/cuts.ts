/** Connections that end, or fall silent, under a request: its sender cannot know whether it was done. */

import { errorIn } from '../../proxy/frames.ts'
import type { Fault } from '../../proxy/faults.ts'
import { Life } from '../lives.ts'
import { count } from '../progress.ts'
import type { Cut, PlannedCuts } from '../schedule.ts'
import type { Site } from '../site.ts'
import { armed, commitsAgain, expectNotice, inTime, struckInTime } from './arm.ts'

/** Silence lasts until the process gives up. */
const requestTimeoutMs = '2000'
const answerMs = 10_000

export async function cuts(site: Site, { cuts: planned }: PlannedCuts): Promise<void> {
  const [first] = planned
  // What a start sends can only be cut in one.
  const atStart = first?.api === 'InitProducerId' ? arm(site, first, 0) : null
  const life = new Life(site, { further: ['--request-timeout-ms', requestTimeoutMs] })
  await life.ready()
  for (const cut of planned) await cutOnce(site, life, cut, cut === first ? atStart : null)
  await life.killed()
}

const arm = (site: Site, { api, transactional, deed, side }: Cut, skip: number): Fault =>
  armed(site).arm({
    ...{ deed, side, skip },
    where: (request) => request.api === api && (request.transactionalId !== null) === transactional,
  })

async function cutOnce(site: Site, life: Life, cut: Cut, atStart: Fault | null): Promise<void> {
  const { api, transactional, deed, side } = cut
  const what = `${deed} ${side} ${transactional ? '' : 'plain '}${api}`
  const since = atStart === null ? life.said().length : 0
  const fault = atStart ?? arm(site, cut, cut.skip)
  const request = await struckInTime(site, fault, what)
  if (request === null) return
  count(site.progress.faults, what)
  if (side === 'answer') {
    const answer = await inTime(fault.answered, answerMs)
    const error = answer === null ? null : errorIn(request, answer)
    if (error !== null && error !== 0) count(site.progress.faults, `${what}, refused with ${error}`)
  }
  if (!transactional) return
  if (atStart === null && (await commitsAgain(site, request.transactionalId, what)))
    expectNotice(site, life, since, what)
}
