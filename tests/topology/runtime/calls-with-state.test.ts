/** Calls that start from rows of their lane, and answers that write them (A8). */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import type { LoadContext, NodeContext, Topology } from '../../../topology/index.ts'
import { TopologyBuilder } from '../../../topology/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { header, pairs, random, send, sendBatch, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { mortalLog } from './mortal-log.ts'
import { out, text } from './programs.ts'
import { troubledLog } from './troubled-log.ts'

const { start, restart } = useDrivers()

interface Talker {
  /** @param loaded what was said in the lane before, joined by commas */
  call(value: string, loaded: string, signal: AbortSignal): Promise<string>
  load?(key: string, context: LoadContext): string
  answered?(answer: string, context: NodeContext): void
}

const said = (key: string, context: LoadContext): string =>
  context.store('said').get(Buffer.from(key))?.toString() ?? ''

/** Each answer is added to what was said in its lane, and sent on with it. */
function talkProgram(talker: Talker): Topology {
  return new TopologyBuilder('talk')
    .source('in', { topic: 'requests', ...text })
    .store('done', { kind: 'done' })
    .store('waiting', { kind: 'waiting' })
    .store('said')
    .store('other')
    .async<string, string, string>('call', {
      parents: ['in'],
      doneStore: 'done',
      waitingStore: 'waiting',
      stores: ['said'],
      operator: {
        concurrency: 4,
        timeoutMs: 1000,
        ...text,
        lane: (record) => record.key as string,
        notBefore: (record) => Number(/^@(\d+)/.exec(record.value)?.[1] ?? 0),
        load: (record, context) => (talker.load ?? said)(record.key as string, context),
        call: (record, signal, loaded) => talker.call(record.value, loaded, signal),
        answered: (record, answer, context) => {
          const key = Buffer.from(record.key as string)
          const before = context.store('said').get(key)?.toString()
          const now = before === undefined ? answer : `${before},${answer}`
          context.store('said').put(key, Buffer.from(now))
          talker.answered?.(answer, context)
          context.forward(out(record.key as string, now, context.now()))
        },
      },
    })
    .processor('count', {
      parents: ['call'],
      stores: ['other'],
      supplier: () => ({ process: (record, context) => context.forward(record) }),
    }) // prettier-ignore
    .sink('out', { parents: ['count'], topics: ['answers'], ...text })
    .build()
}

const inOneBatch = (log: Log, values: readonly string[]): Promise<void> =>
  sendBatch(log, { topic: 'requests' }, values.map((value) => ({ key: `${value.charAt(0)}|k`, value, timestamp: t0 }))) // prettier-ignore

async function spins(clock: HandClock, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await spin(clock)
}

const ofLane = (answers: readonly string[], lane: string): string[] =>
  answers.filter((answer) => answer.startsWith(`${lane}|`))

