/** Transactions in the protocol of before KIP-890, at a coordinator that answers as it is told to (KP1-KP3). */

import { addPartitionsToTxnV3, initProducerIdV5 } from '@platformatic/kafka'
import { describe, expect, test } from 'vitest'
import { RecordBatchBuilder } from '../../../../connectors/kafka/index.ts'
import type { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import { endTxnV4 } from '../../../../connectors/kafka/wire/codecs.ts'
import type { Connections } from '../../../../connectors/kafka/wire/connections.ts'
import type { Coordinated, Coordinators } from '../../../../connectors/kafka/wire/coordinators.ts'
import { errorOf } from '../../../../connectors/kafka/wire/errors.ts'
import { ProducerRequests } from '../../../../connectors/kafka/wire/producer-requests.ts'
import { HandClock, settle } from '../hand-clock.ts'

const transactionalId = 'p'
const address = { host: 'h', port: 1 }
const concurrentTransactions = 51
const unknownTopic = 3
const timeoutMs = 1_000

describe('an end that is decided and whose epoch is not bumped yet (KP2)', () => {
  test('is asked for its next identity until it is answered', async () => {
    const { requests, coordinator, clock } = await opened()
    await produce(requests, 0)
    coordinator.answers = [concurrentTransactions, concurrentTransactions, 0]
    const ended = requests.endTxn({ transactionalId, producerId: 7n, epoch: 0, outcome: 'commit' })
    await turn(clock, 100)
    expect(await ended).toEqual({ producerId: 7n, epoch: 1 })
    expect(coordinator.asked).toEqual(['init', 'add', 'end', 'init', 'init', 'init'])
  })

  test('is TIMEOUT when no identity comes: it is no refusal of the end', async () => {
    const { requests, coordinator, clock } = await opened()
    await produce(requests, 0)
    coordinator.answers = Array.from({ length: 1_000 }, () => concurrentTransactions)
    const lost = requests.endTxn({ transactionalId, producerId: 7n, epoch: 0, outcome: 'commit' }).then(
      () => null,
      (error: unknown) => error,
    )
    await turn(clock, 2 * timeoutMs)
    expect(await lost).toMatchObject({ code: 'TIMEOUT' })
    expect(coordinator.asked.filter((what) => what === 'end')).toHaveLength(1)
  })
})

describe('a transaction to which nothing was added (KP3)', () => {
  test('ends without a word, and goes on with its identity', async () => {
    const { requests, coordinator } = await opened()
    coordinator.refusal = unknownTopic
    await expect(produce(requests, 0)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    const identity = await requests.endTxn({ transactionalId, producerId: 7n, epoch: 0, outcome: 'abort' })
    expect(identity).toEqual({ producerId: 7n, epoch: 0 })
    expect(coordinator.asked).toEqual(['init', 'add'])
  })

  test('is not that of a producer whose successor has added nothing yet', async () => {
    const { requests, coordinator } = await opened()
    await produce(requests, 0)
    await requests.initProducerId({ transactionalId, transactionTimeoutMs: timeoutMs })
    await requests.endTxn({ transactionalId, producerId: 7n, epoch: 0, outcome: 'commit' })
    expect(coordinator.asked).toEqual(['init', 'add', 'init', 'end', 'init'])
  })
})

/** Answers "end" well, and "init" with the numbers it was given, then well. */
class ScriptedCoordinator {
  readonly asked: string[] = []
  answers: number[] = []
  refusal = 0
  #epoch = -1

  call(_of: Coordinated, _route: unknown, api: unknown): Promise<unknown> {
    if (api === initProducerIdV5.api) {
      this.asked.push('init')
      const errorCode = this.answers.shift() ?? 0
      if (errorCode === 0) this.#epoch += 1
      return Promise.resolve({ errorCode, producerId: 7n, producerEpoch: this.#epoch })
    }
    if (api === addPartitionsToTxnV3.api) {
      this.asked.push('add')
      const resultsByPartition = [{ partitionIndex: 0, partitionErrorCode: this.refusal }]
      return Promise.resolve({ resultsByTransaction: [{ topicResults: [{ name: 't', resultsByPartition }] }] })
    }
    expect(api).toBe(endTxnV4)
    this.asked.push('end')
    return Promise.resolve(0)
  }

  check(_of: Coordinated, code: number, what: string): void {
    if (code !== 0) throw errorOf(code, what)
  }
}

async function opened() {
  const [coordinator, clock] = [new ScriptedCoordinator(), new HandClock()]
  const cluster = {
    led: (batches: readonly unknown[]) => ({ nodes: new Map([[address, batches]]), unknown: [], leaderless: [] }),
  }
  const connections = { call: () => [{ topic: 't', partition: 0, errorCode: 0, baseOffset: 0n, message: null }] }
  const requests = new ProducerRequests({
    cluster: cluster as unknown as Cluster,
    connections: connections as unknown as Connections,
    coordinators: coordinator as unknown as Coordinators,
    protocol: 1,
    clock,
    timeoutMs,
  })
  await requests.initProducerId({ transactionalId, transactionTimeoutMs: timeoutMs })
  return { requests, coordinator, clock }
}

function produce(requests: ProducerRequests, epoch: number): Promise<unknown> {
  const records = new RecordBatchBuilder()
  records.append(1_000, null, Buffer.from('a'))
  const batch = records.build({ producerId: 7n, epoch, baseSequence: 0, transactional: true })
  return requests.produce({ transactionalId, batches: [{ topic: 't', partition: 0, batch }] })
}

/** In steps, so that what waits again is waited for. */
async function turn(clock: HandClock, ms: number): Promise<void> {
  for (let turned = 0; turned < ms; turned += 10) {
    await settle()
    await clock.advance(10)
  }
}
