/** A real Kafka under a script, through our client of it: time is real, and a script's names are its own by a prefix. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeTransactionsV0 } from '@platformatic/kafka'
import { Cluster } from '../../connectors/kafka/wire/cluster.ts'
import { Connections } from '../../connectors/kafka/wire/connections.ts'
import type { Broker, TopicPartition } from '../../connectors/kafka/index.ts'
import type { KafkaBrokerOptions } from '../../connectors/kafka/wire/index.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { machineClock } from '../../deploy/machine.ts'
import { connectKafka, openKafkaLog } from '../connectors/kafka/wire/real-time.ts'
import type { Stage } from './player.ts'
import type { Request } from './steps.ts'

/** How long a started request is given to reach the broker, and a cleaner that has nothing to do to do nothing, in ms. */
const reachMs = 300
const nothingToCleanMs = 2_000
const withinMs = 60_000

/** How our client comes to a Kafka: by which listener, and as whom. */
export type Access = Pick<KafkaBrokerOptions, 'bootstrap' | 'sasl' | 'tls'>

/** @param prefix of every topic, group and transactional id */
export async function kafkaStage(kafka: Kafka, prefix: string, access: Access): Promise<Stage> {
  const cluster = await connectKafka(access)
  const broker = prefixed(cluster, prefix)
  return {
    broker,
    wait: (ms) => sleep(ms),
    settle: () => sleep(0),
    reached: (request) => reached(broker, request),
    written: (transactionalId) => written(kafka, prefix + transactionalId),
    compact: ({ topic, partition }) => compacted(kafka, cluster, { topic: prefix + topic, partition }),
  }
}

/** The first question makes the internal topics; scripts begin when both coordinators answer. */
export async function coordinatorsAnswer(kafka: Kafka): Promise<void> {
  const log = await openKafkaLog({ bootstrap: [kafka.bootstrap] })
  try {
    await (await log.openProducer({ transactionalId: 'any', transactionTimeoutMs: 1000 })).close()
    await log.committedOffsets('any', [{ topic: 'any', partition: 0 }])
  } finally {
    await log.close()
  }
}

/** A join that waits is seen to wait. */
async function reached(broker: Broker, request: Request): Promise<void> {
  await sleep(reachMs)
  if (request.do !== 'join' || request.group === undefined) return
  for (let waitedMs = 0; waitedMs <= 200; waitedMs += 20) {
    const [group] = await broker.describeGroups([request.group])
    if (group?.state === 'PreparingRebalance') return
    await sleep(20)
  }
}

async function written(kafka: Kafka, transactionalId: string): Promise<void> {
  const [host = '', port] = kafka.bootstrap.split(':')
  const connections = new Connections({ clientId: 'conformance', connectTimeoutMs: 10_000 }, machineClock)
  const cluster = new Cluster(connections, [{ host, port: Number(port) }], machineClock, withinMs)
  try {
    for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 10) {
      const answer = await cluster.any(describeTransactionsV0.api, [transactionalId])
      if (answer.transactionStates[0]?.transactionState.startsWith('Prepare') !== true) return
      await sleep(10)
    }
    throw new Error(`markers of ${transactionalId} are not written`)
  } finally {
    await connections.close()
  }
}

/** Until the cleaner has been over the sealed segments that lie wholly below the last stable offset. */
export async function compacted(
  kafka: Kafka,
  broker: Pick<Broker, 'listOffsets'>,
  place: TopicPartition,
): Promise<void> {
  const [stable = 0n] = await broker.listOffsets([place], 'stable')
  const name = `${place.topic}-${place.partition}`
  const bases = (await readdir(join(kafka.data, name)))
    .filter((file) => file.endsWith('.log'))
    .map((file) => BigInt(file.slice(0, -'.log'.length)))
    .filter((base) => base <= stable)
  const end = bases.reduce((most, base) => (base > most ? base : most), 0n)
  if (end === 0n) await sleep(nothingToCleanMs)
  for (let waitedMs = 0; (await cleanedTo(kafka, place)) < end; waitedMs += 50) {
    if (waitedMs > withinMs) throw new Error(`${name} is not cleaned`)
    await sleep(50)
  }
}

async function cleanedTo(kafka: Kafka, { topic, partition }: TopicPartition): Promise<bigint> {
  const checkpoint = await readFile(join(kafka.data, 'cleaner-offset-checkpoint'), 'utf8').catch(() => '')
  const line = checkpoint.split('\n').find((one) => one.startsWith(`${topic} ${partition} `))
  return BigInt(line?.split(' ')[2] ?? '0')
}

/** The names of a script, made its own on the way there and back. No name stays none. */
function prefixed(broker: Broker, prefix: string): Broker {
  const own = (name: string): string => (name === '' ? '' : prefix + name)
  const there = <T extends { readonly topic: string }>(parts: readonly T[]): T[] =>
    parts.map((part) => ({ ...part, topic: own(part.topic) }))
  const back = <T extends { readonly topic: string }>(parts: readonly T[]): T[] =>
    parts.map((part) => ({ ...part, topic: part.topic.slice(prefix.length) }))
  const ofGroup = <T extends { readonly groupId: string }>(request: T): T => ({
    ...request,
    groupId: own(request.groupId),
  })
  const ofTransaction = <T extends { readonly transactionalId: string | null }>(request: T): T => ({
    ...request,
    transactionalId: request.transactionalId === null ? null : own(request.transactionalId),
  })
  return {
    clusterId: broker.clusterId,
    async metadata(names) {
      const found = await broker.metadata(names?.map(own))
      return found.map((topic) => ({ ...topic, name: topic.name.slice(prefix.length) }))
    },
    createTopics: (specs) => broker.createTopics(specs.map((spec) => ({ ...spec, name: own(spec.name) }))),
    listOffsets: (partitions, which) => broker.listOffsets(there(partitions), which),
    fetch: async (request) => back(await broker.fetch({ ...request, partitions: there(request.partitions) })),
    deleteRecords: (before) => broker.deleteRecords(there(before)),
    initProducerId: (request) => broker.initProducerId(ofTransaction(request)),
    produce: async (request) =>
      back(await broker.produce({ ...ofTransaction(request), batches: there(request.batches) })),
    txnOffsetCommit: (request) =>
      broker.txnOffsetCommit({
        ...ofTransaction(request),
        group: ofGroup(request.group),
        offsets: there(request.offsets),
      }),
    endTxn: (request) => broker.endTxn(ofTransaction(request)),
    joinGroup: (request) => broker.joinGroup(ofGroup(request)),
    syncGroup: (request) => broker.syncGroup(ofGroup(request)),
    heartbeat: (request) => broker.heartbeat(ofGroup(request)),
    leaveGroup: (request) => broker.leaveGroup(ofGroup(request)),
    offsetCommit: (request) => broker.offsetCommit({ group: ofGroup(request.group), offsets: there(request.offsets) }),
    async offsetFetch(request) {
      const found = await broker.offsetFetch({ ...ofGroup(request), partitions: there(request.partitions) })
      return found.map((one) => (one === null ? null : back([one])[0]!))
    },
    describeGroups: (groupIds) => broker.describeGroups(groupIds?.map(own)),
    close: () => broker.close(),
  }
}
