/** What the faults on the way to a broker have in common. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Faults, Seen } from '../../proxy/faults.ts'
import type { Request } from '../../proxy/frames.ts'
import type { Life } from '../lives.ts'
import type { Site } from '../site.ts'

/** How long a process may take to send what is waited for, and to go on after trouble, in ms. */
const strikeMs = 20_000
export const recoverMs = 40_000

/** @throws Error on the embedded log, which has no way to a broker */
export function armed({ brokers }: Site): Faults {
  if (brokers === null) throw new Error('this fault needs a Kafka')
  return brokers.faults
}

export async function inTime<T>(work: Promise<T>, withinMs: number): Promise<T | null> {
  const timer = new AbortController()
  const late = sleep(withinMs, null, { signal: timer.signal }).catch(() => null)
  const first = await Promise.race([work, late])
  timer.abort()
  return first
}

/** Null when nothing came that it could strike: that is a finding, for the process does not work then. */
export async function struckInTime(site: Site, fault: Fault, what: string): Promise<Request | null> {
  const request = await inTime(fault.struck, strikeMs)
  if (request !== null) return request
  armed(site).disarm(fault)
  site.progress.findings.push(`${what}: no such request came in ${strikeMs} ms`)
  return null
}

/** A transaction of this id was committed, and its process has heard it. */
export const isCommitted =
  (transactionalId: string | null) =>
  ({ what, heard, error, request }: Seen): boolean =>
    what === 'answered' &&
    heard &&
    error === 0 &&
    request.api === 'EndTxn' &&
    request.transactionalId === transactionalId

/** Waits until the process commits again; that it does not is a finding. */
export async function commitsAgain(site: Site, transactionalId: string | null, what: string): Promise<boolean> {
  const seen = await armed(site).next(isCommitted(transactionalId), recoverMs)
  if (seen === null) site.progress.findings.push(`${what}: nothing was committed in ${recoverMs} ms after it`)
  return seen !== null
}

const toldPeople = /going back to the last commit|the last commit failed|membership was lost/

/** A fault that nobody has noticed is a finding. @param since how much the process had said before */
export function expectNotice(site: Site, life: Life, since: number, what: string): void {
  if (!toldPeople.test(life.said(since))) site.progress.findings.push(`${what}: the process did not say anything of it`)
}
