/** The mover of business time over a whole platform; null where time is the machine's. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { fromLoopback } from '../../connectors/http/index.ts'
import { machineClock } from '../machine.ts'
import type { Running } from '../running.ts'
import { isStill } from './stillness.ts'
import { WarpClock } from './warp-clock.ts'
import { Warp } from './warp.ts'

export function openWarp(running: Running, notice: (line: string) => void): Warp | null {
  const { foundation, providers, relay, sinks, streams } = running
  const { time } = foundation
  if (!(time instanceof WarpClock)) return null
  return new Warp({
    warped: time,
    clock: machineClock,
    isIdle: () =>
      isStill({
        readers: [...streams.here, sinks],
        log: foundation.log,
        practising: () => providers.sandbox?.isBusy === true,
        relayed: () => relay.isIdle(),
      }),
    nextDue: () => {
      const due = streams.here.flatMap((application) => application.nextDue ?? [])
      return due.length === 0 ? null : Math.min(...due)
    },
    moved: () => {
      for (const application of streams.here) application.wake()
    },
    notice,
  })
}

/** Whether a person or a program asks (WP5), and not a watchdog, a provider's webhook or a demo's visitor, who practise too. */
export const isAsked = (path: string): boolean => /^\/(api|console|sandbox)(\/|$)/.test(path)

/**
 * `GET /sandbox/clock` tells business time; `POST /sandbox/clock {"hold": "<who>", "for_ms": 60000}` stops it for so long of
 * real time, `{"release": "<who>"}` lets it go on.
 */
export function warpHandler(warp: Warp) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const tell = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      response.end(JSON.stringify(value))
    }
    if (!fromLoopback(request))
      return tell(403, { title: 'Forbidden', detail: 'The clock is moved from this machine only.' })
    if (request.method === 'POST') {
      const { hold, release, for_ms } = await bodyOf(request)
      if (typeof hold === 'string') warp.hold(hold, typeof for_ms === 'number' ? for_ms : 60_000)
      else if (typeof release === 'string') warp.release(release)
      else return tell(400, { title: 'Bad request', detail: 'Give "hold" and "for_ms", or "release".' })
    }
    tell(200, { now: new Date(warp.now).toISOString(), jumps: warp.jumps, held_by: warp.holders })
  }
}

const longestBody = 10_000

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = ''
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8')
    if (text.length > longestBody) return {}
  }
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
