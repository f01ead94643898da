import { describe, expect, test } from 'vitest'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { header, pairs, send, spin, t0, turns, useDrivers } from './harness.ts'
import { callProgram, countProgram, deadlineProgram, mergeProgram } from './programs.ts'

const { start, restart } = useDrivers()

describe('state and commit', () => {
  test('counts per key, for two tenants, over three partitions', async () => {
    const driver = await start({ topologies: [countProgram()], partitions: 3 })
    for (const key of ['a|1', 'b|1', 'a|1', 'a|2', 'b|1', 'a|1']) await send(driver, 'words', key, 'x')
    await driver.settle()
    const read = pairs(await driver.read('counts-out'))
    expect(read.filter((pair) => pair.startsWith('a|1'))).toEqual(['a|1=1', 'a|1=2', 'a|1=3'])
    expect(read.filter((pair) => pair.startsWith('b|1'))).toEqual(['b|1=1', 'b|1=2'])
    expect(read.filter((pair) => pair.startsWith('a|2'))).toEqual(['a|2=1'])
  })

  test('the changelog holds each key once per transaction, and state is restored from it', async () => {
    const driver = await start({ topologies: [countProgram()] })
    for (let n = 0; n < 5; n++) await send(driver, 'words', 'k', 'x')
    await driver.settle()
    const rows = pairs(await driver.read('counter-counts-changelog'))
    expect(rows.at(-1)).toBe('k=5')
    const again = await restart(driver, { topologies: [countProgram()] })
    await send(again, 'words', 'k', 'x')
    await again.settle()
    expect(pairs(await again.read('counts-out')).at(-1)).toBe('k=6')
    expect(again.notices.some((line) => line.includes('restored'))).toBe(true)
  })

  test('an idle application makes no transactions', async () => {
    const driver = await start({ topologies: [countProgram()] })
    await send(driver, 'words', 'k', 'x')
    await driver.settle()
    const before = driver.worker.applications[0]?.status().commits
    await driver.advance(10_000)
    expect(driver.worker.applications[0]?.status().commits).toBe(before)
    expect(before).toBe(1)
  })

  test('a missing topic is one clear line', async () => {
    const { log, clock } = await start({ topologies: [] })
    const driver = TopologyDriver.start({
      topologies: [countProgram()],
      log: { ...log, createTopics: async () => undefined, metadata: async () => [] } as never,
      clock,
    })
    await expect(driver).rejects.toThrow('application "counter" needs topics that do not exist: words, counts-out')
  })
})

describe('order', () => {
  test('the input with the lowest timestamp is taken first', async () => {
    const first = await start({ topologies: [] })
    await first.log.createTopics(['left', 'right', 'merged'].map((name) => ({ name, partitions: 1, config: {} })))
    await send(first, 'left', 'k', '10', 10)
    await send(first, 'left', 'k', '30', 30)
    await send(first, 'right', 'k', '20', 20)
    await send(first, 'right', 'k', '40', 40)
    const driver = await start({ topologies: [mergeProgram()], log: first.log, clock: first.clock })
    await driver.settle()
    expect(pairs(await driver.read('merged')).at(-1)).toBe('k=l10 r20 l30 r40')
  })
})

describe('timers', () => {
  test('fires once when nothing met the deadline', async () => {
    const driver = await start({ topologies: [deadlineProgram()], now: t0 })
    await send(driver, 'orders', 'k', 'arm 1000', t0)
    await driver.advance(999)
    expect(pairs(await driver.read('verdicts'))).toEqual(['k=saw arm'])
    await driver.advance(5000)
    expect(pairs(await driver.read('verdicts'))).toEqual(['k=saw arm', `k=late deadline ${t0 + 1000}`])
    await driver.advance(100_000)
    expect(pairs(await driver.read('verdicts'))).toHaveLength(2)
  })

  test('does not fire when the deadline was met', async () => {
    const driver = await start({ topologies: [deadlineProgram()], now: t0 })
    await send(driver, 'orders', 'k', 'arm 1000', t0)
    await send(driver, 'orders', 'k', 'met', t0 + 900)
    await driver.advance(100_000)
    expect(pairs(await driver.read('verdicts'))).toEqual(['k=saw arm', 'k=saw met'])
  })

  test('a timer of the key due before a record fires before it (R3)', async () => {
    const driver = await start({ topologies: [deadlineProgram()], now: t0 })
    await send(driver, 'orders', 'k', 'arm 1000', t0)
    await send(driver, 'orders', 'other', 'met', t0 + 2000)
    await send(driver, 'orders', 'k', 'met', t0 + 1001)
    await driver.settle()
    expect(pairs(await driver.read('verdicts'))).toEqual([
      'k=saw arm',
      'other=saw met',
      `k=late deadline ${t0 + 1000}`,
      'k=saw met',
    ])
  })

  test('after an hour of downtime the backlog is read before any deadline fires (R6)', async () => {
    const options = { topologies: [deadlineProgram()], now: t0 }
    const driver = await start(options)
    await send(driver, 'orders', 'met', 'arm 60000', t0)
    await send(driver, 'orders', 'missed', 'arm 60000', t0)
    await driver.settle()
    await driver.close()
    await send(driver, 'orders', 'met', 'met', t0 + 30_000)
    await driver.clock.turnTo(t0 + 3_600_000)
    const again = await start({ ...options, log: driver.log, databases: driver.databases, clock: driver.clock })
    await again.settle()
    expect(pairs(await again.read('verdicts')).filter((pair) => pair.includes('late'))).toEqual([])
    await again.advance(59_000)
    expect(pairs(await again.read('verdicts')).filter((pair) => pair.includes('late'))).toEqual([])
    await again.advance(2_000)
    expect(pairs(await again.read('verdicts')).filter((pair) => pair.includes('late'))).toEqual([
      `missed=late deadline ${t0 + 60_000}`,
    ])
  })

  test('cannot be armed at or before its last firing (T2)', async () => {
    const driver = await start({ topologies: [deadlineProgram()], now: t0 })
    await send(driver, 'orders', 'k', 'arm 1000', t0)
    await driver.advance(2000)
    await send(driver, 'orders', 'k', 'arm 1000', t0)
    await driver.settle()
    const [dead] = await driver.read('orders.dlq')
    expect(header(dead, 'dlq-reason')).toBe('timer_in_the_past')
  })
})

