/**
 * Bounds how long a request may go unanswered: after that its outcome is unknown (BR1). For a broker that has no bound of
 * its own. Requests that wait at the broker by their meaning have that time on top.
 */

import type { Broker } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'

export function timedBroker(broker: Broker, clock: Clock, timeoutMs: number): Broker {
  const bounded = <T>(what: string, answer: Promise<T>, waitMs = 0): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const cancel = clock.after(timeoutMs + waitMs, () =>
      reject(new LogError('TIMEOUT', `${what} was not answered within ${timeoutMs + waitMs} ms`, 'retry')),
    )
    answer.then(resolve, reject).finally(cancel)
    return promise
  }
  return {
    clusterId: broker.clusterId,
    metadata: (names) => bounded('Metadata', broker.metadata(names)),
    createTopics: (specs) => bounded('CreateTopics', broker.createTopics(specs)),
    listOffsets: (partitions, which) => bounded('ListOffsets', broker.listOffsets(partitions, which)),
    fetch: (request) => bounded('Fetch', broker.fetch(request), request.maxWaitMs),
    deleteRecords: (before) => bounded('DeleteRecords', broker.deleteRecords(before)),
    initProducerId: (request) => bounded('InitProducerId', broker.initProducerId(request)),
    produce: (request) => bounded('Produce', broker.produce(request)),
    txnOffsetCommit: (request) => bounded('TxnOffsetCommit', broker.txnOffsetCommit(request)),
    endTxn: (request) => bounded('EndTxn', broker.endTxn(request)),
    joinGroup: (request) =>
      bounded('JoinGroup', broker.joinGroup(request), Math.max(request.rebalanceTimeoutMs, request.sessionTimeoutMs)),
    syncGroup: (request) => bounded('SyncGroup', broker.syncGroup(request)),
    heartbeat: (request) => bounded('Heartbeat', broker.heartbeat(request)),
    leaveGroup: (request) => bounded('LeaveGroup', broker.leaveGroup(request)),
    offsetCommit: (request) => bounded('OffsetCommit', broker.offsetCommit(request)),
    offsetFetch: (request) => bounded('OffsetFetch', broker.offsetFetch(request)),
    describeGroups: (groupIds) => bounded('DescribeGroups', broker.describeGroups(groupIds)),
    close: () => broker.close(),
  }
}
