/** What the cluster speaks, asked once: this client needs Kafka 3.9 or newer. */

import { apiVersionsV3 } from '@platformatic/kafka'
import { LogError } from '../port.ts'
import type { Cluster } from './cluster.ts'
import { check } from './errors.ts'

/** Name, number and version of each request this client sends. */
const needed: readonly (readonly [name: string, key: number, version: number])[] = [
  ['Produce', 0, 11],
  ['Fetch', 1, 17],
  ['ListOffsets', 2, 9],
  ['Metadata', 3, 12],
  ['OffsetCommit', 8, 9],
  ['OffsetFetch', 9, 9],
  ['FindCoordinator', 10, 4],
  ['JoinGroup', 11, 9],
  ['Heartbeat', 12, 4],
  ['LeaveGroup', 13, 5],
  ['SyncGroup', 14, 4],
  ['DescribeGroups', 15, 5],
  ['ListGroups', 16, 5],
  ['CreateTopics', 19, 7],
  ['DeleteRecords', 21, 2],
  ['InitProducerId', 22, 5],
  ['AddPartitionsToTxn', 24, 3],
  ['AddOffsetsToTxn', 25, 4],
  ['EndTxn', 26, 4],
  ['TxnOffsetCommit', 28, 4],
  ['DescribeConfigs', 32, 4],
]

/** How transactions are spoken of: 2 is KIP-890, below it partitions and groups are added by requests of their own. */
export type TransactionProtocol = 1 | 2

/**
 * Which protocol is the cluster's to say, by a feature that its operator has finalized; the versions that a broker offers say
 * only what it could do.
 * @throws LogError UNSUPPORTED_VERSION
 */
export async function negotiate(cluster: Cluster): Promise<TransactionProtocol> {
  const answer = await cluster.any(apiVersionsV3.api, 'lifecycle', '1')
  check(answer.errorCode, 'ApiVersions')
  const offered = new Map(answer.apiKeys.map((api) => [api.apiKey, api]))
  const lacking = needed.filter(([, key, version]) => {
    const api = offered.get(key)
    return api === undefined || version < api.minVersion || version > api.maxVersion
  })
  if (lacking.length > 0) {
    const names = lacking.map(([name, , version]) => `${name} version ${version}`).join(', ')
    const what = `this Kafka does not speak ${names}: version 3.9 or newer is needed`
    throw new LogError('UNSUPPORTED_VERSION', what, 'stop')
  }
  const level = answer.finalizedFeatures?.find(({ name }) => name === 'transaction.version')?.maxVersionLevel ?? 0
  return level >= 2 ? 2 : 1
}
