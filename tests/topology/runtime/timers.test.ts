import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { TopologyBuilder } from '../../../topology/index.ts'
import type { Topology } from '../../../topology/index.ts'
import { TimerTable } from '../../../topology/runtime/timers.ts'
import type { TopologyDriver } from '../../../topology/testing/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { pairs, random, send, sendBatch, spin, t0, useDrivers } from './harness.ts'
import { deadlineProgram, out, text } from './programs.ts'
import { troubledLog } from './troubled-log.ts'

const { start, restart } = useDrivers()

const late = async (driver: TopologyDriver): Promise<string[]> =>
  pairs(await driver.read('verdicts')).filter((pair) => pair.includes('late'))

describe('the restart grace (T4)', () => {
  test('a recovery in the same process does not begin it anew', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'deadlines')
    const driver = await start({ topologies: [deadlineProgram()], clock, log: troubled.log })
    for (const key of ['a|k', 'b|k']) await send(driver, 'orders', key, 'arm 1000', t0)
    await driver.settle()
    await clock.turnTo(t0 + 980)
    troubled.failNext('end', 'lost request')
    await send(driver, 'orders', 'a|other', 'met', t0 + 980)
    await spin(clock, 40)
    await driver.settle()
    await driver.advance(30_000)
    expect(troubled.failures).toBe(1)
    expect(await late(driver)).toEqual([`a|k=late deadline ${t0 + 1000}`, `b|k=late deadline ${t0 + 1000}`])
  })

  test('a timer that waits it out does not hold back later ones', async () => {
    const options = { topologies: [deadlineProgram()], now: t0 }
    const driver = await start(options)
    for (const key of ['a|old', 'b|old']) await send(driver, 'orders', key, 'arm 1000', t0)
    await driver.settle()
    await driver.close()
    await driver.clock.turnTo(t0 + 5000)
    const again = await restart(driver, options)
    for (const key of ['a|new', 'b|new']) await send(again, 'orders', key, 'arm 1000', t0 + 5000)
    await again.advance(30_000)
    const young = [`a|new=late deadline ${t0 + 6000}`, `b|new=late deadline ${t0 + 6000}`]
    expect(await late(again)).toEqual(young)
    await again.advance(60_000)
    expect(await late(again)).toEqual([
      ...young,
      `a|old=late deadline ${t0 + 1000}`,
      `b|old=late deadline ${t0 + 1000}`,
    ])
  })
})

describe('timers of a blocked key (T5)', () => {
  test('wait with it, and fire once it is redriven', async () => {
    const driver = await start({ topologies: [deadlineProgram({ setAside: true })], now: t0 })
    for (const key of ['a|k', 'b|k']) await send(driver, 'orders', key, 'arm 1000', t0)
    await send(driver, 'orders', 'a|k', 'throw', t0 + 10)
    await driver.advance(5000)
    expect(await late(driver)).toEqual([`b|k=late deadline ${t0 + 1000}`])
    await driver.worker.application('deadlines')?.redrive(Buffer.from('a|k'), { skipFirst: true })
    await driver.advance(5000)
    expect(await late(driver)).toEqual([`b|k=late deadline ${t0 + 1000}`, `a|k=late deadline ${t0 + 1000}`])
  })

  test('fire between its records when these are redriven (R3)', async () => {
    const driver = await start({ topologies: [deadlineProgram({ setAside: true })], now: t0 })
    await send(driver, 'orders', 'a|k', 'throw', t0)
    for (const key of ['a|k', 'b|k']) {
      await send(driver, 'orders', key, 'arm 1000', t0)
      await send(driver, 'orders', key, 'met', t0 + 2000)
    }
    await driver.settle()
    await driver.worker.application('deadlines')?.redrive(Buffer.from('a|k'), { skipFirst: true })
    await driver.settle()
    const expected = (key: string): string[] => [
      `${key}=saw arm`,
      `${key}=late deadline ${t0 + 1000}`,
      `${key}=saw met`,
    ]
    expect(pairs(await driver.read('verdicts'))).toEqual([...expected('b|k'), ...expected('a|k')])
  })
})

/** Ticks once a second of event time, for ever; tells `seen` what happens, in order. */
function tickProgram(seen: string[]): Topology {
  return new TopologyBuilder('ticker')
    .source('in', { topic: 'in', ...text })
    .store('ticks', { kind: 'timers' })
    .processor('tick', {
      parents: ['in'],
      timers: { store: 'ticks', handles: ['tick'] },
      supplier: () => ({
        process(record, context) {
          seen.push(`${String(record.key)} ${String(record.value)}`)
          context.timer(Buffer.from(record.key as string), 'tick', record.timestamp + 1000)
        },
        timer(key, name, dueAt, context) {
          seen.push('tick')
          context.timer(key, name, dueAt + 1000)
        },
      }),
    })
    .build()
}

