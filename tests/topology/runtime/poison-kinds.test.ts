/** Poison that is not a record of its own: timers that fail, and every way in which an async operator's call can (R5, A1). */

import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { BadRecord, TopologyBuilder } from '../../../topology/index.ts'
import type { Topology } from '../../../topology/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { header, pairs, random, send, sendBatch, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { mortalLog } from './mortal-log.ts'
import { callProgram, emitProgram, out, text } from './programs.ts'

const { start, restart } = useDrivers()

/** Arms a timer 1 s after each record; the timers of keys that end in "bad" write, arm, and then throw. */
const timerProgram = (): Topology =>
  new TopologyBuilder('alarms')
    .source('in', { topic: 'in', ...text })
    .store('alarms', { kind: 'timers' })
    .store('rows')
    .processor('ring', {
      parents: ['in'],
      stores: ['rows'],
      timers: { store: 'alarms', handles: ['ring'] },
      supplier: () => ({
        process: (record, context) =>
          context.timer(Buffer.from(record.key as string), 'ring', record.timestamp + 1_000),
        timer(key, name, dueAt, context) {
          context.store('rows').put(key, Buffer.from('rung'))
          context.timer(key, name, dueAt + 1_000_000)
          context.forward(out(key.toString(), 'rung', dueAt))
          if (key.toString().endsWith('bad')) throw new Error('the bell broke')
          context.timer(key, name, null)
        },
      }),
    })
    .sink('out', { parents: ['ring'], topics: ['out'], ...text })
    .build()

describe('a timer that throws', () => {
  const keys = ['a|1', 'b|bad', 'a|2', 'b|3', 'a|bad']

  test('is one dead letter and disarmed; nothing of its step is left, and the others fire (R4, R5, T1)', async () => {
    const driver = await start({ topologies: [timerProgram()], now: t0 })
    for (const key of keys) await send(driver, 'in', key, 'x', t0)
    await driver.advance(5_000)
    expect(pairs(await driver.read('out'))).toEqual(['a|1=rung', 'a|2=rung', 'b|3=rung'])
    const dead = await driver.read('in.dlq')
    expect(pairs(dead)).toEqual(['b|bad', 'a|bad'].map((key) => `${key}={"timer":"ring","due_at":${t0 + 1_000}}`))
    expect(dead.map((record) => header(record, 'dlq-reason'))).toEqual(['step_failed', 'step_failed'])
    expect(header(dead[0], 'dlq-message')).toBe('Error: the bell broke')
    expect(driver.worker.application('alarms')?.status()).toMatchObject({ timersArmed: 0, deadLetters: 2 })
    expect(pairs(await driver.read('alarms-rows-changelog'))).toEqual(['a|1=rung', 'a|2=rung', 'b|3=rung'])
  })

  test.each([['before'], ['after']] as const)(
    'killed %s the end of its commit: still one dead letter',
    async (moment) => {
      const clock = new HandClock(t0)
      const log = openMemoryLog({ clock, random })
      const mortal = mortalLog(log, 'alarms')
      const settings = { timerRestartGraceMs: 1_000 }
      const options = { topologies: [timerProgram()], clock, settings }
      // Not closed after the test: a dead process does not close.
      const killed = await TopologyDriver.start({ ...options, log: mortal.log })
      for (const key of keys) await send(killed, 'in', key, 'x', t0)
      await killed.settle()
      mortal.killAt('end', moment)
      for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock, 200)
      const again = await turnedUntil(clock, start({ ...options, log, databases: memoryDatabases() }))
      await again.advance(10_000)
      expect((await again.read('in.dlq')).map(({ key }) => key?.toString()).sort()).toEqual(['a|bad', 'b|bad'])
      expect(pairs(await again.read('out')).sort()).toEqual(['a|1=rung', 'a|2=rung', 'b|3=rung'])
    },
  )
})

