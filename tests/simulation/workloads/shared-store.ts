/**
 * Two topics that share a store. Their interleaving is arbitrary, but each keeps its order, and the chain of hashes must
 * be the one that follows from the order of the outputs.
 */

import type { Topology } from '../../../topology/index.ts'
import { TopologyBuilder, changelogTopic, stringSerde } from '../../../topology/index.ts'
import type { Evidence, ProgramFactory, Violation } from '../program.ts'
import { Ids, eventTime, keyOf } from './keys.ts'
import { checkRows, foldLedger, idOf, ledgerStep, textOf } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }
const inputs = ['debits', 'credits'] as const

const topology = (): Topology =>
  new TopologyBuilder('shared')
    .source('debits', { topic: 'debits', ...text })
    .source('credits', { topic: 'credits', ...text })
    .store('accounts')
    .processor('debit', { parents: ['debits'], stores: ['accounts'], supplier: ledgerStep('accounts') })
    .processor('credit', { parents: ['credits'], stores: ['accounts'], supplier: ledgerStep('accounts') })
    .sink('out', { parents: ['debit', 'credit'], topics: ['statement'], ...text })
    .build()

export const sharedStore: ProgramFactory = ({ partitions, runtime }) => {
  const ids = new Ids()
  return {
    name: 'shared-store',
    topics: [...inputs, 'statement'].map((name) => kept(name, partitions)),
    groups: [{ group: 'shared', topics: inputs }],
    start: (machine) => startWorker(machine, runtime, [topology()]),
    generate(feed, nowMs, pick) {
      feed.send(
        Array.from({ length: 1 + pick.below(10) }, () =>
          ids.record(pick.of(inputs), keyOf(pick, 8), eventTime(pick, nowMs)),
        ),
      )
    },
    unfinished: () => null,
    check: (evidence) =>
      Array.from({ length: partitions }, (_, partition) => checkPartition(evidence, partition)).flat(),
  }
}

function checkPartition(evidence: Evidence, partition: number): Violation[] {
  const rows = new Map<string, string>()
  const outputs = new Map<string, number>()
  const violations: Violation[] = []
  const found = evidence.committed('statement', partition)
  for (const [index, record] of found.entries()) {
    const key = textOf(record.key)
    const id = textOf(record.value).split('|')[1] ?? ''
    const wanted = foldLedger(rows.get(key) ?? null, id)
    rows.set(key, wanted)
    outputs.set(id, index)
    if (textOf(record.value) !== wanted) {
      const what = `statement-${partition}@${record.offset}: ${key}=${textOf(record.value)} instead of ${wanted}`
      return [{ invariant: 'I2', what }]
    }
  }
  for (const input of inputs) {
    let last = -1
    for (const record of evidence.committed(input, partition)) {
      const id = idOf(textOf(record.value))
      const index = outputs.get(id)
      outputs.delete(id)
      if (index === undefined) violations.push({ invariant: 'I1', what: `${input} record ${id} has no output` })
      else if (index < last) violations.push({ invariant: 'I2', what: `${input} record ${id} was overtaken` })
      else last = index
    }
  }
  for (const id of outputs.keys())
    violations.push({ invariant: 'I2', what: `statement holds ${id}, which nobody sent` })
  return [...violations, ...checkRows(evidence, changelogTopic('shared', 'accounts'), partition, rows)]
}
