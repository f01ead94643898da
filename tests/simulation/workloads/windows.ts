/**
 * A tumbling count with grace. Which records are late depends on stream time alone, so the output of a partition is a
 * function of its input, whatever restarts, moves and clocks do (I15): it is compared element by element.
 */

import type { NodeProcessor, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'
import type { Evidence, ProgramFactory, SeenRecord, Violation } from '../program.ts'
import { Ids, keyOf } from './keys.ts'
import type { Line } from './ledger-model.ts'
import { firstDifference, idOf, lineOf, textOf } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }
const sizeMs = 2000
const graceMs = 1500

const startOf = (timestamp: number): number => timestamp - (timestamp % sizeMs)
const isLate = (start: number, streamTime: number): boolean => start + sizeMs <= streamTime - graceMs

const count = (): NodeProcessor => ({
  process(record, context) {
    const { key, value, timestamp } = record as StreamRecord<string, string>
    const start = startOf(timestamp)
    if (isLate(start, context.streamTime)) return context.dropLate()
    const keyBytes = Buffer.from(key)
    const windows = context.windowStore('windows')
    const before = Number(windows.get(keyBytes, start)?.toString() ?? '0')
    windows.put(keyBytes, start, Buffer.from(String(before + 1)))
    context.forward({ key, value: lineFor(value, start, before + 1), timestamp, headers: noHeaders })
  },
})

const lineFor = (value: string, start: number, seen: number): string => `${idOf(value)}|${start}|${seen}`

const topology = (): Topology =>
  new TopologyBuilder('windows')
    .source('clicks', { topic: 'clicks', ...text })
    .store('windows', { kind: 'window', windowSizeMs: sizeMs, retentionMs: 2 * (sizeMs + graceMs) })
    .processor('count', { parents: ['clicks'], stores: ['windows'], supplier: count })
    .sink('out', { parents: ['count'], topics: ['click-counts'], ...text })
    .build()

export const windows: ProgramFactory = ({ partitions, runtime }) => {
  const ids = new Ids()
  return {
    name: 'windows',
    topics: [kept('clicks', partitions), kept('click-counts', partitions)],
    groups: [{ group: 'windows', topics: ['clicks'] }],
    start: (machine) => startWorker(machine, runtime, [topology()]),
    generate(feed, nowMs, pick) {
      feed.send(
        Array.from({ length: 1 + pick.below(12) }, () => {
          const behindMs = pick.chance(0.3) ? pick.below(6000) : 0
          return ids.record('clicks', keyOf(pick, 6), nowMs - behindMs)
        }),
      )
    },
    unfinished: () => null,
    check: (evidence) => checkWindows(evidence, partitions),
  }
}

function checkWindows(evidence: Evidence, partitions: number): Violation[] {
  const violations: Violation[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const wanted = model(evidence.committed('clicks', partition))
    const found = evidence.committed('click-counts', partition).map(lineOf)
    const at = firstDifference(wanted, found)
    if (at === null) continue
    const what = `click-counts-${partition} differs from the model at element ${at}: ${found[at]?.value} instead of ${wanted[at]?.value}`
    violations.push({ invariant: 'I15', what })
  }
  return violations
}

function model(records: readonly SeenRecord[]): Line[] {
  const counts = new Map<string, number>()
  const lines: Line[] = []
  let streamTime = -1
  for (const record of records) {
    streamTime = Math.max(streamTime, record.timestamp)
    const [key, start] = [textOf(record.key), startOf(record.timestamp)]
    if (isLate(start, streamTime)) continue
    const seen = (counts.get(`${key}@${start}`) ?? 0) + 1
    counts.set(`${key}@${start}`, seen)
    lines.push({ key, value: lineFor(textOf(record.value), start, seen) })
  }
  return lines
}
