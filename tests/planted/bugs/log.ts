/** Bugs of the log: of its client, and of the embedded broker. */

import type { PlantedBug } from '../bug.ts'
import { bug, bySeeds } from '../bug.ts'

const session = 'connectors/kafka/client/producer-session.ts'
const client = 'connectors/kafka/client/log-client.ts'
const broker = 'connectors/kafka/embedded/embedded-broker.ts'
const coordinator = 'connectors/kafka/embedded/transaction-coordinator.ts'
const partitionLog = 'connectors/kafka/embedded/partition-log.ts'
const cursor = 'connectors/kafka/record-cursor.ts'

export const logBugs: readonly PlantedBug[] = [
  bug(
    'committed offsets are read while a transaction may move them',
    client,
    'requireStable: true',
    'requireStable: false',
    { file: 'tests/connectors/kafka/client/producer-session.test.ts', test: 'committed offsets' },
  ),
  bug(
    'the producer is used on after an EndTxn without answer',
    session,
    'this.#identity = await retrying(this.#context, this.#limitMs, ask)',
    `this.#identity = await retrying(this.#context, this.#limitMs, ask).catch((error: unknown) => {
          if ((error as { code?: string }).code !== 'TIMEOUT') throw error
          return { ...this.#identity, epoch: this.#identity.epoch + 1 }
        })`,
    bySeeds('ledger'),
  ),
  bug(
    'of several aborts of a producer in one fetch only the last counts',
    cursor,
    'fetched.aborted.toSorted(byFirstOffset)',
    '[...new Map(fetched.aborted.toSorted(byFirstOffset).map((one) => [one.producerId, one])).values()]',
    bySeeds('ledger'),
  ),
  {
    name: 'an abort counts only when its marker is in the fetch',
    edits: [
      {
        file: cursor,
        find: `import { LogError } from './port.ts'`,
        replace: `import { endOffset } from './end-offset.ts'\nimport { LogError } from './port.ts'`,
      },
      {
        file: cursor,
        find: 'fetched.aborted.length === 0 ? [] :',
        replace: 'fetched.aborted.length === 0 || (endOffset(fetched.batches) ?? 0n) < fetched.lastStableOffset ? [] :',
      },
    ],
    caughtBy: bySeeds('ledger'),
  },
  {
    name: 'the end of a transaction does not bump the epoch: a late EndTxn ends the next one',
    edits: [
      {
        file: coordinator,
        find: 'const next = await this.#following(former)\n      const ended',
        replace: 'const next = former\n      const ended',
      },
      { file: coordinator, find: 'const by = { ...former, epoch: former.epoch + 1 }', replace: 'const by = former' },
      { file: session, find: '      this.#sequences.clear()\n', replace: '' },
    ],
    caughtBy: bySeeds('ledger'),
  },
  {
    name: 'a zombie moves offsets: neither it nor the coordinator looks at its generation',
    edits: [
      {
        file: broker,
        find: `    this.#groups.check(group, 'transactional', this.#offsets.has(group.groupId))\n`,
        replace: '',
      },
      {
        file: 'connectors/kafka/client/group-member.ts',
        find: 'if (silentMs >= this.#patienceMs) this.#isLost',
        replace: 'if (silentMs >= Infinity) this.#isLost',
      },
    ],
    caughtBy: bySeeds('ledger'),
  },
  bug(
    'a Produce that comes twice is written twice',
    partitionLog,
    'if (sentBefore !== null) return this.#ackOf(sentBefore)',
    'void sentBefore',
    bySeeds('ledger'),
  ),
  bug(
    'offsets of an aborted transaction count',
    'connectors/kafka/embedded/offset-store.ts',
    `if (pending === undefined || outcome === 'abort') return`,
    `if (pending === undefined) return`,
    bySeeds('ledger'),
  ),
  bug(
    'a partition is given before its owner gave it up',
    'connectors/kafka/client/share-out.ts',
    `const given = partitions.filter((partition) => (mayHave.get(nameOf(partition)) ?? memberId) === memberId)`,
    `const given = partitions.filter((partition) => mayHave.get(nameOf(partition)) !== '')`,
    bySeeds('ledger', 111),
  ),
  bug(
    'a batch is acknowledged before it is synced',
    partitionLog,
    'if (synced) await this.#syncOrBreak(segment)',
    'void synced',
    bySeeds('ledger'),
  ),
  bug(
    'a full segment is not synced before the next begins',
    partitionLog,
    '      await this.#syncOrBreak(newest)\n',
    '',
    {
      file: 'tests/connectors/kafka/crash.test.ts',
      test: 'power at every operation',
    },
  ),
  bug(
    'the directory is not synced when a segment was made',
    'connectors/kafka/embedded/segment.ts',
    '    await this.#files.fsyncDirectory(directory)\n',
    '    void directory\n',
    bySeeds('ledger'),
  ),
  bug(
    'the directory is not synced after a rename',
    'connectors/kafka/embedded/durable-json.ts',
    '  await files.fsyncDirectory(directory)\n',
    '',
    {
      file: 'tests/connectors/kafka/crash.test.ts',
      test: 'power at every operation',
    },
  ),
  bug(
    'a commit that was decided is forgotten by a restart of the broker',
    coordinator,
    "const commit = outcome === 'commit' && transaction !== null ? rangesOf(transaction) : []",
    "const commit = outcome === 'commit' && transaction !== null ? rangesOf(transaction).slice(1) : []",
    bySeeds('ledger'),
  ),
  bug(
    'a new producer leaves the transaction of the one before open',
    coordinator,
    `if (id.transaction !== null) await this.#end(transactionalId, id, 'abort')`,
    'if (id.transaction === null) id.ended = null',
    bySeeds('ledger'),
  ),
  bug(
    'what is read is not bounded by the last stable offset',
    partitionLog,
    `return isolation === 'read_committed' ? this.lastStableOffset : this.#highWatermark`,
    `return isolation === 'read_committed' && this.#closed ? this.lastStableOffset : this.#highWatermark`,
    bySeeds('ledger'),
  ),
  bug(
    'concurrent sends of a producer overtake each other',
    session,
    'if (before !== null) await before',
    'void before',
    {
      file: 'tests/connectors/kafka/client/producer-session.test.ts',
      test: 'requests without an await keep their order, one at a time (P1)',
    },
  ),
  bug(
    'offsets above 2^53 are numbers',
    cursor,
    'return this.#base + BigInt(this.#delta)',
    'return BigInt(Number(this.#base) + this.#delta)',
    { file: 'tests/connectors/kafka/record-batch.test.ts', test: 'offsets are exact above 2^53' },
  ),
]