describe('what a call starts from (A8)', () => {
  test('is what the answers before it in its lane wrote, committed or not; lanes do not mix', async () => {
    const clock = new HandClock(t0)
    const started: string[] = []
    const call = (value: string, loaded: string): Promise<string> => {
      started.push(`${value} from "${loaded}"`)
      return Promise.resolve(value.toUpperCase())
    }
    const driver = await start({ topologies: [talkProgram({ call })], clock })
    await inOneBatch(driver.log, ['a1', 'b1', 'a2', 'b2', 'a3'])
    await driver.settle()
    expect(started.filter((line) => line.startsWith('a'))).toEqual(['a1 from ""', 'a2 from "A1"', 'a3 from "A1,A2"'])
    expect(started.filter((line) => line.startsWith('b'))).toEqual(['b1 from ""', 'b2 from "B1"'])
    const answers = pairs(await driver.read('answers'))
    expect(ofLane(answers, 'a')).toEqual(['a|k=A1', 'a|k=A1,A2', 'a|k=A1,A2,A3'])
    expect(ofLane(answers, 'b')).toEqual(['b|k=B1', 'b|k=B1,B2'])
  })

  test('is read when a record that waited starts, not when it came', async () => {
    const clock = new HandClock(t0)
    const started: string[] = []
    const call = (value: string, loaded: string): Promise<string> => {
      started.push(`${value.split(' ').at(-1)} from "${loaded}"`)
      return Promise.resolve(value.split(' ').at(-1) ?? '')
    }
    const driver = await start({ topologies: [talkProgram({ call })], clock })
    await inOneBatch(driver.log, ['a1', 'b1'])
    for (const tenant of ['a', 'b']) await send(driver, 'requests', `${tenant}|k`, `@${t0 + 500} ${tenant}2`)
    await driver.advance(1000)
    expect(started.toSorted()).toEqual(['a1 from ""', 'a2 from "a1"', 'b1 from ""', 'b2 from "b1"'])
  })

  test('survives a restart, from the changelog alone', async () => {
    const clock = new HandClock(t0)
    const started: string[] = []
    const call = (value: string, loaded: string): Promise<string> => {
      started.push(`${value} from "${loaded}"`)
      return Promise.resolve(value)
    }
    const options = { topologies: [talkProgram({ call })], clock }
    const driver = await start(options)
    await inOneBatch(driver.log, ['a1', 'b1'])
    await driver.settle()
    await driver.close()
    const again = await start({ ...options, log: driver.log, databases: memoryDatabases() })
    await inOneBatch(again.log, ['a2', 'b2'])
    await again.settle()
    expect(started.slice(2).toSorted()).toEqual(['a2 from "a1"', 'b2 from "b1"'])
  })

  test('what cannot be loaded for a reason in the data is a dead letter; the lane goes on without it', async () => {
    let asked = 0
    const load = (key: string, context: LoadContext): string => {
      if (key === 'a|k' && asked++ === 0) context.store('other').get(Buffer.from(key))
      return said(key, context)
    }
    const driver = await start({ topologies: [talkProgram({ load, call: (value) => Promise.resolve(value) })] })
    await inOneBatch(driver.log, ['a1', 'b1', 'a2'])
    await driver.settle()
    expect(pairs(await driver.read('answers')).toSorted()).toEqual(['a|k=a2', 'b|k=b1'])
    const dead = await driver.read('requests.dlq')
    expect(dead.map(({ value }) => value?.toString())).toEqual(['a1'])
    expect(header(dead[0], 'dlq-message')).toContain('async operator "call" does not declare store "other"')
  })

  test('is read only: what a call starts from cannot write', async () => {
    const writers: boolean[] = []
    const load = (key: string, context: LoadContext): string => {
      writers.push('put' in context.store('said'), 'delete' in context.store('said'))
      return said(key, context)
    }
    const driver = await start({ topologies: [talkProgram({ load, call: (value) => Promise.resolve(value) })] })
    await inOneBatch(driver.log, ['a1', 'b1'])
    await driver.settle()
    expect(writers).toEqual([false, false, false, false])
  })

  test('trouble while loading is no dead letter: the task goes back to its last commit and tries again', async () => {
    const clock = new HandClock(t0)
    let failures = 0
    const load = (key: string, context: LoadContext): string => {
      if (failures++ === 0) throw Object.assign(new Error('the disk is busy'), { then: 'retry' })
      return said(key, context)
    }
    const driver = await start({ topologies: [talkProgram({ load, call: (value) => Promise.resolve(value) })], clock })
    await inOneBatch(driver.log, ['a1', 'b1', 'a2'])
    await driver.settle()
    expect(pairs(await driver.read('answers')).toSorted()).toEqual(['a|k=a1', 'a|k=a1,a2', 'b|k=b1'])
    expect(await driver.read('requests.dlq')).toEqual([])
  })
})

