/** Calls whose answers meet a crash (A3), and rate limits under random arrivals (A5). */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import type { CallLimit } from '../../../topology/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { pairs, random, send, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { mortalLog } from './mortal-log.ts'
import { callProgram } from './programs.ts'

const { start } = useDrivers()

describe('a crash around the commit of an answer (A3)', () => {
  const values = ['a|1', 'b|1', 'a|2'].map((key) => [key, `of ${key}`] as const)

  test.each([
    ['before', 'append', 2],
    ['before', 'sendOffsets', 2],
    ['before', 'end', 2],
    ['after', 'end', 1],
  ] as const)('%s %s: each was called %i times, each answer stands there once', async (moment, call, times) => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const mortal = mortalLog(log, 'calls')
    const called: string[] = []
    const answers = Promise.withResolvers<void>()
    const topologies = [callProgram({ call: (value) => (called.push(value), answers.promise.then(() => `${value}!`)) })]
    const options = { topologies, clock }
    // Not closed after the test: a dead process does not close.
    const killed = await TopologyDriver.start({ ...options, log: mortal.log })
    for (const [key, value] of values) await send(killed, 'requests', key, value)
    // The commit that passes the unanswered requests goes through: the kill is for the one with the answers.
    for (let n = 0; n < 10; n++) await spin(clock)
    mortal.killAt(call, moment)
    answers.resolve()
    for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock)
    expect(mortal.isDead).toBe(true)
    expect(called).toHaveLength(values.length)
    const again = await turnedUntil(clock, start({ ...options, log, databases: memoryDatabases() }))
    await again.settle()
    for (const [, value] of values) expect(called.filter((other) => other === value)).toHaveLength(times)
    expect(pairs(await again.read('answers')).sort()).toEqual(values.map(([key, value]) => `${key}=${value}!`).sort())
  })
})

interface Arrival {
  /** After the one before, in ms. */
  readonly pauseMs: number
  readonly account: number
  readonly lane: number
  readonly callMs: number
}

interface Plan {
  readonly limits: readonly CallLimit[]
  readonly arrivals: readonly Arrival[]
  /** Before which arrivals the process is closed and started again. */
  readonly restarts: readonly number[]
}

const plans: fc.Arbitrary<Plan> = fc.record({
  limits: fc.array(
    fc.record({ calls: fc.integer({ min: 1, max: 4 }), windowMs: fc.integer({ min: 50, max: 2_000 }) }),
    {
      minLength: 2,
      maxLength: 2,
    },
  ),
  arrivals: fc.array(
    fc.record({
      pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 3_000 })),
      account: fc.nat(1),
      lane: fc.nat(3),
      callMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 900 })),
    }),
    { minLength: 1, maxLength: 40 },
  ),
  restarts: fc.array(fc.nat(39), { maxLength: 2 }),
})

describe('a rate limit', () => {
  test('holds in any window under random arrivals, slow calls and restarts; lanes keep their order (A5, A1)', async () => {
    await fc.assert(fc.asyncProperty(plans, checkPlan), { numRuns: 30 })
  }, 120_000)
})

async function checkPlan({ limits, arrivals, restarts }: Plan): Promise<void> {
  const clock = new HandClock(t0)
  const log = openMemoryLog({ clock, random })
  const started: { account: number; lane: string; n: number; at: number }[] = []
  const parse = (value: string) => {
    const [n = 0, account = 0, lane = 0, callMs = 0] = value.split(' ').map(Number)
    return { n, account, lane: `${account}-${lane}`, callMs }
  }
  const call = (value: string): Promise<string> => {
    const { n, account, lane, callMs } = parse(value)
    started.push({ account, lane, n, at: clock.now() })
    return new Promise((resolve) => void clock.after(callMs, () => resolve(value)))
  }
  const limit = (value: string): { account: string; limit: CallLimit } | null => {
    const { account } = parse(value)
    const found = limits[account]
    return found === undefined ? null : { account: String(account), limit: found }
  }
  const options = { topologies: [callProgram({ call, limitOf: limit, lane: (_, value) => parse(value).lane, concurrency: 3 })], clock } // prettier-ignore
  let driver = await start({ ...options, log })
  for (const [n, { pauseMs, account, lane, callMs }] of arrivals.entries()) {
    if (restarts.includes(n)) {
      await driver.close()
      driver = await start({ ...options, log, databases: driver.databases })
    }
    await send(driver, 'requests', `${account === 0 ? 'a' : 'b'}|${lane}`, `${n} ${account} ${lane} ${callMs}`)
    await spin(clock, pauseMs)
  }
  await driver.advance(200_000)
  const answered = (await driver.read('answers')).map(({ value }) => Number(value?.toString().split(' ')[0]))
  expect([...answered].sort((a, b) => a - b)).toEqual(arrivals.map((_, n) => n))
  limits.forEach(({ calls, windowMs }, account) => {
    const times = started.filter((one) => one.account === account).map(({ at }) => at)
    times.slice(calls).forEach((at, index) => expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(windowMs))
  })
  for (const lane of new Set(started.map((one) => one.lane))) {
    const order = answered.filter((n) => `${arrivals[n]?.account}-${arrivals[n]?.lane}` === lane)
    expect(order).toEqual([...order].sort((a, b) => a - b))
  }
}