describe('very many timers', () => {
  test('that one record fires do not keep other tasks from their turn (R7, R3)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    await log.createTopics([{ name: 'in', partitions: 2, config: {} }])
    const far = t0 + 3_000_500
    const ahead = [{ key: 'a|k', value: 'first', timestamp: t0 }, { key: 'a|k', value: 'far', timestamp: far }] // prettier-ignore
    await sendBatch(log, { topic: 'in', partition: 0 }, ahead)
    await sendBatch(log, { topic: 'in', partition: 1 }, [{ key: 'b|k', value: 'first', timestamp: t0 }])
    const seen: string[] = []
    const driver = await start({ topologies: [tickProgram(seen)], clock, log })
    await driver.settle()
    expect(seen.filter((event) => event === 'tick')).toHaveLength(3000)
    expect(seen[0]).toBe('a|k first')
    expect(seen.at(-1)).toBe('a|k far')
    expect(seen.indexOf('b|k first')).toBeGreaterThan(0)
    expect(seen.indexOf('b|k first')).toBeLessThan(300)
    expect(driver.worker.application('ticker')?.status()).toMatchObject({ processed: 3, timersFired: 3000, timersArmed: 2 }) // prettier-ignore
  })

  test('a program that reads what it writes and arms timers meanwhile comes to rest (R6)', async () => {
    const program = new TopologyBuilder('loop')
      .source('in', { topic: 'loop', ...text })
      .store('timers', { kind: 'timers' })
      .processor('step', {
        parents: ['in'],
        timers: { store: 'timers', handles: ['idle'] },
        supplier: () => ({
          process(record, context) {
            const left = Number(record.value)
            if (left === 0) return
            context.forward(out(record.key as string, String(left - 1), record.timestamp + 1))
            context.timer(Buffer.from(record.key as string), 'idle', record.timestamp + 100)
          },
          timer: () => undefined,
        }),
      })
      .sink('out', { parents: ['step'], topics: ['loop'], ...text })
      .build()
    const driver = await start({ topologies: [program], now: t0 })
    for (const key of ['a|k', 'b|k']) await send(driver, 'loop', key, '20', t0)
    await driver.settle()
    await driver.advance(1000)
    expect(await driver.read('loop')).toHaveLength(42)
    expect(driver.worker.application('loop')?.status().timersArmed).toBe(0)
  })
})

describe('the index', () => {
  async function openTable(): Promise<TimerTable> {
    const database = await memoryDatabases().open('timers')
    return new TimerTable(TaskState.open({ database, stores: [{ name: 'timers', logged: true }] }).store('timers'))
  }

  test('stays as small as what is armed, however often timers are moved, also behind an earlier one (T1)', async () => {
    const table = await openTable()
    const keys = ['a|k', 'b|k'].map((key) => Buffer.from(key))
    table.set(Buffer.from('a|first'), 'idle', t0)
    table.release()
    let most = 0
    for (let n = 1; n <= 10_000; n++) {
      for (const key of keys) table.set(key, 'idle', t0 + n)
      table.release()
      most = Math.max(most, table.heapSize)
    }
    expect(table.size).toBe(3)
    expect(most).toBeLessThanOrEqual(2 * 3 + 1024 + 1)
    expect(table.next()).toMatchObject({ dueAt: t0 })
    expect(table.keysDue(t0 + 9_999).map(String)).toEqual(['a|first'])
    expect(
      table
        .keysDue(t0 + 10_000)
        .map(String)
        .sort(),
    ).toEqual(['a|first', 'a|k', 'b|k'])
  })

  test('gives timers in the order of due time, then of arming, after any moves (T3)', async () => {
    const table = await openTable()
    for (const [key, dueAt] of [['a|1', 30], ['b|1', 20], ['a|2', 20], ['b|2', 10], ['a|1', 5]] as const) table.set(Buffer.from(key), 'x', dueAt) // prettier-ignore
    table.set(Buffer.from('b|2'), 'x', null)
    table.release()
    const order: string[] = []
    for (let timer = table.next(); timer !== null; timer = table.next()) {
      order.push(`${timer.key.toString()} ${timer.dueAt}`)
      table.fired(timer)
      table.release()
    }
    expect(order).toEqual(['a|1 5', 'b|1 20', 'a|2 20'])
  })
})
