/** The machine's own time and chance, unless a client is given others. */

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../topology/clock.ts'

/** Longest delay a Node timer takes; a longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1

export const machineClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(delayMs, longestDelayMs))
    return () => clearTimeout(timer)
  },
}

export const machineRandom: Random = { bytes: (length) => randomBytes(length) }
