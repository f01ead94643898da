/**
 * A timer never fires before the backlog it depends on: its own inputs to the high watermark (R6), and, after a time in
 * which the process was down, what services upstream have still to pass on (T4).
 */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { SettableClock, override, pairs, random, send, sendBatch, spin, t0, turnedUntil, useDrivers } from './harness.ts' // prettier-ignore
import { mortalLog } from './mortal-log.ts'
import { deadlineProgram, relayProgram } from './programs.ts'

const { start, restart } = useDrivers()

const hour = 3_600_000
const partitions = 3
/** Two tenants, enough accounts that every partition has some. */
const keysOf = (kind: string): string[] =>
  ['a', 'b'].flatMap((tenant) => Array.from({ length: 6 }, (_, n) => `${tenant}|${kind}${n}`))
const saved = keysOf('saved')
const missed = keysOf('missed')

/** The keys whose deadline fired, sorted; a key that fired twice stands there twice. */
async function late(driver: TopologyDriver): Promise<string[]> {
  const fired = pairs(await driver.read('verdicts')).filter((pair) => pair.includes('late'))
  return fired.map((pair) => pair.slice(0, pair.indexOf('='))).sort()
}

async function armAll(driver: TopologyDriver): Promise<void> {
  for (const key of [...saved, ...missed]) await send(driver, 'orders', key, 'arm 60000', t0)
  await driver.settle()
}

/** The fetches of a process that is slow: each answer comes `ms` later. */
function slowLog(inner: Log, clock: HandClock, ms: number): Log {
  return override(inner, {
    fetch: async (request) => {
      const answer = await inner.fetch(request)
      if (answer.some(({ batches }) => batches.length > 0))
        await new Promise<void>((resolve) => void clock.after(ms, resolve))
      return answer
    },
  })
}

test('the keys of these tests are on every partition', () => {
  for (const keys of [saved, missed]) {
    const used = new Set(keys.map((key) => partitionFor(Buffer.from(key), partitions)))
    expect(used.size).toBe(partitions)
  }
})