describe('poison', () => {
  test('a step that throws leaves nothing behind but its dead letter; its key is blocked, others go on', async () => {
    const driver = await start({ topologies: [countProgram()] })
    await send(driver, 'words', 'a|k', 'x')
    await send(driver, 'words', 'a|k', 'throw')
    await send(driver, 'words', 'b|k', 'x')
    await send(driver, 'words', 'a|k', 'x')
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|k=1', 'b|k=1'])
    const dead = await driver.read('words.dlq')
    expect(pairs(dead)).toEqual(['a|k=throw'])
    expect(header(dead[0], 'dlq-reason')).toBe('step_failed')
    expect(header(dead[0], 'dlq-message')).toBe('Error: the step broke')
    expect(header(dead[0], 'dlq-offset')).toBe('1')
    expect(driver.worker.applications[0]?.blocked()).toMatchObject([{ key: 'a|k', reason: 'step_failed', count: 2 }])
  })

  test('skip and redrive processes what was set aside, in order, also after a restart', async () => {
    const options = { topologies: [countProgram()] }
    const driver = await start(options)
    await send(driver, 'words', 'k', 'reject')
    await send(driver, 'words', 'k', 'one')
    await send(driver, 'words', 'k', 'two')
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual([])
    const again = await restart(driver, options)
    await again.settle()
    const application = again.worker.application('counter')
    expect(application?.blocked()).toMatchObject([{ key: 'k', reason: 'bad_value', count: 3 }])
    expect(await application?.redrive(Buffer.from('k'), { skipFirst: false })).toBe(3)
    expect(await application?.redrive(Buffer.from('k'), { skipFirst: true })).toBe(0)
    await again.settle()
    expect(pairs(await again.read('counts-out'))).toEqual(['k=1', 'k=2'])
    expect(application?.blocked()).toEqual([])
    await send(again, 'words', 'k', 'three')
    await again.settle()
    expect(pairs(await again.read('counts-out')).at(-1)).toBe('k=3')
  })

  test('one bad record in 50 among 1,000: order of the good ones per key is kept and nothing is lost', async () => {
    const driver = await start({ topologies: [countProgram()], partitions: 2 })
    for (let n = 0; n < 1000; n++) await send(driver, 'words', `t|${n % 97}`, n % 50 === 7 ? 'reject' : 'x')
    await driver.settle()
    const status = driver.worker.applications[0]?.status()
    const counted = await driver.read('counts-out')
    expect(status?.processed).toBe(1000)
    expect(counted.length + (status?.deadLetters ?? 0) + (status?.setAside ?? 0)).toBe(1000)
    const last = new Map<string, number>()
    for (const record of counted) {
      const key = record.key?.toString() ?? ''
      expect(Number(record.value?.toString())).toBe((last.get(key) ?? 0) + 1)
      last.set(key, (last.get(key) ?? 0) + 1)
    }
  })
})

