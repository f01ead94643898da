import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import type { TopologyDriver } from '../../../topology/testing/index.ts'
import { header, override, pairs, random, send, sendBatch, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { Cluster } from './cluster.ts'
import type { Caller } from './programs.ts'
import { callProgram } from './programs.ts'
import { troubledLog } from './troubled-log.ts'

const { start, restart } = useDrivers()

const never = (): Promise<string> => new Promise(() => undefined)
const textOf = (value: string): string => value.split(' ').at(-1) ?? ''
const after = (clock: HandClock, ms: number, answer: string): Promise<string> =>
  new Promise((resolve) => void clock.after(ms, () => resolve(answer)))

async function spins(clock: HandClock, count: number, ms = 20): Promise<void> {
  for (let n = 0; n < count; n++) await spin(clock, ms)
}

async function committedOffset(driver: TopologyDriver): Promise<bigint | undefined> {
  const [committed] = await driver.log.committedOffsets('calls', [{ topic: 'requests', partition: 0 }])
  return committed?.offset
}

describe('lanes', () => {
  test('after a recovery a lane still has one call at a time, in order (A1, A3)', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'calls')
    const running = new Map<string, number>()
    let most = 0
    const call = async (value: string): Promise<string> => {
      if (value === 'quick') return value
      const tenant = textOf(value).charAt(0)
      running.set(tenant, (running.get(tenant) ?? 0) + 1)
      most = Math.max(most, ...running.values())
      const answer = await after(clock, 600, textOf(value))
      running.set(tenant, (running.get(tenant) ?? 0) - 1)
      return answer
    }
    const options = { topologies: [callProgram({ call })], clock, log: troubled.log, settings: { retryMinMs: 100 } }
    const driver = await start(options)
    for (const tenant of ['a', 'b']) {
      await send(driver, 'requests', `${tenant}|k`, `${tenant}1`)
      await send(driver, 'requests', `${tenant}|k`, `@${t0 + 100} ${tenant}2`)
    }
    await spins(clock, 2)
    troubled.failNext('end', 'lost request')
    await send(driver, 'requests', 'a|other', 'quick')
    await spins(clock, 10)
    await driver.settle()
    const answers = pairs(await driver.read('answers'))
    expect(troubled.failures).toBe(1)
    expect(most).toBe(1)
    expect(answers.filter((pair) => pair.startsWith('a|k'))).toEqual(['a|k=a1', 'a|k=a2'])
    expect(answers.filter((pair) => pair.startsWith('b|k'))).toEqual(['b|k=b1', 'b|k=b2'])
  })

  test('when the front of a lane is called again later, everything behind it waits with it (A1)', async () => {
    const clock = new HandClock(t0)
    const calls: string[] = []
    const call = (value: string): Promise<string> => {
      calls.push(value)
      const down = Object.assign(new Error('down'), { then: 'retry' })
      return value === 'a1' && calls.length === 1 ? Promise.reject(down) : Promise.resolve(value)
    }
    const driver = await start({ topologies: [callProgram({ call })], clock })
    const behind = ['a1', 'a2'].map((value) => ({ key: 'a|k', value, timestamp: t0 }))
    await sendBatch(driver.log, { topic: 'requests' }, behind)
    await spins(clock, 5)
    await send(driver, 'requests', 'a|k', 'a3')
    await driver.advance(3000)
    expect(pairs(await driver.read('answers'))).toEqual(['a|k=a1', 'a|k=a2', 'a|k=a3'])
  })

  test('what came behind a record that had waited stays behind it over a restart (A1)', async () => {
    const clock = new HandClock(t0)
    let slow = true
    const call = (value: string): Promise<string> =>
      slow && value.endsWith('a1') ? never() : Promise.resolve(textOf(value))
    const options = { topologies: [callProgram({ call })], clock, settings: { closeTimeoutMs: 10 } }
    const driver = await start(options)
    await send(driver, 'requests', 'a|k', `@${t0 + 100} a1`)
    await spins(clock, 10)
    await send(driver, 'requests', 'a|k', 'a2')
    await send(driver, 'requests', 'b|k', 'b1')
    await spins(clock, 5)
    await driver.close()
    slow = false
    const again = await restart(driver, options)
    await again.settle()
    expect(pairs(await again.read('answers'))).toEqual(['b|k=b1', 'a|k=a1', 'a|k=a2'])
  })

  test('what is read again after its front is called again later waits behind it (A1)', async () => {
    const clock = new HandClock(t0)
    const down = Object.assign(new Error('down'), { then: 'retry' })
    let run = 1
    let failed = false
    const call = (value: string): Promise<string> => {
      if (value.startsWith('b')) return Promise.resolve(value)
      if (run === 1) return never()
      if (value !== 'a1' || failed) return Promise.resolve(value)
      failed = true
      return Promise.reject(down)
    }
    const settings = { closeTimeoutMs: 10, fetchMaxBytes: 1 }
    const options = { topologies: [callProgram({ call })], clock, settings }
    const driver = await start(options)
    for (const value of ['a1', 'b1', 'a2', 'b2']) await send(driver, 'requests', `${value.charAt(0)}|k`, value)
    await spins(clock, 10)
    await driver.close()
    run = 2
    const again = await restart(driver, options)
    await again.advance(3000)
    const answers = pairs(await again.read('answers'))
    expect(answers.filter((pair) => pair.startsWith('a|k'))).toEqual(['a|k=a1', 'a|k=a2'])
  })

  test('a call that was open before a restart comes before a lane mate whose time came meanwhile (A1, A7)', async () => {
    const called: string[] = []
    const call = (value: string): Promise<string> => {
      called.push(textOf(value))
      return called.length <= 2 ? never() : Promise.resolve('ok')
    }
    const options = { topologies: [callProgram({ call })], now: t0, settings: { closeTimeoutMs: 10 } }
    const driver = await start(options)
    for (const tenant of ['a', 'b']) {
      await send(driver, 'requests', `${tenant}|k`, `${tenant}1`)
      await send(driver, 'requests', `${tenant}|k`, `@${t0 + 300} ${tenant}2`)
    }
    await spin(driver.clock)
    await driver.close()
    await driver.clock.turnTo(t0 + 400)
    const again = await restart(driver, options)
    await again.settle()
    expect(called.slice(0, 2).sort()).toEqual(['a1', 'b1'])
    expect(called.slice(2).filter((value) => value.startsWith('a'))).toEqual(['a1', 'a2'])
    expect(called.slice(2).filter((value) => value.startsWith('b'))).toEqual(['b1', 'b2'])
  })

  test('a record does not overtake a lane mate that came due in the same turn (A1)', async () => {
    const clock = new HandClock(t0)
    const called: string[] = []
    const caller: Caller = {
      call: (value) => (called.push(textOf(value)), Promise.resolve('ok')),
      gate: (value) => {
        if (value === 'tick') void clock.jumpTo(t0 + 5000)
        return value !== 'tick'
      },
    }
    const driver = await start({ topologies: [callProgram(caller)], clock })
    for (const tenant of ['a', 'b']) await send(driver, 'requests', `${tenant}|k`, `@${t0 + 5000} ${tenant}1`)
    await driver.settle()
    const later = [['a|x', 'tick'], ['a|k', 'a2'], ['b|k', 'b2']].map(([key = '', value = '']) => ({ key, value, timestamp: t0 })) // prettier-ignore
    await sendBatch(driver.log, { topic: 'requests' }, later)
    await driver.settle()
    expect(called.filter((value) => value.startsWith('a'))).toEqual(['a1', 'a2'])
    expect(called.filter((value) => value.startsWith('b'))).toEqual(['b1', 'b2'])
  })

  test('what one slow lane holds is bounded, and so is a row of the done store (A6, A2)', async () => {
    const clock = new HandClock(t0)
    const caller = { concurrency: 4, call: (value: string) => (value === 'slow' ? never() : Promise.resolve('ok')) }
    const driver = await start({ topologies: [callProgram(caller)], clock })
    await send(driver, 'requests', 'b|k', 'quick')
    const slow = Array.from({ length: 2000 }, () => ({ key: 'a|k', value: 'slow', timestamp: t0 }))
    await sendBatch(driver.log, { topic: 'requests' }, slow)
    await spins(clock, 10)
    const held = 4 * 8
    expect(driver.worker.application('calls')?.status().processed).toBe(1 + held)
    expect(pairs(await driver.read('answers'))).toEqual(['b|k=ok'])
    expect(await committedOffset(driver)).toBe(1n)
    const rows = await driver.read('calls-done-changelog')
    expect(Math.max(...rows.map((row) => row.value?.length ?? 0))).toBe(8 * (1 + held))
  })
})

