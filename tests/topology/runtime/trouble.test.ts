import { describe, expect, test } from 'vitest'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, turnedUntil, useDrivers } from './harness.ts'
import { callProgram, countProgram } from './programs.ts'
import type { Call, Trouble } from './troubled-log.ts'
import { troubledLog } from './troubled-log.ts'

const { restart, start } = useDrivers()

const calls: Call[] = ['append', 'sendOffsets', 'end']
const troubles: Trouble[] = ['lost request', 'lost answer']

describe('trouble in a commit: the outcome counts as unknown (C3), tasks go back to the last commit (W5)', () => {
  test.each(calls.flatMap((call) => troubles.map((trouble) => [call, trouble] as const)))(
    '%s, %s: every record counts once',
    async (call, trouble) => {
      const clock = new HandClock()
      const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
      const driver = await start({ topologies: [countProgram()], log: troubled.log, clock, partitions: 2 })
      for (const key of ['a', 'b', 'a']) await send(driver, 'words', key, 'x')
      await driver.settle()
      troubled.failNext(call, trouble)
      for (const key of ['a', 'b', 'a']) await send(driver, 'words', key, 'x')
      await driver.settle()
      await send(driver, 'words', 'a', 'x')
      await driver.settle()
      expect(troubled.failures).toBe(1)
      const counts = pairs(await driver.read('counts-out'))
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
    const driver = await start({ topologies: [callProgram(caller)], log: troubled.log, clock })
    troubled.failNext('end', trouble)
    await send(driver, 'requests', 'k', 'one')
    await driver.settle()
    expect(troubled.failures).toBe(1)
    expect(called).toEqual(['one'])
    expect(pairs(await driver.read('answers'))).toEqual(['k=one!'])
  })
})

describe('a close while the worker goes back', () => {
  test('commits nothing: what the failed commit took is gone (W5)', async () => {
    const clock = new HandClock()
    const memory = openMemoryLog({ clock, random })
    let full = false
    const inner = override(memory, {
      openProducer: (options) =>
        full && options.transactionalId !== null
          ? Promise.reject(new LogError('STORAGE_FULL', 'no space left', 'retry'))
          : memory.openProducer(options),
    })
    const troubled = troubledLog(inner, 'counter')
    const options = { topologies: [countProgram()], log: troubled.log, clock, settings: { retryMinMs: 1000 } }
    const driver = await start(options)
    await send(driver, 'words', 'a', 'x')
    await driver.settle()
    troubled.failNext('sendOffsets', 'lost request')
    full = true
    await send(driver, 'words', 'a', 'x')
    for (let waits = 0; driver.notices.filter((line) => line.includes('STORAGE_FULL')).length === 0; waits++) {
      if (waits > 500) throw new Error(driver.notices.join('; '))
      await clock.turnTo(clock.now() + 20)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    full = false
    await driver.close()
    const again = await restart(driver, { ...options, log: memory })
    await again.settle()
    expect(pairs(await again.read('counts-out'))).toEqual(['a=1', 'a=2'])
  })
})

describe('trouble while tasks are opened', () => {
  test('is survived: the start waits until they are open', async () => {
    const clock = new HandClock()
    const inner = openMemoryLog({ clock, random })
    let asked = 0
    const log = override(inner, {
      committedOffsets: (...args) =>
        asked++ < 2 ? Promise.reject(new LogError('TIMEOUT', 'no answer', 'retry')) : inner.committedOffsets(...args),
    })
    const driver = await turnedUntil(clock, start({ topologies: [countProgram()], log, clock }))
    for (const key of ['a', 'b']) await send(driver, 'words', key, 'x')
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual(['a=1', 'b=1'])
    expect(asked).toBe(3)
  })

  test('that retrying cannot mend fails the start with its one line', async () => {
    const clock = new HandClock()
    const log = override(openMemoryLog({ clock, random }), {
      committedOffsets: () => Promise.reject(new LogError('STORAGE_ERROR', 'the disk is gone', 'stop')),
    })
    await expect(TopologyDriver.start({ topologies: [countProgram()], log, clock })).rejects.toThrow('the disk is gone')
  })
})

describe('trouble while inputs are read', () => {
  test('that passes costs nothing: tasks go back to the last commit and read again (W5)', async () => {
    const clock = new HandClock()
    const inner = openMemoryLog({ clock, random })
    let failing = false
    const log = override(inner, {
      fetch: async (request) => {
        const answer = await inner.fetch(request)
        if (!failing || request.partitions[0]?.topic !== 'words') return answer
        failing = false
        return answer.map((fetched) => ({ ...fetched, batches: Buffer.alloc(0), error: 'STORAGE_ERROR' as const }))
      },
    })
    const driver = await start({ topologies: [countProgram()], clock, log })
    failing = true
    for (const key of ['a', 'b', 'a']) await send(driver, 'words', key, 'x')
    await driver.settle()
    expect(failing).toBe(false)
    expect(pairs(await driver.read('counts-out'))).toEqual(['a=1', 'b=1', 'a=2'])
    expect(driver.notices.filter((line) => line.includes('going back to the last commit'))).toHaveLength(1)
  })
})
