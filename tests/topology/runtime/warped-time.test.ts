import { describe, expect, test } from 'vitest'
import { HandClock } from '../../../topology/testing/index.ts'
import type { TopologyDriver } from '../../../topology/testing/index.ts'
import { SettableClock, pairs, send, spin, t0, useDrivers } from './harness.ts'
import { callProgram, deadlineProgram } from './programs.ts'

const { start, restart } = useDrivers()

const hour = 3_600_000
const minute = 60_000
const said = async (driver: TopologyDriver, topic: string): Promise<string[]> =>
  pairs(await driver.read(topic)).filter((pair) => !pair.includes('saw'))

/** Moves business time, and tells the applications, as who warps it does. */
async function warp(driver: TopologyDriver, time: HandClock, to: number): Promise<void> {
  await time.turnTo(to)
  for (const application of driver.worker.applications) application.wake()
  await driver.settle()
}

describe('time that is another than the clock', () => {
  test('timers follow it, commits follow the clock (R6, W3)', async () => {
    const time = new HandClock(t0)
    const driver = await start({ topologies: [deadlineProgram()], now: t0, time })
    for (const key of ['a|k', 'b|k']) await send(driver, 'orders', key, 'arm 1000', t0)
    await driver.settle()
    const application = driver.worker.application('deadlines')!
    expect(application.status().commits).toBeGreaterThan(0)
    expect(application.nextDue).toBe(t0 + 1000)
    await driver.advance(hour)
    expect(await said(driver, 'verdicts')).toEqual([])
    await warp(driver, time, t0 + 999)
    expect(await said(driver, 'verdicts')).toEqual([])
    await send(driver, 'orders', 'a|far', `arm ${10 * hour}`, t0 + 999)
    await driver.settle()
    await warp(driver, time, t0 + 30 * 24 * hour)
    expect(await said(driver, 'verdicts')).toEqual([
      `a|k=late deadline ${t0 + 1000}`,
      `b|k=late deadline ${t0 + 1000}`,
      `a|far=late deadline ${t0 + 999 + 10 * hour}`,
    ])
    expect(application.nextDue).toBeNull()
    expect(await application.isIdle()).toBe(true)
  })

  test('waiting calls and rate limits follow it, how long a call takes follows the clock (A4, A5)', async () => {
    const time = new HandClock(t0)
    const calls: string[] = []
    const call = (value: string): Promise<string> => {
      calls.push(value)
      return value.includes('slow') ? new Promise<string>(() => undefined) : Promise.resolve(value)
    }
    const driver = await start({ topologies: [callProgram({ call })], now: t0, time })
    for (const tenant of ['a', 'b']) await send(driver, 'requests', `${tenant}|k`, `@${t0 + hour} ${tenant}`)
    await send(driver, 'requests', 'a|other', 'slow')
    for (let n = 0; n < 3; n++) await spin(driver.clock, 1_000)
    await driver.advance(2 * hour)
    expect(calls).toEqual(['slow'])
    expect(driver.worker.application('calls')!.status().deadLetters).toBe(1)
    expect(driver.worker.application('calls')!.nextDue).toBe(t0 + hour)
    await warp(driver, time, t0 + hour)
    expect(await said(driver, 'answers')).toEqual(
      expect.arrayContaining(['a', 'b'].map((tenant) => `${tenant}|k=@${t0 + hour} ${tenant}`)),
    )
  })

  test('a limit counts starts by it, and is open again by it alone (A5)', async () => {
    const time = new HandClock(t0)
    const calls: string[] = []
    const answers: (() => void)[] = []
    const call = (value: string): Promise<string> => {
      calls.push(`${value} at ${(time.now() - t0) / (minute / 2)}`)
      return new Promise((resolve) => void answers.push(() => resolve(value)))
    }
    const limit = { calls: 2, windowMs: minute }
    const driver = await start({
      topologies: [callProgram({ call, limit, concurrency: 1, lane: (key) => key })],
      now: t0,
      time,
    })
    // The clock is far ahead: what goes by it comes late.
    await driver.advance(10 * minute)
    for (const key of ['a|1', 'b|2', 'a|3', 'b|4']) await send(driver, 'requests', key, key, t0)
    const answer = async (): Promise<void> => {
      await spin(driver.clock)
      answers.shift()?.()
      await spin(driver.clock)
    }
    await spin(driver.clock)
    expect(calls).toEqual(['a|1 at 0'])
    // The second was planned for now, and could not start before the first had ended: half a minute later.
    await time.turnTo(t0 + minute / 2)
    await answer()
    await answer()
    expect(calls.slice(1)).toEqual(['b|2 at 1'])
    await driver.advance(10 * minute)
    expect(calls).toHaveLength(2)
    await time.turnTo(t0 + minute)
    driver.worker.applications[0]!.wake()
    await answer()
    expect(calls.slice(2)).toEqual(['a|3 at 2'])
    // The last one was planned for the same time; it wakes by itself when that comes.
    await time.turnTo(t0 + 1.5 * minute)
    await answer()
    expect(calls.slice(3)).toEqual(['b|4 at 3'])
  })

  test('what is not to start before a time of it waits, though the clock is past that (A4)', async () => {
    const time = new HandClock(t0)
    const calls: string[] = []
    const call = (value: string): Promise<string> => (calls.push(value), Promise.resolve(value))
    const driver = await start({ topologies: [callProgram({ call })], now: t0, time })
    await driver.advance(2 * hour)
    for (const tenant of ['a', 'b']) await send(driver, 'requests', `${tenant}|k`, `@${t0 + hour} ${tenant}`, t0)
    await driver.settle()
    expect(calls).toEqual([])
    await warp(driver, time, t0 + hour)
    expect(calls).toHaveLength(2)
  })

  test('a place that a restart finds taken ahead of it counts when that time has come (A5)', async () => {
    const time = new HandClock(t0)
    const calls: string[] = []
    const call = (value: string): Promise<string> => (calls.push(value), Promise.resolve(value))
    const options = { topologies: [callProgram({ call, limit: { calls: 1, windowMs: minute } })], now: t0, time }
    const driver = await start(options)
    await driver.advance(10 * minute)
    for (const key of ['a|1', 'b|2']) await send(driver, 'requests', key, key, t0)
    await driver.settle()
    expect(calls).toEqual(['a|1'])
    const again = await restart(driver, options)
    await warp(again, time, t0 + minute)
    expect(calls).toEqual(['a|1', 'b|2'])
  })

  test('a restart waits out its grace in it (T4)', async () => {
    const time = new HandClock(t0)
    const options = { topologies: [deadlineProgram()], now: t0, time }
    const driver = await start(options)
    await send(driver, 'orders', 'a|k', 'arm 1000', t0)
    await driver.settle()
    await driver.close()
    await time.turnTo(t0 + 5_000)
    const again = await restart(driver, options)
    await again.advance(hour)
    await warp(again, time, t0 + 5_000 + 59_999)
    expect(await said(again, 'verdicts')).toEqual([])
    await warp(again, time, t0 + 5_000 + 60_000)
    expect(await said(again, 'verdicts')).toEqual([`a|k=late deadline ${t0 + 1000}`])
  })

  test('a stall, and a clock that is set back, are noticed by the clock and counted in it (T4)', async () => {
    const [clock, time] = [new SettableClock(t0), new HandClock(t0)]
    const driver = await start({ topologies: [deadlineProgram()], clock, time })
    for (const key of ['a|k', 'b|k']) await send(driver, 'orders', key, 'arm 1000', t0)
    await driver.settle()
    // It comes due while the process stands still.
    await time.turnTo(t0 + 5_000)
    // Long enough for a stall, and not for a session to end: tasks that open again begin now whatever was noticed.
    clock.set(8_000)
    await spin(clock, 1_000)
    expect(driver.worker.applications[0]!.nextDue).toBe(t0 + 65_000)
    clock.set(-16_000)
    await spin(clock, 1_000)
    await warp(driver, time, t0 + 5_000 + 59_999)
    expect(await said(driver, 'verdicts')).toEqual([])
    expect(driver.worker.applications[0]!.nextDue).toBe(t0 + 65_000)
    await warp(driver, time, t0 + 65_000)
    expect(await said(driver, 'verdicts')).toHaveLength(2)
  })
})
