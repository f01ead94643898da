/** The machine's own time and chance, unless a client is given others. */

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../topology/clock.ts'

export const machineClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
}

export const machineRandom: Random = { bytes: (length) => randomBytes(length) }
