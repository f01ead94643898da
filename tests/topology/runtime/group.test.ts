/** Several processes in a real group: joins, generations and session timeouts are the embedded broker's. */

import { afterEach, describe, expect, test } from 'vitest'
import type { CrashPoint } from '../../../connectors/kafka/index.ts'
import { partitionFor } from '../../../connectors/kafka/index.ts'
import type { NodeContext, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder } from '../../../topology/index.ts'
import type { StallableClock } from '../../../topology/testing/index.ts'
import type { ClusterOptions } from './cluster.ts'
import { Cluster, lasting } from './cluster.ts'
import { send, turnedUntil } from './harness.ts'
import { countProgram, text } from './programs.ts'

const open: Cluster[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()))
})

function counting(options: Partial<ClusterOptions> = {}): Cluster {
  const cluster = new Cluster({ topology: countProgram(), ...options })
  open.push(cluster)
  return cluster
}

/** For each of six partitions the same number of keys. */
const keys = Array.from({ length: 200 }, (_, n) => `t|${n}`).filter(
  (key, n, all) => all.slice(0, n).filter((other) => partitionOf(other) === partitionOf(key)).length < 3,
)

function partitionOf(key: string): number {
  return partitionFor(Buffer.from(key), 6)
}

async function words(cluster: Cluster, topic = 'words'): Promise<void> {
  const [driver] = cluster.drivers
  if (driver === undefined) throw new Error('nobody is there')
  for (const key of keys) await turnedUntil(cluster.clock, send(driver, topic, key, topic))
}

/** Sends on what it reads, with a store beside it: of 'words' and what else is given, in the same part or one of its own. */
function readingProgram(topics: readonly string[], to: 'new part' | 'old part' = 'old part'): Topology {
  const supplier = () => ({
    process: (record: StreamRecord, context: NodeContext) => {
      context.forward(record)
    },
  })
  const builder = new TopologyBuilder('reader')
  for (const topic of topics) builder.source(topic, { topic, ...text })
  builder.part('first', { source: 'words' }).store('rows')
  const isApart = to === 'new part' && topics.length > 1
  builder.processor('read', { parents: isApart ? ['words'] : topics, stores: ['rows'], supplier })
  builder.sink('out', { parents: ['read'], topics: ['read-out'], ...text })
  if (!isApart) return builder.build()
  return builder
    .part('second', { source: 'more' })
    .processor('read-more', { parents: ['more'], supplier })
    .sink('out-more', { parents: ['read-more'], topics: ['read-out'], ...text })
    .build()
}

