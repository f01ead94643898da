/**
 * What is known of the cluster, by several who ask and forget at once. The nodes are ours, and know what they are told (KM1-KM3).
 */

import { describe, expect, test } from 'vitest'
import { LogError } from '../../../../connectors/kafka/index.ts'
import { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import type { Address, Connections, Route } from '../../../../connectors/kafka/wire/connections.ts'
import { HandClock, settle } from '../hand-clock.ts'

const nodes = [1, 2, 3].map((nodeId) => ({ nodeId, host: `node-${nodeId}`, port: 9092, rack: null }))

interface Said {
  readonly leaderId: number
  readonly leaderEpoch: number
}

const minutes = 60_000
const firstLeads = (): Said => ({ leaderId: 1, leaderEpoch: 1 })

/**
 * @param knows which topics a node has heard of, by its host
 * @param leader of every partition, as a node says
 */
function clusterOf(
  knows: (host: string) => readonly string[],
  partitions: (host: string) => number = () => 1,
  leader: (host: string) => Said | Promise<Said> = firstLeads,
): { cluster: Cluster; asked: string[]; clock: HandClock; silent: Set<string> } {
  const asked: string[] = []
  const silent = new Set<string>()
  const clock = new HandClock()
  const call = async ({ to }: Route, _api: unknown, names: readonly string[]): Promise<unknown> => {
    asked.push(to.host)
    const said = await leader(to.host)
    const topics = names.map((name) => ({
      errorCode: knows(to.host).includes(name) ? 0 : 3,
      name,
      topicId: `id of ${name}`,
      isInternal: false,
      partitions: Array.from({ length: partitions(to.host) }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        ...said,
      })),
    }))
    return { brokers: nodes, clusterId: 'c', topics }
  }
  const connections = { call, isSilent: ({ host }: Address) => silent.has(host) } as unknown as Connections
  return { cluster: new Cluster(connections, [{ host: 'node-1', port: 9092 }], clock, 1_000), asked, clock, silent }
}

const leadersOf = async (cluster: Cluster): Promise<string[]> =>
  [...(await cluster.led([place])).nodes.keys()].map(({ host }) => host)

const place = { topic: 't', partition: 0 }

test('what one forgets while another looks is not unknown to it', async () => {
  const { cluster } = clusterOf(() => ['t'])
  await cluster.led([place])
  const looking = cluster.led([place])
  cluster.forget([place])
  const { nodes: led, unknown } = await looking
  expect(unknown).toEqual([])
  expect([...led.values()]).toEqual([[place]])
})

test('a topic is unknown when no node has heard of it', async () => {
  const { cluster, asked } = clusterOf(() => [])
  await cluster.refresh([])
  expect((await cluster.led([place])).unknown).toEqual([place])
  expect(new Set(asked)).toEqual(new Set(['node-1', 'node-2', 'node-3']))
})

test('one node that is late does not make it unknown', async () => {
  const { cluster } = clusterOf((host) => (host === 'node-3' ? ['t'] : []))
  await cluster.refresh([])
  expect((await cluster.led([place])).unknown).toEqual([])
  expect(await cluster.stillHas('t', 'id of t')).toBe(true)
  expect(await cluster.stillHas('t', 'another id')).toBe(false)
})

test('a topic that has grown is looked at anew', async () => {
  let partitions = 1
  const { cluster } = clusterOf(
    () => ['t'],
    () => partitions,
  )
  await cluster.led([place])
  partitions = 2
  const { nodes: led, unknown } = await cluster.led([{ topic: 't', partition: 1 }])
  expect(unknown).toEqual([])
  expect([...led.values()]).toEqual([[{ topic: 't', partition: 1 }]])
  expect((await cluster.led([{ topic: 't', partition: 2 }])).unknown).toEqual([{ topic: 't', partition: 2 }])
})

