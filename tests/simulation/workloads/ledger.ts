/** One hop: a ledger per key of one topic. Deterministic per partition, so its output is compared element by element. */

import { TopologyBuilder, changelogTopic, stringSerde } from '../../../topology/index.ts'
import type { Topology } from '../../../topology/index.ts'
import type { ProgramFactory } from '../program.ts'
import { Ids, eventTime, keyOf } from './keys.ts'
import { checkLedger, checkRows, ledgerModel, ledgerStep } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }

const topology = (): Topology =>
  new TopologyBuilder('ledger')
    .source('events', { topic: 'events', ...text })
    .store('ledgers')
    .processor('ledger', { parents: ['events'], stores: ['ledgers'], supplier: ledgerStep('ledgers') })
    .sink('out', { parents: ['ledger'], topics: ['ledger'], ...text })
    .build()

export const ledger: ProgramFactory = ({ partitions, runtime }) => {
  const ids = new Ids()
  return {
    name: 'ledger',
    topics: [kept('events', partitions), kept('ledger', partitions)],
    groups: [{ group: 'ledger', topics: ['events'] }],
    start: (machine) => startWorker(machine, runtime, [topology()]),
    generate(feed, nowMs, pick) {
      const count = 1 + pick.below(12)
      feed.send(Array.from({ length: count }, () => ids.record('events', keyOf(pick, 12), eventTime(pick, nowMs))))
    },
    unfinished: () => null,
    check: (evidence) => [
      ...checkLedger(evidence, 'events', 'ledger'),
      ...Array.from({ length: partitions }, (_, partition) =>
        checkRows(
          evidence,
          changelogTopic('ledger', 'ledgers'),
          partition,
          ledgerModel(evidence.committed('events', partition)).rows,
        ),
      ).flat(),
    ],
  }
}