async function expectReadOnce(cluster: Cluster, times: Readonly<Record<string, number>>): Promise<void> {
  const found = new Map<string, number>()
  for (const { key, value } of (await cluster.drivers[0]?.read('read-out')) ?? []) {
    const name = `${key?.toString()} ${value?.toString()}`
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  const wanted = Object.entries(times).flatMap(([topic, count]) =>
    keys.map((key) => [`${key} ${topic}`, count] as const),
  )
  expect(found).toEqual(new Map(wanted))
  expect(cluster.failures).toEqual([])
}

/** Every key was counted once for each time it was said, in order. */
async function expectExactlyOnce(cluster: Cluster, times: number): Promise<void> {
  const found = new Map<string, number[]>()
  for (const { key, value } of (await cluster.drivers[0]?.read('counts-out')) ?? []) {
    const name = key?.toString() ?? ''
    found.set(name, [...(found.get(name) ?? []), Number(value?.toString())])
  }
  const wanted = Array.from({ length: times }, (_, n) => n + 1)
  expect(new Map(keys.map((key) => [key, found.get(key)]))).toEqual(new Map(keys.map((key) => [key, wanted])))
  expect(cluster.failures).toEqual([])
}

describe('a group', () => {
  test('a rebalance stops only the tasks that move; the others keep their stores and go on (W7)', async () => {
    const cluster = counting()
    await cluster.start('a')
    await words(cluster)
    await cluster.settle()
    await cluster.start('b')
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    await words(cluster)
    await cluster.settle()
    expect([...cluster.process('a').opened.values()]).toEqual([1, 1, 1, 1, 1, 1])
    expect(cluster.process('b').opened.size).toBe(3)
    await expectExactlyOnce(cluster, 2)
  })

  test('1, 3, 2, 1 processes while records come: every record counts once', async () => {
    const cluster = counting({ settings: { standbyReplicas: 1 } })
    await cluster.start('a')
    await words(cluster)
    await cluster.start('b')
    await words(cluster)
    await cluster.start('c')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ a: 2, b: 2, c: 2 })
    await words(cluster)
    await cluster.stop('a')
    await words(cluster)
    await cluster.stop('c')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ b: 6 })
    await expectExactlyOnce(cluster, 6)
  })

  test('one that dies is followed by those with its state after the session timeout; only a tail is restored (SB2)', async () => {
    const cluster = counting({ settings: { standbyReplicas: 1 } })
    await cluster.start('a')
    await cluster.start('b')
    for (let n = 0; n < 4; n++) await words(cluster)
    await cluster.settle()
    await cluster.run(2000)
    expect(cluster.status('b')).toMatchObject({ tasks: 3, standbyTasks: 3, standbyLag: 0 })
    const opened = new Map(cluster.process('b').opened)
    cluster.kill('a')
    await words(cluster)
    await cluster.run(12_000, 200)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ b: 6 })
    expect(cluster.process('b').opened).toEqual(opened)
    await expectExactlyOnce(cluster, 5)
  })

  test('one that comes back to its disk gets its tasks back at once, and restores only a tail (TA4)', async () => {
    const cluster = counting({ settings: { acceptableRecoveryLag: 60 } })
    await cluster.start('a', { databases: lasting() })
    const disk = lasting()
    await cluster.start('b', { databases: disk })
    for (let n = 0; n < 20; n++) await words(cluster)
    await cluster.settle()
    await cluster.stop('b')
    await words(cluster)
    await cluster.settle()
    const { driver, opened } = await cluster.start('b', { databases: disk })
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    // Once to see how far it is, once when it is handed over.
    expect([...opened.values()]).toEqual([2, 2, 2])
    const restored = driver.notices.flatMap((line) => Number(/restored (\d+) changelog/.exec(line)?.[1] ?? NaN))
    expect(restored).toHaveLength(3)
    for (const records of restored) expect(records).toBeLessThanOrEqual(3)
    await words(cluster)
    await cluster.settle()
    await expectExactlyOnce(cluster, 22)
  })

  test('a static member that restarts in time takes its tasks up again, and the others notice nothing (KIP-345)', async () => {
    const cluster = counting({ settings: { staticMembership: true } })
    await cluster.start('a')
    await cluster.start('b')
    await words(cluster)
    await cluster.settle()
    const before = new Map(cluster.process('a').opened)
    await cluster.stop('b')
    expect(cluster.tasks).toEqual({ a: 3 })
    await words(cluster)
    await cluster.start('b')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    expect(cluster.process('a').opened).toEqual(before)
    await expectExactlyOnce(cluster, 3)
  })

  describe.each([true, false])('a build that reads one topic more (static membership: %s)', (staticMembership) => {
    test.each([
      ['one', ['a']],
      ['two', ['a', 'b']],
    ])('in a part of its own or an old one, %s restarted one by one: all of it is read', async (_, ids) => {
      for (const to of ['new part', 'old part'] as const) {
        const cluster = new Cluster({ topology: readingProgram(['words']), settings: { staticMembership } })
        open.push(cluster)
        for (const id of ids) await cluster.start(id)
        await words(cluster)
        await cluster.settle()
        for (const id of ids) {
          await cluster.stop(id)
          await cluster.start(id, { topology: readingProgram(['words', 'more'], to) })
        }
        await words(cluster)
        await words(cluster, 'more')
        await cluster.settle()
        await expectReadOnce(cluster, { words: 2, more: 1 })
      }
    })
  })

  test('an input that comes after its task, when another leads, is read beside those it has; it goes the same way', async () => {
    const cluster = new Cluster({ topology: readingProgram(['words']) })
    open.push(cluster)
    const topology = readingProgram(['words', 'more'], 'old part')
    await cluster.start('a')
    await words(cluster)
    await cluster.start('b', { topology })
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    await cluster.stop('a')
    await words(cluster, 'more')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ b: 6 })
    await expectReadOnce(cluster, { words: 2, more: 1 })
    await cluster.start('c')
    await words(cluster)
    await cluster.stop('b')
    await cluster.start('b', { topology })
    await words(cluster, 'more')
    await cluster.stop('c')
    await words(cluster)
    await cluster.settle()
    await expectReadOnce(cluster, { words: 4, more: 2 })
  })

  test('an old build that leads takes the new input from a task that stays: it goes on with what it has, and loses nothing', async () => {
    const cluster = new Cluster({ topology: readingProgram(['words']) })
    open.push(cluster)
    const topology = readingProgram(['words', 'more'], 'old part')
    await cluster.start('a', { topology })
    await cluster.start('old')
    await cluster.start('b', { topology })
    await words(cluster)
    await words(cluster, 'more')
    await cluster.stop('a')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ old: 3, b: 3 })
    await expectReadOnce(cluster, { words: 2, more: 1 })
    await words(cluster, 'more')
    await cluster.stop('old')
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ b: 6 })
    await expectReadOnce(cluster, { words: 3, more: 2 })
  })

  test('static members that restart with standbys, or without, have them so after one rebalance', async () => {
    const cluster = counting({ settings: { staticMembership: true } })
    const restart = async (standbyReplicas: number): Promise<void> => {
      for (const id of ['a', 'b']) {
        if (cluster.processes.has(id)) await cluster.stop(id)
        await cluster.start(id, { settings: { staticMembership: true, standbyReplicas } })
      }
      await words(cluster)
      await cluster.settle()
    }
    const standbys = (): number[] => ['a', 'b'].map((id) => cluster.status(id).standbyTasks)
    await restart(0)
    expect(standbys()).toEqual([0, 0])
    await restart(1)
    expect(standbys()).toEqual([3, 3])
    await restart(0)
    expect(standbys()).toEqual([0, 0])
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    await expectExactlyOnce(cluster, 3)
  })

  test('one that stalled past its session commits nothing, joins again, and every record counts once (W9)', async () => {
    const cluster = counting()
    await cluster.start('a')
    const zombie = await cluster.start('b')
    await words(cluster)
    await cluster.run(5, 5)
    zombie.clock.stall()
    const before = cluster.status('b').commits
    await words(cluster)
    await cluster.run(15_000, 200)
    expect(cluster.status('a').tasks).toBe(6)
    zombie.clock.resume()
    await cluster.run(500)
    expect(cluster.status('b').commits).toBe(before)
    await words(cluster)
    await cluster.settle()
    expect(cluster.tasks).toEqual({ a: 3, b: 3 })
    await expectExactlyOnce(cluster, 3)
  })

  test.each(['C12', 'C06', 'C07', 'C08', 'C09', 'C10'] as const)(
    'one that stalls at %s past its session and comes back in the middle of its commit (W9, C3)',
    async (point) => {
      const cluster = counting()
      await cluster.start('a')
      const life: { armed: boolean; clock?: StallableClock } = { armed: false }
      const crash: CrashPoint = (name) => {
        if (!life.armed || name !== point) return
        life.armed = false
        life.clock?.stall()
      }
      const { clock } = await cluster.start('b', { crash })
      life.clock = clock
      await words(cluster)
      await cluster.settle()
      life.armed = true
      await words(cluster)
      await cluster.run(20_000, 200)
      expect(life.armed).toBe(false)
      expect(cluster.status('a').tasks).toBe(6)
      clock.resume()
      await cluster.run(500)
      await words(cluster)
      await cluster.settle()
      expect(cluster.tasks).toEqual({ a: 3, b: 3 })
      await expectExactlyOnce(cluster, 3)
    },
  )

  /** Dies at a place once it is told to. */
  function mortal(point: string) {
    const life: { armed: boolean; clock?: StallableClock } = { armed: false }
    const crash: CrashPoint = (name) => {
      if (!life.armed || name !== point) return
      life.armed = false
      life.clock?.stall()
      throw new Error(`dies at ${point}`)
    }
    return { life, crash }
  }

  test.each(['C01', 'C02', 'C03', 'C04', 'C05', 'C06', 'C07', 'C08', 'C09', 'C10', 'C12', 'C16', 'C17'] as const)(
    'one that dies at %s while another joins; it comes back with an empty disk, and every record counts once',
    async (point) => {
      const cluster = counting()
      await cluster.start('a')
      const { life, crash } = mortal(point)
      life.clock = (await cluster.start('b', { crash })).clock
      await words(cluster)
      await cluster.settle()
      life.armed = true
      await words(cluster)
      await cluster.start('c')
      expect(life.armed).toBe(false)
      cluster.kill('b')
      await words(cluster)
      await cluster.run(15_000, 200)
      await cluster.start('b')
      await words(cluster)
      await cluster.settle()
      expect(cluster.tasks).toEqual({ a: 2, b: 2, c: 2 })
      await expectExactlyOnce(cluster, 4)
    },
  )

  test.each(['C14', 'C15', 'C18', 'C19'] as const)(
    'one that dies at %s, in the middle of what it was assigned: the others take it over',
    async (point) => {
      const cluster = counting()
      await cluster.start('a')
      await words(cluster)
      await cluster.settle()
      const { life, crash } = mortal(point)
      life.armed = true
      const born = (clock: StallableClock): void => {
        life.clock = clock
      }
      const starting = cluster.start('b', { crash, born })
      starting.catch(() => undefined)
      await words(cluster)
      await cluster.run(20_000, 200)
      expect(life.armed).toBe(false)
      if (cluster.processes.has('b')) cluster.kill('b')
      await words(cluster)
      await cluster.settle()
      expect(cluster.tasks).toEqual({ a: 6 })
      await expectExactlyOnce(cluster, 3)
    },
  )
})
