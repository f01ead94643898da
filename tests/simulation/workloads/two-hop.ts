/**
 * Two hops: records are routed to another key through a repartition topic, then a ledger is kept. Between the hops the
 * interleaving of sources is arbitrary, so the first hop is checked per source partition, the second element by element.
 */

import type { NodeProcessor, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, changelogTopic, repartitionTopic, stringSerde } from '../../../topology/index.ts'
import { partitionFor } from '../../../connectors/kafka/index.ts'
import type { Evidence, ProgramFactory, Violation } from '../program.ts'
import { Ids, eventTime, keyOf } from './keys.ts'
import { checkLedger, checkRows, firstDifference, ledgerModel, ledgerStep, lineOf, textOf } from './ledger-model.ts'
import type { Line } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }

/** Where a record goes next stands in its value: `id|target|source key`. */
const routed = (value: string): string => value.split('|')[1] ?? ''

const route = (): NodeProcessor => ({
  process(record, context) {
    const { value, timestamp, headers } = record as StreamRecord<string, string>
    context.forward({ key: routed(value), value, timestamp, headers })
  },
})

const topology = (): Topology =>
  new TopologyBuilder('two-hop')
    .source('parcels', { topic: 'parcels', ...text })
    .part('route', { source: 'parcels' })
    .processor('route', { parents: ['parcels'], supplier: route })
    .repartition('by-target')
    .sink('to-target', { parents: ['route'], topics: ['by-target'], ...text })
    .source('targeted', { topic: 'by-target', ...text })
    .part('ledger', { source: 'targeted' })
    .store('balances')
    .processor('ledger', { parents: ['targeted'], stores: ['balances'], supplier: ledgerStep('balances') })
    .sink('out', { parents: ['ledger'], topics: ['balance'], ...text })
    .build()

const between = repartitionTopic('two-hop', 'by-target')

export const twoHop: ProgramFactory = ({ partitions, runtime }) => {
  const ids = new Ids()
  return {
    name: 'two-hop',
    topics: [kept('parcels', partitions), kept('balance', partitions)],
    groups: [{ group: 'two-hop', topics: ['parcels', between] }],
    start: (machine) => startWorker(machine, runtime, [topology()]),
    generate(feed, nowMs, pick) {
      const records = Array.from({ length: 1 + pick.below(10) }, () => {
        const source = keyOf(pick, 10)
        return ids.record('parcels', source, eventTime(pick, nowMs), `${keyOf(pick, 8)}|${source}`)
      })
      feed.send(records)
    },
    unfinished: () => null,
    check: (evidence) => [
      ...checkRoutes(evidence, partitions),
      ...checkLedger(evidence, between, 'balance'),
      ...Array.from({ length: partitions }, (_, partition) =>
        checkRows(
          evidence,
          changelogTopic('two-hop', 'balances'),
          partition,
          ledgerModel(evidence.committed(between, partition)).rows,
        ),
      ).flat(),
    ],
  }
}

/** I2 of the first hop: what went from one source partition to one target partition, in order, once. */
function checkRoutes(evidence: Evidence, partitions: number): Violation[] {
  const found = new Map<string, Line[]>()
  const wanted = new Map<string, Line[]>()
  for (let partition = 0; partition < partitions; partition++) {
    for (const record of evidence.committed(between, partition)) {
      const source = partitionFor(Buffer.from(textOf(record.value).split('|')[2] ?? ''), partitions)
      add(found, `${source} to ${partition}`, lineOf(record))
    }
    for (const record of evidence.committed('parcels', partition)) {
      const value = textOf(record.value)
      const target = partitionFor(Buffer.from(routed(value)), partitions)
      add(wanted, `${partition} to ${target}`, { key: routed(value), value })
    }
  }
  return [...new Set([...found.keys(), ...wanted.keys()])].flatMap((way): Violation[] => {
    const at = firstDifference(wanted.get(way) ?? [], found.get(way) ?? [])
    if (at === null) return []
    return [
      { invariant: 'I2', what: `${between}: from partition ${way} the records differ from the model at element ${at}` },
    ]
  })
}

function add(lists: Map<string, Line[]>, name: string, line: Line): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [line])
  else list.push(line)
}