describe('calls that fail, and closing', () => {
  test('a call that fails for a passing reason is made again a second later; it is no dead letter (A4)', async () => {
    const at: number[] = []
    const clock = new HandClock(t0)
    const call = (value: string): Promise<string> => {
      if (value === 'well') return Promise.resolve('ok')
      at.push(clock.now())
      const error = Object.assign(new Error('the key service is down'), { then: 'retry' })
      return at.length === 1 ? Promise.reject(error) : Promise.resolve('ok')
    }
    const driver = await start({ topologies: [callProgram({ call })], clock })
    await send(driver, 'requests', 'a|k', 'ill')
    await send(driver, 'requests', 'b|k', 'well')
    await driver.settle()
    expect(pairs(await driver.read('answers'))).toEqual(['b|k=ok'])
    await driver.advance(2000)
    expect(pairs(await driver.read('answers'))).toEqual(['b|k=ok', 'a|k=ok'])
    expect(at).toHaveLength(2)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(1000)
    expect(await driver.read('requests.dlq')).toEqual([])
  })

  test('a failed call of a record without a value is a dead letter without one', async () => {
    const driver = await start({ topologies: [callProgram({ call: () => Promise.reject(new Error('no route')) })] })
    for (const tenant of ['a', 'b']) await send(driver, 'requests', `${tenant}|k`, null)
    await driver.settle()
    const dead = await driver.read('requests.dlq')
    expect(dead.map((record) => [record.key?.toString(), record.value])).toEqual([['a|k', null], ['b|k', null]]) // prettier-ignore
    expect(header(dead[0], 'dlq-message')).toBe('Error: no route')
  })

  test('closing starts no new call; what was not called stays open and is called after the restart (A2)', async () => {
    const called: string[] = []
    const finish = new Map<string, () => void>()
    const call = (value: string): Promise<string> => {
      called.push(value)
      return value.endsWith('1')
        ? new Promise((resolve) => finish.set(value, () => resolve(value)))
        : Promise.resolve(value)
    }
    const options = { topologies: [callProgram({ call })], now: t0 }
    const driver = await start(options)
    for (const value of ['a1', 'a2', 'b1', 'b2']) await send(driver, 'requests', `${value.charAt(0)}|k`, value)
    await spin(driver.clock)
    expect([...called].sort()).toEqual(['a1', 'b1'])
    const closing = driver.close()
    for (const answer of finish.values()) answer()
    await closing
    expect([...called].sort()).toEqual(['a1', 'b1'])
    const again = await restart(driver, options)
    await again.settle()
    expect([...called].sort()).toEqual(['a1', 'a2', 'b1', 'b2'])
    expect(pairs(await again.read('answers')).sort()).toEqual(['a|k=a1', 'a|k=a2', 'b|k=b1', 'b|k=b2'])
  })
})