describe('an async operator', () => {
  const fail = (what: string): never => {
    throw new Error(`${what} broke`)
  }
  const passing = (): Error => Object.assign(new Error('busy'), { then: 'retry' })

  /** Every reason for which a request can fail, by the value of the request. */
  const calls: Readonly<Record<string, () => Promise<string>>> = {
    rejects: () => Promise.reject(new Error('no route')),
    throws: () => fail('call'),
    odd: () => Promise.reject(Object.create(null) as Error),
    bad: () => Promise.reject(new BadRecord('bad_request', 'not a request')),
    hangs: () => new Promise(() => undefined),
  }
  const seen: string[] = []
  const program = (): Topology =>
    callProgram({
      call: (value) => {
        seen.push(value)
        const kind = value.split(' ')[0] ?? ''
        if (kind === 'passing' && seen.filter((other) => other === value).length === 1) throw passing()
        return calls[kind]?.() ?? Promise.resolve(`${value}!`)
      },
      lane: (key, value) => (value.startsWith('lane') ? fail('lane') : key),
      notBefore: (value) => (value.startsWith('notBefore') ? fail('notBefore') : 0),
      limit: () => fail('limit'),
      answered: (answer) =>
        answer.startsWith('answered') ? fail('answered') : answer.startsWith('huge') ? 'x'.repeat(1_100_000) : answer,
    })

  test('each kind of failure is one dead letter with its reason, and the lanes go on in order (R5, A1)', async () => {
    seen.length = 0
    const expected: Readonly<Record<string, string>> = {
      rejects: 'step_failed: Error: no route',
      throws: 'step_failed: Error: call broke',
      odd: 'step_failed: object',
      bad: 'bad_request: not a request',
      hangs: 'step_failed: Error: the call took longer than 1000 ms',
      lane: 'step_failed: Error: lane broke',
      notBefore: 'step_failed: Error: notBefore broke',
      answered: 'step_failed: Error: answered broke',
      huge: 'record_too_large: a record for answers has 1100003 bytes, the most is 1000000',
    }
    const driver = await start({ topologies: [program()], now: t0, partitions: 2 })
    const given = Object.keys(expected).flatMap(
      (kind, index) =>
      ['a', 'b'].flatMap((tenant) => [`first ${index}`, `${kind} ${index}`, `last ${index}`].map((value) => [`${tenant}|${index % 3}`, value] as const)), // prettier-ignore
    )
    for (const [key, value] of given) await send(driver, 'requests', key, value, t0)
    for (let n = 0; n < 40; n++) await spin(driver.clock, 200)
    await driver.settle()
    const dead = await driver.read('requests.dlq')
    const reasons = dead.map((record) => `${record.value?.toString().split(' ')[0]} ${header(record, 'dlq-reason')}: ${header(record, 'dlq-message')}`) // prettier-ignore
    const wanted = Object.entries(expected).flatMap(([kind, reason]) => [`${kind} ${reason}`, `${kind} ${reason}`])
    expect(reasons.sort()).toEqual(wanted.sort())
    const answers = pairs(await driver.read('answers'))
    for (const key of new Set(given.map(([of]) => of))) {
      const good = given.filter(([of, value]) => of === key && expected[value.split(' ')[0] ?? ''] === undefined)
      expect(answers.filter((pair) => pair.startsWith(`${key}=`))).toEqual(good.map(([, value]) => `${key}=${value}!`))
    }
    const status = driver.worker.application('calls')?.status()
    expect(status?.processed).toBe(given.length)
    expect(answers.length + (status?.deadLetters ?? 0)).toBe(given.length)
  })

  test('a call that fails for a passing reason is made again before its lane goes on (A1)', async () => {
    seen.length = 0
    const driver = await start({ topologies: [program()], now: t0 })
    const requests = ['a|k', 'b|k'].flatMap((key) => ['passing 1', 'ok 2', 'ok 3'].map((value) => ({ key, value: `${value} ${key}`, timestamp: t0 }))) // prettier-ignore
    await sendBatch(driver.log, { topic: 'requests' }, requests)
    await driver.advance(5_000)
    const answers = pairs(await driver.read('answers'))
    for (const key of ['a|k', 'b|k'])
      expect(answers.filter((pair) => pair.startsWith(`${key}=`))).toEqual(['passing 1', 'ok 2', 'ok 3'].map((value) => `${key}=${value} ${key}!`)) // prettier-ignore
    expect(await driver.read('requests.dlq')).toEqual([])
  })

  test('a lane that waits for another call keeps its order over a restart (A1, A4)', async () => {
    seen.length = 0
    const options = { topologies: [program()], now: t0 }
    const driver = await start(options)
    const values = ['passing 1', 'ok 2', 'ok 3', 'ok 4']
    await sendBatch(driver.log, { topic: 'requests' }, values.map((value) => ({ key: 'a|k', value, timestamp: t0 }))) // prettier-ignore
    await spin(driver.clock, 200)
    expect(seen).toEqual(['passing 1'])
    expect(driver.worker.application('calls')?.status().callsWaiting).toBe(4)
    const again = await restart(driver, options)
    await again.advance(5_000)
    expect(seen).toEqual(['passing 1', ...values])
    expect(pairs(await again.read('answers'))).toEqual(values.map((value) => `a|k=${value}!`))
  })

  test('one that is too large to wait for another call is a dead letter; it does not stop the task', async () => {
    seen.length = 0
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const wide = { 'max.message.bytes': '16000000' }
    await log.createTopics(['requests', 'answers'].map((name) => ({ name, partitions: 1, config: wide })))
    const driver = await start({ topologies: [program()], clock, log })
    const value = `passing ${'x'.repeat(1_500_000)}`
    await sendBatch(log, { topic: 'requests' }, [{ key: 'a|k', value, timestamp: t0 }])
    await send(driver, 'requests', 'a|k', 'ok 2')
    await driver.advance(5_000)
    const dead = await driver.read('requests.dlq')
    expect(dead.map((record) => header(record, 'dlq-reason'))).toEqual(['state_too_large'])
    expect(pairs(await driver.read('answers'))).toEqual(['a|k=ok 2!'])
  })
})

describe('a record whose headers are very large', () => {
  test('is one dead letter, without them: it must fit whatever it was (R5)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    await log.createTopics([{ name: 'in', partitions: 1, config: { 'max.message.bytes': '16000000' } }])
    const throwing = emitProgram(({ key, value, timestamp }) => {
      if (value === 'throw') throw new Error('the step broke')
      return [out(key, value, timestamp)]
    })
    const driver = await start({ topologies: [throwing], clock, log })
    const headers = [{ key: 'trace', value: Buffer.alloc(9_000_000) }]
    await driver.send('in', { key: Buffer.from('a|k'), value: Buffer.from('throw'), headers })
    await send(driver, 'in', 'b|k', 'x')
    await driver.settle()
    const [dead] = await driver.read('in.dlq')
    expect(pairs(dead === undefined ? [] : [dead])).toEqual(['a|k=throw'])
    expect(header(dead, 'dlq-dropped')).toBe('headers')
    expect(pairs(await driver.read('out'))).toEqual(['b|k=x'])
  })
})