describe('what an answer writes', () => {
  test('is gone whole when the answer cannot be emitted (R4); the next call starts without it', async () => {
    const started: string[] = []
    const call = (value: string, loaded: string): Promise<string> => {
      started.push(`${value} from "${loaded}"`)
      return Promise.resolve(value)
    }
    const answered = (answer: string, context: NodeContext): void => {
      if (answer === 'a1') context.store('other').put(Buffer.from('k'), Buffer.from('v'))
    }
    const driver = await start({ topologies: [talkProgram({ call, answered })] })
    await inOneBatch(driver.log, ['a1', 'b1', 'a2'])
    await driver.settle()
    expect(started.toSorted()).toEqual(['a1 from ""', 'a2 from ""', 'b1 from ""'])
    expect(pairs(await driver.read('answers')).toSorted()).toEqual(['a|k=a2', 'b|k=b1'])
    const rows = await driver.read('talk-said-changelog')
    expect(pairs(rows).toSorted()).toEqual(['a|k=a2', 'b|k=b1'])
    expect((await driver.read('requests.dlq')).map(({ value }) => value?.toString())).toEqual(['a1'])
  })

  test.each(['lost request', 'lost answer'] as const)(
    'is written again after an abort without a call, and once; a call that started from it is kept (A3, A8): %s',
    async (trouble) => {
      const clock = new HandClock(t0)
      const troubled = troubledLog(openMemoryLog({ clock, random }), 'talk')
      const called: string[] = []
      const emitted: string[] = []
      const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const call = async (value: string, loaded: string): Promise<string> => {
        called.push(`${value} from "${loaded}"`)
        await (value.endsWith('1') ? first : second).promise
        return value
      }
      const options = { topologies: [talkProgram({ call, answered: (answer) => emitted.push(answer) })], clock }
      const driver = await start({ ...options, log: troubled.log, settings: { retryMinMs: 100 } })
      await inOneBatch(driver.log, ['a1', 'a2', 'b1', 'b2'])
      await spins(clock, 10)
      // The commit that passes the unanswered requests went through: the failure is for the one with the answers.
      troubled.failNext('end', trouble)
      first.resolve()
      await spins(clock, 20)
      expect(troubled.failures).toBe(1)
      second.resolve()
      await driver.settle()
      expect(called.toSorted()).toEqual(['a1 from ""', 'a2 from "a1"', 'b1 from ""', 'b2 from "b1"'])
      if (trouble === 'lost request') expect(emitted.filter((answer) => answer === 'a1')).toHaveLength(2)
      const answers = pairs(await driver.read('answers'))
      expect(ofLane(answers, 'a')).toEqual(['a|k=a1', 'a|k=a1,a2'])
      expect(ofLane(answers, 'b')).toEqual(['b|k=b1', 'b|k=b1,b2'])
    },
  )

  test('a kept call is made anew when the one before it in its lane comes out otherwise after an abort (A8)', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'talk')
    const called: string[] = []
    const first = Promise.withResolvers<void>()
    const call = async (value: string, loaded: string): Promise<string> => {
      called.push(`${value} from "${loaded}"`)
      const isFirst = called.filter((line) => line.startsWith('a1')).length === 1
      await first.promise
      // A call that failed is not kept: the second time it is answered.
      if (value === 'a1' && isFirst) throw new Error('no route')
      return `${value}<${loaded}>`
    }
    const driver = await start({ topologies: [talkProgram({ call })], clock, log: troubled.log })
    await inOneBatch(driver.log, ['a1', 'a2', 'b1', 'b2'])
    await spins(clock, 10)
    troubled.failNext('end', 'lost request')
    first.resolve()
    await spins(clock, 20)
    await driver.settle()
    expect(troubled.failures).toBe(1)
    expect(called.filter((line) => line.startsWith('a'))).toEqual(['a1 from ""', 'a2 from ""', 'a1 from ""', 'a2 from "a1<>"']) // prettier-ignore
    expect(called.filter((line) => line.startsWith('b'))).toEqual(['b1 from ""', 'b2 from "b1<>"'])
    const answers = pairs(await driver.read('answers'))
    expect(ofLane(answers, 'a')).toEqual(['a|k=a1<>', 'a|k=a1<>,a2<a1<>>'])
    expect(await driver.read('requests.dlq')).toEqual([])
  })
})

