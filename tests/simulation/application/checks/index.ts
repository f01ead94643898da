/** What must be true of the application after a run, and of its tables at any time in it. */

import type { Violation } from '../../program.ts'
import type { FirstLight } from '../first-light.ts'
import type { LogSeen } from '../seen.ts'
import { Seen } from '../seen.ts'
import { accounted } from './accounted.ts'
import { calls } from './calls.ts'
import { deadlinesKept } from './deadlines.ts'
import { carriedOnce } from './outbox.ts'
import { projected } from './projected.ts'
import { tenantsApart } from './tenants.ts'

export function checkFirstLight(log: LogSeen, world: FirstLight): readonly Violation[] {
  const seen = new Seen(log)
  return [
    ...carriedOnce(seen, world),
    ...accounted(seen),
    ...calls(seen, world),
    ...projected(seen, world.projections, [...world.snapshots, world.tablesNow()]),
    ...tenantsApart(seen, world),
    ...deadlinesKept(seen),
  ]
}
