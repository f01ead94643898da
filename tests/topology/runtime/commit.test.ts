import { describe, expect, test } from 'vitest'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { StateBudget, memoryDatabases } from '../../../state-stores/index.ts'
import type { WorkerOptions } from '../../../topology/index.ts'
import { TopologyBuilder, Worker, defaultRuntimeSettings } from '../../../topology/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import {
  SettableClock,
  override,
  pairs,
  random,
  send,
  sendBatch,
  spin,
  t0,
  turnedUntil,
  useDrivers,
} from './harness.ts'
import { countProgram, text } from './programs.ts'
import type { Call, Trouble } from './troubled-log.ts'
import { troubledLog } from './troubled-log.ts'

const { start } = useDrivers()

const calls: Call[] = ['begin', 'append', 'sendOffsets', 'end']
const troubles: Trouble[] = ['lost request', 'lost answer']

describe('closing in trouble: what the failed commit took is repeated after the next start (W5)', () => {
  test.each(calls.flatMap((call) => troubles.map((trouble) => [call, trouble] as const)))(
    'while recovering from %s, %s: every record counts once',
    async (call, trouble) => {
      const clock = new HandClock(t0)
      const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
      const options = { topologies: [countProgram()], clock, log: troubled.log, settings: { retryMinMs: 1000 } }
      const driver = await start(options)
      for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
      await driver.settle()
      troubled.failNext(call, trouble)
      for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
      for (let n = 0; n < 10 && driver.worker.applications[0]?.state !== 'recovering'; n++) await spin(clock)
      expect(driver.worker.applications[0]?.state).toBe('recovering')
      const before = driver.worker.applications[0]?.status().commits
      await driver.close()
      expect(driver.worker.applications[0]?.status().commits).toBe(before)
      expect(driver.notices.filter((line) => line.includes('the last commit failed'))).toEqual([])
      const again = await start({ ...options, databases: driver.databases })
      await again.settle()
      for (const key of ['a|k', 'b|k']) await send(again, 'words', key, 'x')
      await again.settle()
      expect(troubled.failures).toBe(1)
      const counts = pairs(await again.read('counts-out'))
      expect(counts.filter((pair) => pair.startsWith('a|k'))).toEqual(['a|k=1', 'a|k=2', 'a|k=3'])
      expect(counts.filter((pair) => pair.startsWith('b|k'))).toEqual(['b|k=1', 'b|k=2', 'b|k=3'])
    },
  )

  test.each(troubles)(
    'when the last commit itself fails, %s: closed with one line, every record counts once',
    async (trouble) => {
      const clock = new HandClock(t0)
      const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
      const settings = { commitMinIntervalMs: 1000, commitIntervalMs: 5000 }
      const options = { topologies: [countProgram()], clock, log: troubled.log, settings }
      const driver = await start(options)
      for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
      await driver.settle()
      for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
      await spin(clock, 5)
      troubled.failNext('end', trouble)
      await driver.close()
      expect(troubled.failures).toBe(1)
      expect(driver.notices.filter((line) => line.includes('the last commit failed'))).toHaveLength(1)
      const again = await start({ ...options, databases: driver.databases })
      await again.settle()
      expect(pairs(await again.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
    },
  )
})

describe('when commits follow', () => {
  test('the wall clock steps back an hour: they go on as before (W4)', async () => {
    const clock = new SettableClock(t0)
    const driver = await start({ topologies: [countProgram()], clock })
    for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
    await driver.settle()
    clock.set(-3_600_000)
    for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
    for (let n = 0; n < 10; n++) await spin(clock)
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
  })
})

function openWorker(
  options: Pick<WorkerOptions, 'topologies' | 'log'> & { clock: HandClock } & Partial<WorkerOptions>,
): Worker {
  const { clock } = options
  return new Worker({
    databases: memoryDatabases(),
    budget: new StateBudget({ bytes: 1_000_000, flushBytes: 1_000_000, flushMs: 5000, now: () => clock.now() }),
    watch: () => performance.now(),
    settings: defaultRuntimeSettings,
    processId: 'test',
    workerIndex: 0,
    notice: () => undefined,
    failed: () => undefined,
    ...options,
  })
}

describe('the life of a worker', () => {
  test('over the budget with full queues it waits for a flush, then goes on by itself (F1)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const program = new TopologyBuilder('grow')
      .source('in', { topic: 'in', ...text })
      .store('rows')
      .processor('keep', {
        parents: ['in'],
        stores: ['rows'],
        supplier: () => ({
          process: (record, context) =>
            context.store('rows').put(Buffer.from(record.key as string), Buffer.alloc(1000)),
        }),
      })
      .build()
    await log.createTopics([{ name: 'in', partitions: 1, config: {} }])
    for (let batch = 0; batch < 40; batch++) {
      const records = Array.from({ length: 64 }, (_, n) => ({ key: `${n % 2 === 0 ? 'a' : 'b'}|${batch}-${n}`, value: 'x'.repeat(50), timestamp: t0 })) // prettier-ignore
      await sendBatch(log, { topic: 'in' }, records)
    }
    const budget = new StateBudget({ bytes: 100_000, flushBytes: 1e9, flushMs: 5000, now: () => clock.now() })
    const settings = { ...defaultRuntimeSettings, bufferBytesPerPartition: 8_000, fetchMaxBytes: 50_000 }
    const failures: Error[] = []
    const failed = (error: Error): void => void failures.push(error)
    const worker = openWorker({ topologies: [program], log, clock, budget, settings, failed })
    await worker.start()
    const processed = (): number => worker.application('grow')?.status().processed ?? 0
    let overBudget = 0
    for (let n = 0; n < 300 && processed() < 2560; n++) {
      if (budget.overBudget) overBudget++
      await spin(clock, 100)
    }
    await turnedUntil(clock, worker.close())
    expect(overBudget).toBeGreaterThan(0)
    expect(processed()).toBe(2560)
    expect(failures).toEqual([])
  })

  test('a close while it starts ends the start with its one line', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    await inner.createTopics(['words', 'counts-out'].map((name) => ({ name, partitions: 1, config: {} })))
    const log = override(inner, {
      committedOffsets: () => Promise.reject(new LogError('TIMEOUT', 'no answer', 'retry')),
    })
    const worker = openWorker({ topologies: [countProgram()], log, clock })
    const starting = expect(worker.start()).rejects.toThrow('application "counter" was closed')
    for (let n = 0; n < 5; n++) await spin(clock)
    expect(worker.application('counter')?.state).toBe('starting')
    await turnedUntil(clock, worker.close())
    await starting
    expect(worker.application('counter')?.state).toBe('closed')
  })
})
