/**
 * Worlds that are broken on purpose, one bug each, planted between a process and its network. A simulator that does not
 * find them finds nothing.
 */

import type { Broker } from '../../connectors/kafka/index.ts'
import { LogError } from '../../connectors/kafka/index.ts'
import type { Chance } from './random.ts'

/** Makes a broker wrong, as one process sees it. */
export type Canary = (broker: Broker, chance: Chance) => Broker

const isTimeout = (error: unknown): boolean => error instanceof LogError && error.code === 'TIMEOUT'

export const canaries: Readonly<Record<string, Canary>> = {
  /** Now and then a batch is acknowledged and was never sent. */
  'lost batch': (broker, chance) => ({
    ...methodsOf(broker),
    produce: async (request) => {
      if (!chance.chance(0.02)) return broker.produce(request)
      return request.batches.map(({ topic, partition }) => ({
        topic,
        partition,
        baseOffset: 0n,
        error: null,
        message: null,
      }))
    },
  }),

  /** Whoever gets no answer to the end of a transaction takes it for a success. */
  'hopeful end': (broker) => ({
    ...methodsOf(broker),
    endTxn: async (request) => {
      try {
        return await broker.endTxn(request)
      } catch (error) {
        if (!isTimeout(error)) throw error
        return { producerId: request.producerId, epoch: request.epoch + 1 }
      }
    },
  }),

  /** Input and changelogs are read with what may still be aborted. */
  'dirty reads': (broker) => ({
    ...methodsOf(broker),
    fetch: (request) => broker.fetch({ ...request, isolation: 'read_uncommitted' }),
  }),

  /** Committed offsets are asked for while a transaction may still move them. */
  'unstable offsets': (broker) => ({
    ...methodsOf(broker),
    offsetFetch: (request) => broker.offsetFetch({ ...request, requireStable: false }),
  }),

  /** Offsets leave before the records they stand for. */
  'offsets outside': (broker) => ({
    ...methodsOf(broker),
    txnOffsetCommit: ({ group, offsets }) => broker.offsetCommit({ group, offsets }),
  }),
}

function methodsOf(broker: Broker): Broker {
  return {
    clusterId: broker.clusterId,
    metadata: (names) => broker.metadata(names),
    createTopics: (specs) => broker.createTopics(specs),
    listOffsets: (partitions, which) => broker.listOffsets(partitions, which),
    fetch: (request) => broker.fetch(request),
    deleteRecords: (before) => broker.deleteRecords(before),
    initProducerId: (request) => broker.initProducerId(request),
    produce: (request) => broker.produce(request),
    txnOffsetCommit: (request) => broker.txnOffsetCommit(request),
    endTxn: (request) => broker.endTxn(request),
    joinGroup: (request) => broker.joinGroup(request),
    syncGroup: (request) => broker.syncGroup(request),
    heartbeat: (request) => broker.heartbeat(request),
    leaveGroup: (request) => broker.leaveGroup(request),
    offsetCommit: (request) => broker.offsetCommit(request),
    offsetFetch: (request) => broker.offsetFetch(request),
    describeGroups: (ids) => broker.describeGroups(ids),
    close: () => broker.close(),
  }
}
