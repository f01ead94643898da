/**
 * Requests that are late: held on their way until their sender has given up, has a successor, or is dead; then the broker
 * gets them. Jepsen's case among them: the end of a transaction that comes when the next one is open.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../../proxy/faults.ts'
import type { Request } from '../../proxy/frames.ts'
import { errorIn } from '../../proxy/frames.ts'
import { Life } from '../lives.ts'
import { count } from '../progress.ts'
import type { LateUntil, PlannedLate } from '../schedule.ts'
import type { Site } from '../site.ts'
import { armed, commitsAgain, expectNotice, inTime, recoverMs, struckInTime } from './arm.ts'

const requestTimeoutMs = 1_500
/** Past the time that a transaction may be open, in ms. */
const pastTransactionMs = 6_000
const answerMs = 10_000

export async function late(site: Site, { api, until, skip }: PlannedLate): Promise<void> {
  const what = `late ${api}, ${until}`
  const life = new Life(site, { further: ['--request-timeout-ms', String(requestTimeoutMs)] })
  await life.ready()
  const where = (request: Request): boolean => request.api === api && request.transactionalId !== null
  const fault = armed(site).arm({ deed: 'hold', side: 'request', skip, where })
  const since = life.said().length
  const request = await struckInTime(site, fault, what)
  if (request === null) return life.killed()
  const again = await held[until](site, life, fault, request)
  const answer = await inTime(fault.answered, answerMs)
  again?.()
  count(site.progress.faults, what)
  count(site.progress.faults, `${what}: ${verdict(request, answer)}`)
  if (!life.isOver && (await commitsAgain(site, request.transactionalId, what))) expectNotice(site, life, since, what)
  await life.killed()
}

function verdict(request: Request, answer: Buffer | null): string {
  if (answer === null) return 'not answered'
  const error = errorIn(request, answer)
  return error === null ? 'answered' : error === 0 ? 'done' : `refused with ${error}`
}

/** Waits until its time has come, and lets it go. @returns what is to follow when it was answered, if anything is */
type Hold = (site: Site, life: Life, fault: Fault, request: Request) => Promise<(() => void) | void>

const held: Readonly<Record<LateUntil, Hold>> = {
  /** The successor's InitProducerId finds it done. */
  'given up': (site, _, fault, request) => before(site, fault, request, 'InitProducerId'),
  successor: async (site, _, fault, { transactionalId }) => {
    await armed(site).next(
      ({ what, heard, request }) =>
        what === 'answered' && heard && request.api === 'InitProducerId' && request.transactionalId === transactionalId,
      recoverMs,
    )
    fault.release()
  },
  /** All of the next transaction is written, and it is not ended. */
  'next transaction': (site, _, fault, request) => before(site, fault, request, 'EndTxn'),
  'timed out': async (_, __, fault) => {
    await sleep(pastTransactionMs)
    fault.release()
  },
  'its process is dead': async (_, life, fault) => {
    await life.killed()
    fault.release()
  },
  'dead and timed out': async (_, life, fault) => {
    await life.killed()
    await sleep(pastTransactionMs)
    fault.release()
  },
}

/** Lets it go when the next such request of the same producer has come as far, and that one when it is answered. */
async function before(site: Site, fault: Fault, { transactionalId }: Request, api: string): Promise<() => void> {
  const faults = armed(site)
  const next = faults.arm({
    ...{ deed: 'hold', side: 'request' },
    where: (request) => request.api === api && request.transactionalId === transactionalId,
  })
  await struckInTime(site, next, `late request before ${api}`)
  fault.release()
  return () => next.release()
}
