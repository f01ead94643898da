/** What is known of the cluster, by several who ask and forget at once. The nodes are ours, and know what they are told. */

import { expect, test } from 'vitest'
import { LogError } from '../../../../connectors/kafka/index.ts'
import { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import type { Connections, Route } from '../../../../connectors/kafka/wire/connections.ts'

const nodes = [1, 2, 3].map((nodeId) => ({ nodeId, host: `node-${nodeId}`, port: 9092, rack: null }))

/** @param knows which topics a node has heard of, by its host */
function clusterOf(
  knows: (host: string) => readonly string[],
  partitions: () => number = () => 1,
): { cluster: Cluster; asked: string[] } {
  const asked: string[] = []
  const call = async ({ to }: Route, _api: unknown, names: readonly string[]): Promise<unknown> => {
    asked.push(to.host)
    const topics = names.map((name) => ({
      errorCode: knows(to.host).includes(name) ? 0 : 3,
      name,
      topicId: `id of ${name}`,
      isInternal: false,
      partitions: Array.from({ length: partitions() }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
      })),
    }))
    return { brokers: nodes, clusterId: 'c', topics }
  }
  const connections = { call } as unknown as Connections
  return { cluster: new Cluster(connections, [{ host: 'node-1', port: 9092 }], 1_000), asked }
}

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
