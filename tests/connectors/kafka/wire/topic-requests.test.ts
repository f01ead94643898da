/** Partitions of which some have no leader: what can be done for the others. The leaders are ours, and keep what they are asked. */

import { deleteRecordsV2, listOffsetsV9 } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import type { TopicPartition } from '../../../../connectors/kafka/index.ts'
import type { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import type { Connections } from '../../../../connectors/kafka/wire/connections.ts'
import { TopicRequests } from '../../../../connectors/kafka/wire/topic-requests.ts'
import { HandClock } from '../hand-clock.ts'

type Lacks = 'unknown' | 'leaderless'
const place = { topic: 't', partition: 0, offset: 7n }
const other = { topic: 't', partition: 1, offset: 8n }

/** Of the two partitions the other cannot be asked about. */
function opened(lacks: Lacks): { requests: TopicRequests; asked: string[] } {
  const asked: string[] = []
  const led = async (parts: readonly TopicPartition[]): Promise<unknown> => {
    const [leads, none] = [0, 1].map((partition) => parts.filter((part) => part.partition === partition))
    return { nodes: new Map([[{ host: 'a', port: 1 }, leads]]), unknown: [], leaderless: [], [lacks]: none }
  }
  const call = async (_route: unknown, api: unknown, ...args: never[]): Promise<unknown> => {
    const ends = { partitionIndex: 0, errorCode: 0, offset: 3n, lowWatermark: 7n }
    if (api === listOffsetsV9.api) asked.push('list')
    else {
      expect(api).toBe(deleteRecordsV2.api)
      expect(args[0]).toEqual([{ name: 't', partitions: [{ partitionIndex: 0, offset: 7n }] }])
      asked.push('delete')
    }
    return { topics: [{ name: 't', partitions: [ends] }] }
  }
  const cluster = { led, forget: () => undefined } as unknown as Cluster
  const connections = { call } as unknown as Connections
  return { requests: new TopicRequests(cluster, connections, new HandClock(), 1_000), asked }
}

test.each([
  ['leaderless', 'NOT_LEADER_OR_FOLLOWER'],
  ['unknown', 'UNKNOWN_TOPIC_OR_PARTITION'],
] as const)('records are deleted elsewhere when a partition is %s, and then it is said', async (lacks, code) => {
  const { requests, asked } = opened(lacks)
  await expect(requests.deleteRecords([other, place])).rejects.toMatchObject({ code })
  expect(asked).toEqual(['delete'])
})

test('offsets are listed for all or none: nobody is asked for nothing', async () => {
  const { requests, asked } = opened('leaderless')
  await expect(requests.listOffsets([place, other], 'latest')).rejects.toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER' })
  expect(asked).toEqual([])
  expect(await requests.listOffsets([place, place], 'latest')).toEqual([3n, 3n])
})