test('a node that hears and does not answer is not the next to be asked', async () => {
  const silent = new LogError('TIMEOUT', 'no answer', 'retry')
  const { cluster, asked } = clusterOf((host) => {
    if (host === 'node-1' && asked.length > 1) throw silent
    return ['t']
  })
  await cluster.refresh([])
  await expect(cluster.refresh(['t'])).rejects.toBe(silent)
  await expect(cluster.refresh(['t'])).resolves.toHaveLength(1)
})

describe('a node that has lost touch with the others', () => {
  const secondTookOver = (host: string): Said => ({
    leaderId: host === 'node-1' ? 1 : 2,
    leaderEpoch: host === 'node-1' ? 1 : 2,
  })

  test('is not asked again when what it said was wrong (KM1)', async () => {
    const { cluster } = clusterOf(() => ['t'], undefined, secondTookOver)
    await cluster.refresh([])
    expect(await leadersOf(cluster)).toEqual(['node-1'])
    cluster.forget([place])
    expect(await leadersOf(cluster)).toEqual(['node-2'])
  })

  test('costs one turn, however much of what it said was wrong (KM1)', async () => {
    const names = ['a', 'b', 'c']
    const { cluster, asked } = clusterOf(() => names)
    await cluster.refresh([])
    await cluster.topics(names)
    for (const topic of names) cluster.forget([{ topic }])
    await cluster.topics(names)
    expect(asked.slice(-2)).toEqual(['node-1', 'node-2'])
  })

  test('is not believed for ever, though it never fails (KM1)', async () => {
    const { cluster, clock, asked } = clusterOf(() => ['t'], undefined, secondTookOver)
    await cluster.refresh([])
    await cluster.led([place])
    await clock.advance(5 * minutes - 1)
    expect(await leadersOf(cluster)).toEqual(['node-1'])
    expect(asked).toHaveLength(2)
    await clock.advance(1)
    await cluster.led([place])
    await settle()
    expect(await leadersOf(cluster)).toEqual(['node-2'])
    expect(asked).toEqual(['node-1', 'node-1', 'node-2'])
  })

  test('takes nothing back from one that knows more (KM2)', async () => {
    const behind = (host: string): Said => ({
      leaderId: host === 'node-2' ? 1 : 2,
      leaderEpoch: host === 'node-2' ? 1 : 2,
    })
    const { cluster, asked } = clusterOf(
      () => ['t'],
      (host) => (host === 'node-2' ? 1 : 2),
      behind,
    )
    await cluster.refresh([])
    expect(await leadersOf(cluster)).toEqual(['node-2'])
    cluster.forget([place])
    expect(await leadersOf(cluster)).toEqual(['node-2'])
    expect((await cluster.led([{ topic: 't', partition: 1 }])).unknown).toEqual([])
    expect(asked).toEqual(['node-1', 'node-1', 'node-2'])
  })
})

test('nobody waits for what is looked at because it is old, and it counts while nobody can tell (KM1)', async () => {
  let isStuck = false
  const stuck = Promise.withResolvers<Said>()
  const { cluster, clock, asked } = clusterOf(
    () => ['t'],
    undefined,
    () => (isStuck ? stuck.promise : firstLeads()),
  )
  await cluster.led([place])
  isStuck = true
  await clock.advance(5 * minutes)
  for (let times = 0; times < 3; times++) expect(await leadersOf(cluster)).toEqual(['node-1'])
  expect(asked).toHaveLength(2)
  stuck.reject(new LogError('TIMEOUT', 'no answer', 'retry'))
  await settle()
  expect(await leadersOf(cluster)).toEqual(['node-1'])
  expect(asked).toHaveLength(3)
})

test('a node that is silent is the last to be asked (KM3)', async () => {
  const { cluster, asked, silent } = clusterOf(() => ['t'])
  await cluster.refresh([])
  silent.add('node-1')
  await cluster.refresh(['t'])
  for (const node of ['node-2', 'node-3']) silent.add(node)
  await cluster.refresh(['t'])
  expect(asked).toEqual(['node-1', 'node-2', 'node-1'])
})
