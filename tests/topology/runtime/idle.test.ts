/** When an application is quiet, and how far it says it has read: what whoever moves time looks at. */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import type { ApplicationWorker } from '../../../topology/index.ts'
import type { TopologyDriver } from '../../../topology/testing/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, spin, t0, turns, useDrivers } from './harness.ts'
import { callProgram, countProgram, deadlineProgram, emitProgram } from './programs.ts'

const { start } = useDrivers()
const hour = 3_600_000
const tenants = ['a', 'b'] as const

const only = (driver: TopologyDriver): ApplicationWorker => driver.worker.applications[0]!

/** A log whose answers to one kind of question can be held back. */
function holding(clock: HandClock) {
  const inner = openMemoryLog({ clock, random })
  const state = { asked: 0, held: Promise.resolve() }
  const log: Log = override(inner, {
    listOffsets: async (partitions, which) => {
      if (which === 'latest') state.asked++
      const offsets = await inner.listOffsets(partitions, which)
      if (which === 'latest') await state.held
      return offsets
    },
  })
  return { log, state }
}

describe('an application is not quiet', () => {
  test('before it runs, and after it was closed', async () => {
    const driver = await start({ topologies: [countProgram()], now: t0 })
    await driver.settle()
    expect(only(driver).isQuiet).toBe(true)
    await driver.close()
    expect(only(driver).isQuiet).toBe(false)
    expect(await only(driver).isIdle()).toBe(false)
  })

  test('from the record it takes to the commit of what became of it', async () => {
    const clock = new HandClock(t0)
    const driver = await start({ topologies: [countProgram()], clock, settings: { commitMinIntervalMs: 100 } })
    await driver.settle()
    for (const tenant of tenants) await send(driver, 'words', `${tenant}|k`, 'word')
    await turns()
    const before = only(driver).status()
    expect(before.processed).toBe(2)
    expect(only(driver).isQuiet).toBe(false)
    await spin(clock, 100)
    expect(only(driver).status().commits).toBe(before.commits + 1)
    expect(only(driver).isQuiet).toBe(true)
  })

  test('until the offset of a record that came to nothing is committed', async () => {
    const clock = new HandClock(t0)
    const settings = { commitMinIntervalMs: 100 }
    const driver = await start({ topologies: [emitProgram(() => [])], clock, settings })
    await driver.settle()
    for (const tenant of tenants) await send(driver, 'in', `${tenant}|k`, 'nothing')
    await turns()
    expect(only(driver).status().processed).toBe(2)
    expect(only(driver).isQuiet).toBe(false)
    await spin(clock, 100)
    expect(only(driver).isQuiet).toBe(true)
  })

  test('while a call is in flight, and until its answer is committed', async () => {
    const clock = new HandClock(t0)
    const answers = Promise.withResolvers<undefined>()
    const call = (value: string): Promise<string> => answers.promise.then(() => value)
    const driver = await start({ topologies: [callProgram({ call })], clock })
    for (const tenant of tenants) await send(driver, 'requests', `${tenant}|k`, tenant)
    await spin(clock, 200)
    expect(only(driver).status().callsInFlight).toBe(2)
    expect(only(driver).isQuiet).toBe(false)
    expect(only(driver).nextDue).toBeNull()
    answers.resolve(undefined)
    await driver.settle()
    expect(only(driver).isQuiet).toBe(true)
    expect(pairs(await driver.read('answers')).toSorted()).toEqual(['a|k=a', 'b|k=b'])
  })

  test('from the moment a timer is due until it has fired, also while the log is asked for it (R6)', async () => {
    const [clock, time] = [new HandClock(t0), new HandClock(t0)]
    const { log, state } = holding(clock)
    const driver = await start({ topologies: [deadlineProgram()], clock, time, log })
    for (const tenant of tenants) await send(driver, 'orders', `${tenant}|k`, 'arm 1000', t0)
    await driver.settle()
    const application = only(driver)
    await time.turnTo(t0 + 999)
    expect(application.isQuiet).toBe(true)
    await time.turnTo(t0 + 1000)
    expect(application.isQuiet).toBe(false)
    const held = Promise.withResolvers<void>()
    state.held = held.promise
    application.wake()
    await turns()
    // The time is what it was: nothing is due any more, yet the gate is open for what was.
    expect(application.status().timersFired).toBe(0)
    expect(application.isQuiet).toBe(false)
    held.resolve()
    await driver.settle()
    expect(application.status().timersFired).toBe(2)
    expect(application.isQuiet).toBe(true)
  })

  test('while a waiting call is due', async () => {
    const [clock, time] = [new HandClock(t0), new HandClock(t0)]
    const call = (value: string): Promise<string> => Promise.resolve(value)
    const driver = await start({ topologies: [callProgram({ call })], clock, time })
    for (const tenant of tenants) await send(driver, 'requests', `${tenant}|k`, `@${t0 + hour} ${tenant}`)
    await driver.settle()
    expect(only(driver).isQuiet).toBe(true)
    await time.turnTo(t0 + hour)
    expect(only(driver).isQuiet).toBe(false)
    only(driver).wake()
    await driver.settle()
    expect(only(driver).isQuiet).toBe(true)
    expect(await driver.read('answers')).toHaveLength(2)
  })
})

describe('an application says where it is', () => {
  test('in each partition it reads, and asks nobody: a record it has not taken shows in the log alone', async () => {
    const clock = new HandClock(t0)
    const { log, state } = holding(clock)
    const driver = await start({ topologies: [countProgram()], clock, log, partitions: 2 })
    await driver.settle()
    state.asked = 0
    const names = (): string[] =>
      only(driver).places().map(({ topic, partition, position }) => `${topic}-${partition}@${position}`) // prettier-ignore
    expect(names().toSorted()).toEqual(['words-0@0', 'words-1@0'])
    await driver.send('words', { key: Buffer.from('a|k'), value: Buffer.from('word'), partition: 1 })
    expect(only(driver).isQuiet).toBe(true)
    expect(names().toSorted()).toEqual(['words-0@0', 'words-1@0'])
    expect(state.asked).toBe(0)
    expect(await only(driver).isIdle()).toBe(false)
    expect(state.asked).toBe(1)
    await driver.settle()
    expect(names().toSorted()).toEqual(['words-0@0', 'words-1@1'])
  })

  test('a timer that is far off is not asked for: the log hears nothing until it is due', async () => {
    const clock = new HandClock(t0)
    const { log, state } = holding(clock)
    const driver = await start({ topologies: [deadlineProgram()], clock, log })
    for (const tenant of tenants) await send(driver, 'orders', `${tenant}|k`, `arm ${hour}`, t0)
    await driver.settle()
    state.asked = 0
    for (let n = 0; n < 20; n++) await spin(clock, 1_000)
    expect(state.asked).toBe(0)
    expect(only(driver).isQuiet).toBe(true)
    await driver.advance(hour)
    expect(state.asked).toBeGreaterThan(0)
    expect(only(driver).status().timersFired).toBe(2)
  })
})
