/** The programs a seed may draw. */

import { firstLight } from './application/program.ts'
import { rows, signUps } from './application/sign-ups.ts'
import type { ProgramFactory } from './program.ts'
import { calls } from './workloads/calls.ts'
import { ledger } from './workloads/ledger.ts'
import { mixed } from './workloads/mixed.ts'
import { poison } from './workloads/poison.ts'
import { sharedStore } from './workloads/shared-store.ts'
import { timers } from './workloads/timers.ts'
import { twoHop } from './workloads/two-hop.ts'
import { windows } from './workloads/windows.ts'

export const programs: Readonly<Record<string, ProgramFactory>> = {
  calls,
  'first-light': firstLight,
  ledger,
  mixed: mixed([calls, ledger, poison, sharedStore, timers, twoHop, windows]),
  poison,
  rows,
  'shared-store': sharedStore,
  'sign-ups': signUps,
  timers,
  'two-hop': twoHop,
  windows,
}