describe('an input that lost its last records', () => {
  test('records that come at offsets which were done before are new ones: none is passed over (A2, I1)', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    let lost = false
    /** After the loss the topic is another one, with less in it. */
    const names = (topic: string): string => (lost && topic === 'requests' ? 'requests-after' : topic)
    const log = override(inner, {
      listOffsets: (of, which) =>
        inner.listOffsets(
          of.map(({ topic, partition }) => ({ topic: names(topic), partition })),
          which,
        ),
      fetch: async (request) => {
        const partitions = request.partitions.map((of) => ({ ...of, topic: names(of.topic) }))
        const answer = await inner.fetch({ ...request, partitions })
        return answer.map((of) => (of.topic === 'requests-after' ? { ...of, topic: 'requests' } : of))
      },
    })
    const calls: string[] = []
    const call = (value: string): Promise<string> => {
      calls.push(value)
      return value === 'slow' && !lost ? never() : Promise.resolve(`${value}!`)
    }
    const options = { topologies: [callProgram({ call })], clock, log, settings: { closeTimeoutMs: 10 } }
    const driver = await start(options)
    await inner.createTopics([{ name: 'requests-after', partitions: 1, config: {} }])
    for (const [key, value] of ['slow', 'one', 'two', 'three'].entries())
      await send(driver, 'requests', `t|${key}`, value)
    await spins(clock, 10)
    expect(await committedOffset(driver)).toBe(0n)
    await turnedUntil(clock, driver.close())
    await sendBatch(inner, { topic: 'requests-after' }, [
      { key: 't|0', value: 'slow', timestamp: t0 },
      { key: 't|1', value: 'one', timestamp: t0 },
    ])
    lost = true
    const again = await start({ ...options, log, databases: driver.databases })
    await sendBatch(inner, { topic: 'requests-after' }, [
      { key: 't|4', value: 'new', timestamp: t0 },
      { key: 't|5', value: 'newer', timestamp: t0 },
    ])
    await spins(clock, 20)
    expect(calls).toEqual(['slow', 'one', 'two', 'three', 'slow', 'new', 'newer'])
    expect(pairs(await again.read('answers'))).toEqual([
      't|1=one!',
      't|2=two!',
      't|3=three!',
      't|0=slow!',
      't|4=new!',
      't|5=newer!',
    ])
  })
})

