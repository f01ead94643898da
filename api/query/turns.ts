/** Turns at the database, per tenant: a busy tenant waits behind itself and never takes the whole pool. */

import { ApiProblem } from '../http/problem.ts'

export interface Turns {
  /** Runs `work` when it is this tenant's turn. @throws ApiProblem 503 `too_busy` */
  take<T>(tenant: string, work: () => Promise<T>): Promise<T>
}

interface Line {
  running: number
  readonly waiting: (() => void)[]
}

export function turns(atOnce: number, waitingMax: number): Turns {
  const lines = new Map<string, Line>()
  return {
    async take(tenant, work) {
      let line = lines.get(tenant)
      if (line === undefined) lines.set(tenant, (line = { running: 0, waiting: [] }))
      if (line.running >= atOnce) await queue(line, waitingMax)
      else line.running += 1
      try {
        return await work()
      } finally {
        // The turn passes on, or ends.
        const next = line.waiting.shift()
        if (next !== undefined) next()
        else if (--line.running === 0) lines.delete(tenant)
      }
    },
  }
}

function queue(line: Line, waitingMax: number): Promise<void> {
  if (line.waiting.length >= waitingMax)
    throw new ApiProblem(503, 'too_busy', 'Too many reads of this tenant wait already.', {
      headers: { 'Retry-After': '1' },
    })
  return new Promise((resolve) => line.waiting.push(resolve))
}
