import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { machineClock } from '../../../deploy/machine.ts'
import type { Running } from '../../../deploy/running.ts'
import { isAsked, openWarp, warpHandler } from '../../../deploy/warp/open-warp.ts'
import { WarpClock } from '../../../deploy/warp/warp-clock.ts'
import type { Warp } from '../../../deploy/warp/warp.ts'

const start = 1_767_225_600_000
const minute = 60_000
let directory: string
let warp: Warp | null = null
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'open-warp-'))
})
afterEach(async () => {
  await warp?.stop()
  rmSync(directory, { recursive: true })
})

/** A platform with two applications and one sink, of which each can be made to work. */
const platform = () => {
  const time = new WarpClock(join(directory, 'business-time'), start)
  const parts = { first: true, second: true, sinks: true, relay: true, sandbox: true }
  let [end, woken] = [5n, 0]
  const due: { first: number | null; second: number | null } = { first: null, second: start + minute }
  const place = { topic: 'a', partition: 0, position: 5n }
  const application = (name: 'first' | 'second') => ({
    get isQuiet() {
      return parts[name]
    },
    places: () => [place],
    get nextDue() {
      return due[name]
    },
    wake() {
      woken++
      due[name] = null
    },
  })
  const sinks = {
    get isQuiet() {
      return parts.sinks
    },
    places: () => [place],
  }
  const providers = {
    sandbox: {
      get isBusy() {
        return !parts.sandbox
      },
    },
  }
  const running = {
    foundation: { time, log: { listOffsets: () => Promise.resolve([end]) } },
    providers,
    relay: { isIdle: () => Promise.resolve(parts.relay) },
    sinks,
    streams: { here: [application('first'), application('second')] },
  }
  return {
    running: running as unknown as Running,
    time,
    parts,
    due,
    woken: () => woken,
    endsAt: (offset: bigint) => void (end = offset),
  }
}

const opened = (running: Running): Warp => {
  warp = openWarp(running, () => undefined)
  expect(warp).not.toBeNull()
  return warp!
}

const looks = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 60))

async function until(reached: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !reached(); n++) await looks()
  expect(reached()).toBe(true)
}

describe('the warp of a platform', () => {
  it('is none where time is the machine’s', () => {
    const { running } = platform()
    const real = { ...running, foundation: { ...running.foundation, time: machineClock } }
    expect(openWarp(real, () => undefined)).toBeNull()
  })

  it('stands still for each of its parts, then jumps to the timer of one, and wakes all (WP1, WP2)', async () => {
    const { running, time, parts, woken, endsAt } = platform()
    for (const part of Object.keys(parts) as (keyof typeof parts)[]) parts[part] = false
    opened(running).start()
    // Each in its turn is the only one that works.
    for (const part of Object.keys(parts) as (keyof typeof parts)[]) {
      for (const other of Object.keys(parts) as (keyof typeof parts)[]) parts[other] = other !== part
      await looks()
      expect(time.now(), part).toBe(start)
    }
    endsAt(6n)
    parts.sandbox = true
    await looks()
    expect(time.now(), 'a record that was not read').toBe(start)
    endsAt(5n)
    await until(() => time.now() >= start + minute)
    expect(woken()).toBe(2)
  })

  it('jumps for who waits on the clock too, before a timer that is later (WP2)', async () => {
    const { running, time } = platform()
    const at: number[] = []
    time.after(minute / 2, () => at.push(time.now()))
    opened(running).start()
    await until(() => at.length > 0)
    expect(at[0]).toBeLessThan(start + 3 * minute)
  })
})

describe('the handler of the clock', () => {
  interface Told {
    readonly status: number
    readonly body: Readonly<Record<string, unknown>>
  }

  const ask = async (of: Warp, method: string, body = '', from = '127.0.0.1'): Promise<Told> => {
    const request = Object.assign(Readable.from(body === '' ? [] : [Buffer.from(body)]), {
      method,
      headers: { host: '127.0.0.1:8080' },
      socket: { remoteAddress: from },
    }) as unknown as IncomingMessage
    let status = 0
    let text = ''
    const response = {
      writeHead: (code: number) => void (status = code),
      end: (said: string) => void (text = said),
    } as unknown as ServerResponse
    await warpHandler(of)(request, response)
    return { status, body: JSON.parse(text) as Told['body'] }
  }

  it('tells the time, holds it and lets it go on', async () => {
    const { running } = platform()
    const of = opened(running)
    expect(await ask(of, 'GET')).toEqual({
      status: 200,
      body: { now: new Date(start).toISOString(), jumps: 0, held_by: [] },
    })
    expect((await ask(of, 'POST', '{"hold": "script", "for_ms": 60000}')).body['held_by']).toEqual(['script'])
    expect((await ask(of, 'POST', '{"release": "script"}')).body['held_by']).toEqual([])
  })

  it('is not for others than this machine, and says what is wrong with a body', async () => {
    const { running } = platform()
    const of = opened(running)
    expect((await ask(of, 'POST', '{"hold": "script"}', '192.0.2.7')).status).toBe(403)
    for (const body of ['{"hold": 5}', '[]', 'null', 'nonsense', '', `"${'x'.repeat(20_000)}"`])
      expect((await ask(of, 'POST', body)).status, body.slice(0, 20)).toBe(400)
    expect(of.holders).toEqual([])
  })
})

it('takes people and programs for somebody who asks, and neither watchdogs nor who only practises (WP5)', () => {
  for (const path of ['/api/v1/events', '/console', '/console/board', '/sandbox/clock', '/sandbox/mail'])
    expect([path, isAsked(path)]).toEqual([path, true])
  for (const path of ['/ready', '/health', '/metrics', '/webhooks/stripe/main', '/d/a-token/events', '/consoles', '/'])
    expect([path, isAsked(path)]).toEqual([path, false])
})