describe('async operator', () => {
  test('answers keep the order of a lane; lanes run side by side', async () => {
    const finish = new Map<string, () => void>()
    const caller = {
      call: (value: string) => new Promise<string>((resolve) => finish.set(value, () => resolve(`${value}!`))),
    }
    const driver = await start({ topologies: [callProgram(caller)] })
    for (const [key, value] of [['a', 'a1'], ['a', 'a2'], ['b', 'b1']] as const) await send(driver, 'requests', key, value) // prettier-ignore
    await spin(driver.clock)
    expect([...finish.keys()].sort()).toEqual(['a1', 'b1'])
    finish.get('b1')?.()
    await spin(driver.clock)
    finish.get('a1')?.()
    await spin(driver.clock)
    expect(finish.has('a2')).toBe(true)
    finish.get('a2')?.()
    await driver.settle()
    expect(pairs(await driver.read('answers'))).toEqual(['b=b1!', 'a=a1!', 'a=a2!'])
  })

  test('an open call holds the committed offset; after a restart only what was open is called again (A2)', async () => {
    const called: string[] = []
    const hang = new Promise<string>(() => undefined)
    const caller = {
      call: (value: string) => (
        called.push(value),
        value === 'slow' && called.filter((v) => v === 'slow').length === 1 ? hang : Promise.resolve(`${value}!`)
      ),
    }
    const options = { topologies: [callProgram(caller)], settings: { closeTimeoutMs: 10 } }
    const driver = await start(options)
    for (const value of ['one', 'slow', 'two', 'three']) await send(driver, 'requests', `k-${value}`, value)
    await turns(100)
    await driver.clock.turnTo(driver.clock.now() + 200)
    await turns(100)
    expect(pairs(await driver.read('answers')).sort()).toEqual(['k-one=one!', 'k-three=three!', 'k-two=two!'])
    const [committed] = await driver.log.committedOffsets('calls', [{ topic: 'requests', partition: 0 }])
    expect(committed?.offset).toBe(1n)
    await driver.close()
    const again = await start({ ...options, log: driver.log, databases: driver.databases, clock: driver.clock })
    await again.settle()
    expect(called.filter((value) => value !== 'slow')).toEqual(['one', 'two', 'three'])
    expect(called.filter((value) => value === 'slow')).toHaveLength(2)
    expect(pairs(await again.read('answers')).sort()).toEqual([
      'k-one=one!',
      'k-slow=slow!',
      'k-three=three!',
      'k-two=two!',
    ])
  })

  test('a record that must wait completes its offset and is called when its time has come, also after a restart (A4)', async () => {
    const called: [string, number][] = []
    let driver: TopologyDriver
    const caller = { call: (value: string) => (called.push([value, driver.clock.now()]), Promise.resolve('ok')) }
    const options = { topologies: [callProgram(caller)], now: t0 }
    driver = await start(options)
    await send(driver, 'requests', 'k', `@${t0 + 7000} later`)
    await send(driver, 'requests', 'l', 'now')
    await driver.settle()
    const [committed] = await driver.log.committedOffsets('calls', [{ topic: 'requests', partition: 0 }])
    expect(committed?.offset).toBe(2n)
    driver = await restart(driver, options)
    await driver.advance(6000)
    expect(called.map(([value]) => value)).toEqual(['now'])
    await driver.advance(2000)
    expect(called[1]?.[0]).toBe(`@${t0 + 7000} later`)
    expect(called[1]?.[1]).toBeGreaterThanOrEqual(t0 + 7000)
    expect(pairs(await driver.read('answers'))).toEqual(['l=ok', 'k=ok'])
  })

  test('12 requests at once under a limit of 10 a minute: 10 in the first minute, 2 later, order kept (A5)', async () => {
    const called: [string, number][] = []
    const clock = new HandClock(t0)
    const caller = {
      limit: { calls: 10, windowMs: 60_000 },
      concurrency: 20,
      call: (value: string) => (called.push([value, clock.now()]), Promise.resolve('ok')),
    }
    const driver = await start({ topologies: [callProgram(caller)], clock })
    const values = Array.from({ length: 12 }, (_, n) => `r${String(n).padStart(2, '0')}`)
    for (const value of values) await send(driver, 'requests', value, value)
    await driver.settle()
    expect(called).toHaveLength(10)
    await driver.advance(59_000)
    expect(called).toHaveLength(10)
    await driver.advance(2_000)
    expect(called.map(([value]) => value)).toEqual(values)
  })

  test('a call that fails is a dead letter; a call that takes too long is one too', async () => {
    const caller = {
      call: (value: string) =>
        value === 'hang' ? new Promise<string>(() => undefined) : Promise.reject(new Error('no route')),
    }
    const driver = await start({ topologies: [callProgram(caller)] })
    await send(driver, 'requests', 'a', 'fail')
    await send(driver, 'requests', 'b', 'hang')
    await turns()
    await driver.clock.turnTo(driver.clock.now() + 1500)
    await driver.settle()
    const dead = await driver.read('requests.dlq')
    expect(dead.map((record) => header(record, 'dlq-message'))).toEqual([
      'Error: no route',
      'Error: the call took longer than 1000 ms',
    ])
  })
})
