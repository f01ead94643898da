import { afterEach, describe, expect, test } from 'vitest'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { callProgram, countProgram } from './programs.ts'
import type { Call, Trouble } from './troubled-log.ts'
import { troubledLog } from './troubled-log.ts'

const open: TopologyDriver[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((driver) => driver.close()))
})

const random = { bytes: (length: number) => Buffer.alloc(length, 7) }
const text = async (driver: TopologyDriver, topic: string): Promise<string[]> =>
  (await driver.read(topic)).map((record) => `${record.key?.toString()}=${record.value?.toString()}`)

const calls: Call[] = ['append', 'sendOffsets', 'end']
const troubles: Trouble[] = ['lost request', 'lost answer']

describe('trouble in a commit: the outcome counts as unknown (C3), tasks go back to the last commit (W5)', () => {
  test.each(calls.flatMap((call) => troubles.map((trouble) => [call, trouble] as const)))(
    '%s, %s: every record counts once',
    async (call, trouble) => {
      const clock = new HandClock()
      const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
      const driver = await TopologyDriver.start({
        topologies: [countProgram()],
        log: troubled.log,
        clock,
        partitions: 2,
      })
      open.push(driver)
      const send = async (key: string): Promise<void> =>
        driver.send('words', { key: Buffer.from(key), value: Buffer.from('x') })
      for (const key of ['a', 'b', 'a']) await send(key)
      await driver.settle()
      troubled.failNext(call, trouble)
      for (const key of ['a', 'b', 'a']) await send(key)
      await driver.settle()
      await send('a')
      await driver.settle()
      expect(troubled.failures).toBe(1)
      const counts = await text(driver, 'counts-out')
      expect(counts.filter((pair) => pair.startsWith('a'))).toEqual(['a=1', 'a=2', 'a=3', 'a=4', 'a=5'])
      expect(counts.filter((pair) => pair.startsWith('b'))).toEqual(['b=1', 'b=2'])
      expect(driver.notices.filter((line) => line.includes('going back to the last commit'))).toHaveLength(1)
    },
  )

  test.each(troubles)('end, %s: a finished call is not called again (A3)', async (trouble) => {
    const called: string[] = []
    const caller = { call: (value: string) => (called.push(value), Promise.resolve(`${value}!`)) }
    const clock = new HandClock()
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'calls')
    const driver = await TopologyDriver.start({ topologies: [callProgram(caller)], log: troubled.log, clock })
    open.push(driver)
    troubled.failNext('end', trouble)
    await driver.send('requests', { key: Buffer.from('k'), value: Buffer.from('one') })
    await driver.settle()
    expect(troubled.failures).toBe(1)
    expect(called).toEqual(['one'])
    expect(await text(driver, 'answers')).toEqual(['k=one!'])
  })
})

describe('trouble while tasks are opened', () => {
  test('is survived: the start waits until they are open', async () => {
    const clock = new HandClock()
    const inner = openMemoryLog({ clock, random })
    let failures = 0
    const log = new Proxy(inner, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (name !== 'committedOffsets') return member.bind(target) as unknown
        return (...args: Parameters<typeof inner.committedOffsets>) => {
          if (failures++ < 2) return Promise.reject(new LogError('TIMEOUT', 'no answer', 'retry'))
          return target.committedOffsets(...args)
        }
      },
    })
    const starting = TopologyDriver.start({ topologies: [countProgram()], log, clock })
    let started = false
    void starting.then(() => (started = true))
    while (!started) {
      await new Promise((resolve) => setImmediate(resolve))
      await clock.turnTo(clock.now() + 10)
    }
    const driver = await starting
    open.push(driver)
    await driver.send('words', { key: Buffer.from('a'), value: Buffer.from('x') })
    await driver.settle()
    expect(await text(driver, 'counts-out')).toEqual(['a=1'])
    expect(failures).toBe(3)
  })

  test('that retrying cannot mend fails the start with its one line', async () => {
    const clock = new HandClock()
    const inner = openMemoryLog({ clock, random })
    const log = new Proxy(inner, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (name === 'committedOffsets')
          return () => Promise.reject(new LogError('STORAGE_ERROR', 'the disk is gone', 'stop'))
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    await expect(TopologyDriver.start({ topologies: [countProgram()], log, clock })).rejects.toThrow('the disk is gone')
  })
})
