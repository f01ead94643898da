/**
 * I17: after a restart the broker's log holds everything that was visible before, batch by batch, and nothing that nobody
 * sent. Markers may be written again with another time; compacted topics may have lost what later records replace.
 */

import type { Broker } from '../../../connectors/kafka/index.ts'
import { endOffset } from '../../../connectors/kafka/index.ts'
import type { Observer, SeenBatch, SeenPartition } from '../observer.ts'
import { batchesOf } from '../observer.ts'
import type { Violation } from '../program.ts'

/** @param compacted names of topics whose batches may be rewritten */
export async function checkPrefix(
  broker: Broker,
  observer: Observer,
  compacted: (topic: string) => boolean,
): Promise<Violation[]> {
  const violations: Violation[] = []
  for (const seen of observer.partitions) {
    if (seen.batches.length === 0 || compacted(seen.topic)) continue
    violations.push(...compare(seen, await readAll(broker, seen)))
  }
  return violations
}

async function readAll(broker: Broker, { topic, partition }: SeenPartition): Promise<SeenBatch[]> {
  const [start = 0n] = await broker.listOffsets([{ topic, partition }], 'earliest')
  const batches: SeenBatch[] = []
  for (let offset = start; ;) {
    const [answer] = await broker.fetch({
      partitions: [{ topic, partition, offset, maxBytes: 1 << 20 }],
      isolation: 'read_uncommitted',
      maxWaitMs: 0,
    })
    const end = answer === undefined ? null : endOffset(answer.batches)
    if (answer === undefined || end === null || end <= offset) return batches
    batches.push(...batchesOf(answer, 0))
    offset = end
  }
}

function compare(seen: SeenPartition, found: readonly SeenBatch[]): Violation[] {
  const where = `${seen.topic}-${seen.partition}`
  const byOffset = new Map(found.map((batch) => [batch.baseOffset, batch]))
  const start = found[0]?.baseOffset ?? seen.next
  for (const batch of seen.batches) {
    if (batch.lastOffset < start) continue
    const recovered = byOffset.get(batch.baseOffset)
    if (recovered === undefined)
      return [
        {
          invariant: 'I17',
          what: `${where}: the batch at ${batch.baseOffset} was visible and is gone after a restart`,
        },
      ]
    if (!isSame(batch, recovered))
      return [{ invariant: 'I17', what: `${where}: the batch at ${batch.baseOffset} is another one after a restart` }]
  }
  return []
}

const isSame = (a: SeenBatch, b: SeenBatch): boolean =>
  a.marker === null || b.marker === null
    ? a.crc === b.crc && a.lastOffset === b.lastOffset
    : a.producerId === b.producerId && a.marker.abort === b.marker.abort
