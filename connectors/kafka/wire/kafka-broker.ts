/**
 * The broker port over a Kafka cluster. What each request means is in the file of its kind; here they are put together, over
 * one set of connections.
 */

import type { Broker } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'
import { Cluster } from './cluster.ts'
import { Connections } from './connections.ts'
import type { Address, ConnectionSettings } from './connections.ts'
import { Coordinators } from './coordinators.ts'
import { FetchRequests } from './fetch-requests.ts'
import { GroupRequests } from './group-requests.ts'
import { ProducerRequests } from './producer-requests.ts'
import { TopicRequests } from './topic-requests.ts'
import { negotiate } from './versions.ts'

export interface KafkaBrokerOptions extends Partial<ConnectionSettings> {
  /** `host:port`, some of the cluster's brokers; the others are found through them. */
  readonly bootstrap: readonly string[]
  readonly clock: Clock
  /** How long a request may take besides what it waits for by its meaning, in ms: 30 s unless told. */
  readonly requestTimeoutMs?: number
  /** One line for a person. */
  readonly notice?: (line: string) => void
}

const usualRequestTimeoutMs = 30_000
const usualConnectTimeoutMs = 10_000
const usualClientId = 'lifecycle'

/** @throws LogError TIMEOUT (none can be reached), UNSUPPORTED_VERSION, AUTHENTICATION_FAILED, INVALID_CONFIG, each in one line */
export async function connectKafka(options: KafkaBrokerOptions): Promise<Broker> {
  const { clock, notice = () => undefined, requestTimeoutMs: timeoutMs = usualRequestTimeoutMs } = options
  const { clientId = usualClientId, connectTimeoutMs = usualConnectTimeoutMs, tls, sasl } = options
  const connections = new Connections({ clientId, connectTimeoutMs, tls, sasl }, clock)
  try {
    const cluster = new Cluster(connections, options.bootstrap.map(addressOf), clock, timeoutMs)
    await cluster.refresh([])
    const protocol = await negotiate(cluster)
    const coordinators = new Coordinators(cluster, connections)
    const topics = new TopicRequests(cluster, connections, clock, timeoutMs)
    const fetches = new FetchRequests({ cluster, connections, clock, timeoutMs, notice })
    const producers = new ProducerRequests({ cluster, connections, coordinators, protocol, clock, timeoutMs })
    const groups = new GroupRequests({ cluster, connections, coordinators, timeoutMs })
    return {
      clusterId: cluster.clusterId,
      metadata: (names) => topics.metadata(names),
      createTopics: (specs) => topics.createTopics(specs),
      listOffsets: (partitions, which) => topics.listOffsets(partitions, which),
      deleteRecords: (before) => topics.deleteRecords(before),
      fetch: (request) => fetches.fetch(request),
      initProducerId: (request) => producers.initProducerId(request),
      produce: (request) => producers.produce(request),
      txnOffsetCommit: (request) => producers.txnOffsetCommit(request),
      endTxn: (request) => producers.endTxn(request),
      joinGroup: (request) => groups.joinGroup(request),
      syncGroup: (request) => groups.syncGroup(request),
      heartbeat: (request) => groups.heartbeat(request),
      leaveGroup: (request) => groups.leaveGroup(request),
      offsetCommit: (request) => groups.offsetCommit(request),
      offsetFetch: (request) => groups.offsetFetch(request),
      describeGroups: (groupIds) => groups.describeGroups(groupIds),
      close: () => connections.close(),
    }
  } catch (error) {
    await connections.close()
    throw error
  }
}

/** @throws LogError INVALID_CONFIG */
function addressOf(text: string): Address {
  const [, host, port] = /^\[?([^[\]]+?)\]?:(\d{1,5})$/.exec(text.trim()) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new LogError('INVALID_CONFIG', `'${text}' is no address of a Kafka broker: host:port`, 'stop')
  return { host, port: Number(port) }
}