describe('rate limit: at most that many real starts in any window (A5)', () => {
  /** The shortest time in which `calls` + 1 calls started. */
  const tightest = (starts: readonly number[], calls: number): number =>
    Math.min(...starts.slice(calls).map((at, index) => at - (starts[index] ?? 0)))

  test('after an hour of downtime the backlog does not start in one burst', async () => {
    const clock = new HandClock(t0)
    const starts: number[] = []
    const caller = {
      limit: { calls: 1, windowMs: 1000 },
      call: () => (starts.push(clock.now()), Promise.resolve('ok')),
    }
    const options = { topologies: [callProgram(caller)], clock }
    const driver = await start(options)
    for (const key of ['a|1', 'b|1', 'a|2', 'b|2', 'a|3']) await send(driver, 'requests', key, 'x')
    await driver.settle()
    await driver.close()
    await clock.turnTo(t0 + 3_600_000)
    const again = await restart(driver, options)
    await again.advance(10_000)
    expect(starts).toHaveLength(5)
    expect(tightest(starts, 1)).toBeGreaterThanOrEqual(1000)
  })

  test('after a restart in order what counts is when calls started, not when they were expected to', async () => {
    const clock = new HandClock(t0)
    const starts: number[] = []
    const call = (): Promise<string> => {
      starts.push(clock.now())
      return after(clock, 900, 'ok')
    }
    const options = { topologies: [callProgram({ call, limit: { calls: 2, windowMs: 10_000 } })], clock }
    const driver = await start(options)
    // In one lane: the second is expected at once, and starts when the first was answered.
    for (const value of ['x', 'y']) await send(driver, 'requests', 'a|1', value)
    await driver.advance(1850)
    await driver.close()
    const again = await restart(driver, options)
    for (const key of ['a|2', 'b|2']) await send(again, 'requests', key, 'x')
    await again.advance(20_000)
    expect(starts).toHaveLength(4)
    expect(tightest(starts, 2)).toBeGreaterThanOrEqual(10_000)
  })

  test('a recovery remembers when calls really started, also those that no commit contains', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'calls')
    const starts: number[] = []
    const call = (): Promise<string> => {
      starts.push(clock.now())
      const down = Object.assign(new Error('down'), { then: 'retry' })
      return starts.length === 1 ? Promise.reject(down) : Promise.resolve('ok')
    }
    const caller = { limit: { calls: 1, windowMs: 1000 }, call }
    const driver = await start({
      topologies: [callProgram(caller)],
      clock,
      log: troubled.log,
      settings: { retryMinMs: 100 },
    })
    troubled.failNext('end', 'lost request')
    await send(driver, 'requests', 'a|k', 'x')
    await driver.advance(5000)
    expect(troubled.failures).toBe(1)
    expect(starts).toHaveLength(2)
    expect(tightest(starts, 1)).toBeGreaterThanOrEqual(1000)
  })

  test.each([
    ['ends', 900],
    ['is given up', Infinity],
  ])('reservations that pass behind a slow call do not start in one burst when it %s', async (_, slowMs) => {
    const clock = new HandClock(t0)
    const starts: number[] = []
    const call = (): Promise<string> => {
      starts.push(clock.now())
      if (starts.length > 2) return Promise.resolve('ok')
      return slowMs === Infinity ? never() : after(clock, slowMs, 'ok')
    }
    const driver = await start({ topologies: [callProgram({ call, limit: { calls: 2, windowMs: 100 } })], clock })
    for (let n = 0; n < 6; n++) for (const key of ['a|k', 'b|k']) await send(driver, 'requests', key, String(n))
    await spins(clock, 30, 100)
    await driver.settle()
    expect(starts).toHaveLength(12)
    expect(tightest(starts, 2)).toBeGreaterThanOrEqual(100)
  })

  test('a call that a crash repeats starts outside the window of its first start', async () => {
    const starts: [string, number][] = []
    const call = (value: string): Promise<string> => {
      starts.push([value, cluster.clock.now() - begun])
      return starts.length === 1 ? never() : Promise.resolve('ok')
    }
    const cluster = new Cluster({
      topology: callProgram({ call, limit: { calls: 1, windowMs: 60_000 } }),
      partitions: 1,
    })
    const { driver } = await cluster.start('one')
    const begun = cluster.clock.now()
    await send(driver, 'requests', 'a|k', 'a1')
    await send(driver, 'requests', 'b|k', 'b1')
    await cluster.run(100)
    expect(await committedOffset(driver)).toBe(0n)
    cluster.kill('one')
    // The same process again, its disk empty; the one before has to be missed first.
    const { driver: again } = await cluster.start('one')
    await cluster.run(30_000, 200)
    expect(starts.map(([value]) => value)).toEqual(['a1'])
    await again.advance(120_000)
    expect(starts.map(([value]) => value)).toEqual(['a1', 'a1', 'b1'])
    expect(tightest(starts.map(([, at]) => at), 1)).toBeGreaterThanOrEqual(60_000) // prettier-ignore
  })

  test('a limit that cannot be told any more when a record comes due is none', async () => {
    let known = true
    const limit = (): null => {
      if (!known) throw new Error('no such account')
      return null
    }
    const driver = await start({ topologies: [callProgram({ limit, call: () => Promise.resolve('ok') })], now: t0 })
    for (const key of ['a|k', 'b|k']) await send(driver, 'requests', key, `@${t0 + 100} later`)
    await driver.settle()
    known = false
    await driver.advance(500)
    expect(pairs(await driver.read('answers'))).toEqual(['a|k=ok', 'b|k=ok'])
  })
})