describe('a call that was kept and is not used', () => {
  /** The first of lane a fails, its dead letter's commit is aborted, and it is made again; the second waits meanwhile. */
  const aborted = async (options: { load?: Talker['load']; second: Promise<void> }) => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'talk')
    const called: string[] = []
    const signals: AbortSignal[] = []
    const first = Promise.withResolvers<void>()
    const call = async (value: string, loaded: string, signal: AbortSignal): Promise<string> => {
      called.push(`${value} from "${loaded}"`)
      const isFirst = called.filter((line) => line.startsWith('a1')).length === 1
      if (value === 'a2') {
        signals.push(signal)
        await options.second
        return value
      }
      await first.promise
      if (value === 'a1' && isFirst) throw new Error('no route')
      return value
    }
    const load = options.load === undefined ? {} : { load: options.load }
    const driver = await start({ topologies: [talkProgram({ call, ...load })], clock, log: troubled.log })
    await inOneBatch(driver.log, ['a1', 'a2', 'b1'])
    await spins(clock, 10)
    troubled.failNext('end', 'lost request')
    first.resolve()
    await spins(clock, 20)
    expect(troubled.failures).toBe(1)
    return { driver, called, signals }
  }

  test('is told that nobody waits for it any more (A8)', async () => {
    const second = Promise.withResolvers<void>()
    const { driver, called, signals } = await aborted({ second: second.promise })
    expect(called.filter((line) => line.startsWith('a2'))).toEqual(['a2 from ""', 'a2 from "a1"'])
    expect(signals.map(({ aborted: gone }) => gone)).toEqual([true, false])
    second.resolve()
    await driver.settle()
    expect(ofLane(pairs(await driver.read('answers')), 'a')).toEqual(['a|k=a1', 'a|k=a1,a2'])
  })

  test('is not used where what it would start from cannot be told (A8)', async () => {
    let loads = 0
    // The second of the lane loads twice: before the abort, and after it.
    const load = (key: string, context: LoadContext): string => {
      if (key === 'a|k' && ++loads === 4) context.store('other').get(Buffer.from(key))
      return said(key, context)
    }
    const { driver, called } = await aborted({ load, second: Promise.resolve() })
    await driver.settle()
    expect(loads).toBe(4)
    expect(called.filter((line) => line.startsWith('a2'))).toEqual(['a2 from ""'])
    expect(ofLane(pairs(await driver.read('answers')), 'a')).toEqual(['a|k=a1'])
    expect((await driver.read('requests.dlq')).map(({ value }) => value?.toString())).toEqual(['a2'])
  })
})

describe('a crash around the commit of what an answer wrote (A3, A8)', () => {
  test.each([
    ['before', 'append', 2],
    ['before', 'sendOffsets', 2],
    ['before', 'end', 2],
    ['after', 'end', 1],
  ] as const)('%s %s: the calls are made %i times, from the same, and written once', async (moment, call, times) => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const mortal = mortalLog(log, 'talk')
    const called: string[] = []
    const answers = Promise.withResolvers<void>()
    const topologies = [
      talkProgram({
        call: async (value, loaded) => {
          called.push(`${value} from "${loaded}"`)
          await answers.promise
          return value
        },
      }),
    ]
    // Not closed after the test: a dead process does not close.
    const killed = await TopologyDriver.start({ topologies, clock, log: mortal.log })
    await inOneBatch(killed.log, ['a1', 'b1', 'a2'])
    for (let n = 0; n < 10; n++) await spin(clock)
    mortal.killAt(call, moment)
    answers.resolve()
    for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock)
    expect(mortal.isDead).toBe(true)
    const again = await turnedUntil(clock, start({ topologies, clock, log, databases: memoryDatabases() }))
    await again.settle()
    for (const line of ['a1 from ""', 'b1 from ""'])
      expect(called.filter((other) => other === line)).toHaveLength(times)
    // It had begun when the process died.
    expect(called.filter((other) => other.startsWith('a2'))).toEqual(['a2 from "a1"', 'a2 from "a1"'])
    expect(called).toHaveLength(2 * times + 2)
    const written = pairs(await again.read('answers'))
    expect(ofLane(written, 'a')).toEqual(['a|k=a1', 'a|k=a1,a2'])
    expect(ofLane(written, 'b')).toEqual(['b|k=b1'])
    // The next run goes on from what stands there.
    const third = await restart(again, { topologies, clock })
    await inOneBatch(third.log, ['a3', 'b2'])
    await third.settle()
    expect(called.slice(-2).toSorted()).toEqual(['a3 from "a1,a2"', 'b2 from "b1"'])
  })
})
