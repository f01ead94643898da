/** What must be true of the application after a run, and of its tables at any time in it. */

import type { Violation } from '../../program.ts'
import type { FirstLight } from '../first-light.ts'
import type { LogSeen } from '../seen.ts'
import { Seen } from '../seen.ts'
import { accounted } from './accounted.ts'
import { calls } from './calls.ts'
import { deadlinesKept } from './deadlines.ts'
import { ingested } from './ingested.ts'
import { carriedOnce } from './outbox.ts'
import { projected } from './projected.ts'
import { tenantsApart } from './tenants.ts'

export function checkFirstLight(log: LogSeen, world: FirstLight): readonly Violation[] {
  const seen = new Seen(log)
  return [
    ...carriedOnce(seen, world),
    ...ingested(seen, world),
    ...accounted(seen, world),
    ...calls(seen, world),
    ...projected(seen, world.projections, [...world.snapshots, world.tablesNow()]),
    ...tenantsApart(seen, world),
    ...deadlinesKept(seen),
  ]
}

/** What people still wait for; null when everything asked for has come to its end. */
export function unfinishedOf(log: LogSeen, world: FirstLight): string | null {
  const waiting = world.people.waiting ?? behind(log, world)
  if (waiting !== null) return waiting
  const seen = new Seen(log)
  const open = [...carriedOnce(seen, world), ...ingested(seen, world), ...accounted(seen, world), ...calls(seen, world)]
  return open.find(({ invariant }) => invariant === 'I1')?.what ?? null
}

/** What is on its way through outbox and sinks; null when nothing is. */
export function behind(log: LogSeen, { outbox, tables, projections }: FirstLight): string | null {
  const unsent = outbox.rows.filter(({ sentAt }) => sentAt === null).length
  if (unsent > 0) return `${unsent} rows of the outbox were not sent yet`
  const offsets = new Map(tables.offsetsNow().map((at) => [`${at.sink} ${at.partition}`, at.nextOffset]))
  for (const { name, reads } of projections)
    for (let partition = 0; partition < log.partitions(reads.name); partition++) {
      const last = log.committed(reads.name, partition).at(-1)?.offset ?? -1n
      const next = offsets.get(`${name} ${partition}`) ?? 0n
      if (next <= last)
        return `sink ${name} stands at ${next} of ${reads.name}-${partition}, whose last record is ${last}`
    }
  return null
}