describe('after an hour down (R6, T4)', () => {
  test('with the saving event in the backlog no deadline fires; without it, each fires once', async () => {
    const options = { topologies: [deadlineProgram()], now: t0, partitions }
    const driver = await start(options)
    await armAll(driver)
    await driver.close()
    for (const key of saved) await send(driver, 'orders', key, 'met', t0 + 30_000)
    await driver.clock.turnTo(t0 + hour)
    const again = await restart(driver, options)
    await again.advance(59_000)
    expect(await late(again)).toEqual([])
    await again.advance(2_000)
    expect(await late(again)).toEqual([...missed].sort())
    await again.advance(2 * hour)
    expect(await late(again)).toEqual([...missed].sort())
  })

  /** Three applications in a chain, all stopped for an hour; those upstream need `slowMs` for what they read. */
  async function chainDown(slowMs: number): Promise<TopologyDriver> {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const first = [relayProgram('first', 'raw', 'middle')]
    const second = [relayProgram('second', 'middle', 'orders')]
    const last = [deadlineProgram()]
    const names = ['raw', 'middle', 'orders', 'verdicts']
    await log.createTopics(names.map((name) => ({ name, partitions, config: {} })))
    const before = await start({ topologies: [...first, ...second, ...last], clock, log })
    await armAll(before)
    await before.close()
    for (const key of saved) await send(before, 'raw', key, 'met', t0 + 30_000)
    await clock.turnTo(t0 + hour)
    const options = { clock, log, databases: before.databases }
    const [downstream] = await Promise.all([
      start({ ...options, topologies: last }),
      start({ ...options, topologies: second, log: slowLog(log, clock, slowMs) }),
      start({ ...options, topologies: first, log: slowLog(log, clock, slowMs) }),
    ])
    return downstream
  }

  async function pass(driver: TopologyDriver, ms: number): Promise<void> {
    for (const end = driver.clock.now() + ms; driver.clock.now() < end;) await spin(driver.clock, 500)
  }

  test('with the saving event two services upstream, slower than ours, no deadline fires', async () => {
    const driver = await chainDown(20_000)
    await pass(driver, 39_000)
    expect(pairs(await driver.read('orders')).filter((pair) => pair.endsWith('=met'))).toEqual([])
    await pass(driver, 20_000)
    expect(pairs(await driver.read('orders')).filter((pair) => pair.endsWith('=met'))).toHaveLength(saved.length)
    expect(await late(driver)).toEqual([])
    await pass(driver, 10_000)
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('the grace is a bound: what comes later than it comes too late', async () => {
    const driver = await chainDown(40_000)
    await pass(driver, 90_000)
    expect(await late(driver)).toEqual([...saved, ...missed].sort())
  })

  test('a restart in the middle of the grace begins it anew; each fires once (T2)', async () => {
    const options = { topologies: [deadlineProgram()], now: t0, partitions }
    const driver = await start(options)
    await armAll(driver)
    await driver.close()
    await driver.clock.turnTo(t0 + hour)
    const second = await restart(driver, options)
    await second.advance(30_000)
    const third = await restart(second, options)
    await third.advance(59_000)
    expect(await late(third)).toEqual([])
    await third.advance(2_000)
    const everyone = [...saved, ...missed].sort()
    expect(await late(third)).toEqual(everyone)
    const fourth = await restart(third, options)
    await fourth.advance(hour)
    expect(await late(fourth)).toEqual(everyone)
  })
})

describe('a kill directly after the firing: it fires once (T2, R4)', () => {
  const moments = (['append', 'sendOffsets', 'end'] as const).flatMap((call) =>
    (['before', 'after'] as const).map((moment) => [moment, call] as const),
  )
  test.each(moments)('killed %s %s of its commit', async (moment, call) => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const mortal = mortalLog(log, 'deadlines')
    const options = { topologies: [deadlineProgram()], clock, partitions, settings: { timerRestartGraceMs: 5_000 } }
    // Not closed after the test: a dead process does not close.
    const killed = await TopologyDriver.start({ ...options, log: mortal.log })
    await armAll(killed)
    mortal.killAt(call, moment)
    for (let n = 0; n < 100 && !mortal.isDead; n++) await spin(clock, 1_000)
    expect(mortal.isDead).toBe(true)
    expect(killed.worker.application('deadlines')?.status().timersFired).toBeGreaterThan(0)
    const again = await turnedUntil(clock, start({ ...options, log, databases: memoryDatabases() }))
    await again.advance(hour)
    expect(await late(again)).toEqual([...saved, ...missed].sort())
  })
})

describe('a saving event in a transaction that is open when the timer comes due (R6)', () => {
  /** Arms, and leaves a transaction open that holds the event which saves `saved`. */
  async function withOpenTransaction() {
    const driver = await start({ topologies: [deadlineProgram()], now: t0, partitions })
    await armAll(driver)
    const session = await driver.log.openProducer({ transactionalId: 'slow', transactionTimeoutMs: 900_000 })
    session.begin()
    for (const key of saved) {
      const records = new RecordBatchBuilder()
      records.append(t0 + 30_000, Buffer.from(key), Buffer.from('met'))
      await session.append([{ topic: 'orders', partition: partitionFor(Buffer.from(key), partitions), records }])
    }
    for (let n = 0; n < 120; n++) await spin(driver.clock, 1_000)
    expect(driver.clock.now()).toBeGreaterThan(t0 + 60_000)
    expect(await late(driver)).toEqual([])
    return { driver, session }
  }

  test('committed later: it saves', async () => {
    const { driver, session } = await withOpenTransaction()
    await session.end('commit')
    await driver.advance(hour)
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('aborted later: the deadline fires, once', async () => {
    const { driver, session } = await withOpenTransaction()
    await session.end('abort')
    await driver.advance(hour)
    expect(await late(driver)).toEqual([...saved, ...missed].sort())
  })
})

describe('the wall clock jumps', () => {
  /** A service upstream whose reading can be held back, in the same process. */
  async function withHeldUpstream() {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    await inner.createTopics(['raw', 'orders', 'verdicts'].map((name) => ({ name, partitions, config: {} })))
    let held = Promise.resolve()
    const log = override(inner, {
      fetch: async (request) => {
        const answer = await inner.fetch(request)
        if (request.partitions[0]?.topic === 'raw') await held
        return answer
      },
    })
    const topologies = [relayProgram('first', 'raw', 'orders'), deadlineProgram()]
    const driver = await start({ topologies, clock, log })
    return { driver, clock, log: inner, hold: (until: Promise<void>): void => void (held = until) }
  }

  test('forward, as a machine wakes from sleep: that is down time, the backlog upstream is read first (T4)', async () => {
    const { driver, clock, hold } = await withHeldUpstream()
    await armAll(driver)
    const { promise, resolve } = Promise.withResolvers<void>()
    void hold(promise)
    for (const key of saved) await send(driver, 'raw', key, 'met', t0 + 30_000)
    await clock.jumpTo(t0 + hour)
    for (let n = 0; n < 50; n++) await spin(clock, 1_000)
    expect(await late(driver)).toEqual([])
    resolve()
    await driver.settle()
    expect(await late(driver)).toEqual([])
    await driver.advance(hour)
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('forward, by less than a stall: a deadline fires at its time', async () => {
    const driver = await start({ topologies: [deadlineProgram()], now: t0, partitions })
    for (const key of missed) await send(driver, 'orders', key, 'arm 2000', t0)
    await driver.settle()
    await driver.clock.jumpTo(driver.clock.now() + 4_000)
    await driver.settle()
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('forward while its key is blocked: its parked timers wait out the grace too (T4, T5)', async () => {
    const driver = await start({ topologies: [deadlineProgram({ setAside: true })], now: t0, partitions })
    await armAll(driver)
    for (const key of missed) await send(driver, 'orders', key, 'throw', t0 + 10)
    for (const key of saved) await send(driver, 'orders', key, 'met', t0 + 10)
    await driver.settle()
    await driver.advance(70_000)
    await driver.clock.jumpTo(t0 + hour)
    // The session is over, too: the tasks come back first.
    await driver.settle()
    for (const key of missed)
      await driver.worker.application('deadlines')?.redrive(Buffer.from(key), { skipFirst: true })
    await driver.advance(50_000)
    expect(await late(driver)).toEqual([])
    await driver.advance(20_000)
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('backward: a deadline fires when its time has come by the clock, once, and not again (T2)', async () => {
    const clock = new SettableClock(t0)
    const driver = await start({ topologies: [deadlineProgram()], clock, partitions })
    await armAll(driver)
    for (const key of saved) await send(driver, 'orders', key, 'met', t0 + 30_000)
    clock.set(-hour)
    await driver.advance(hour)
    expect(await late(driver)).toEqual([])
    await driver.advance(61_000)
    expect(await late(driver)).toEqual([...missed].sort())
    clock.set(-hour)
    await driver.advance(2 * hour)
    expect(await late(driver)).toEqual([...missed].sort())
  })

  test('ahead, and back: what started meanwhile does not wait for that time; a deadline fires at its own (T4, I15)', async () => {
    const clock = new SettableClock(t0)
    const timerRestartGraceMs = 5_000
    const driver = await start({
      topologies: [deadlineProgram()],
      clock,
      partitions,
      settings: { timerRestartGraceMs },
    })
    clock.set(hour)
    for (let n = 0; n < 5; n++) await spin(clock, 1_000)
    clock.set(-hour)
    await spin(clock, 1_000)
    await armAll(driver)
    await driver.advance(61_000 + timerRestartGraceMs)
    expect(await late(driver)).toEqual([...saved, ...missed].sort())
  })

  test('backward while the gate is asked: what it answers fires nothing early (R6)', async () => {
    const clock = new SettableClock(t0)
    const inner = openMemoryLog({ clock, random })
    let asked = 0
    const log = override(inner, {
      listOffsets: (places, which) => {
        const isGate = which === 'latest' && places[0]?.topic === 'orders'
        if (isGate && clock.now() >= t0 + 1_000 && asked++ === 0) clock.set(-hour)
        return inner.listOffsets(places, which)
      },
    })
    const driver = await start({ topologies: [deadlineProgram()], clock, log })
    await sendBatch(inner, { topic: 'orders' }, [{ key: 'a|k', value: 'arm 1000', timestamp: t0 }])
    for (let n = 0; n < 10; n++) await spin(clock, 200)
    expect(asked).toBeGreaterThan(0)
    expect(await late(driver)).toEqual([])
    await driver.advance(hour)
    expect(await late(driver)).toEqual(['a|k'])
  })
})
