/**
 * I17: after a restart the broker's log holds everything that was visible before, batch by batch, and nothing that nobody
 * sent. Markers may be written again with another time; compacted topics may have lost what later records replace.
 */

import type { Broker } from '../../../connectors/kafka/index.ts'
import { endOffset } from '../../../connectors/kafka/index.ts'
import type { Marker, Observer, SeenBatch, SeenPartition } from '../observer.ts'
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
  const visible = seen.batches.filter(({ lastOffset }) => lastOffset >= start)
  for (const batch of visible) {
    const recovered = byOffset.get(batch.baseOffset)
    const what = `${where}: the batch at ${batch.baseOffset}`
    if (recovered === undefined) return [{ invariant: 'I17', what: `${what} was visible and is gone after a restart` }]
    if (!isSame(batch, recovered)) return [{ invariant: 'I17', what: `${what} is another one after a restart` }]
  }
  const lost = missingMarker(visible, found)
  return lost === null ? [] : [{ invariant: 'I17', what: `${where}: the marker ${lost} is gone after a restart` }]
}

const isSame = (a: SeenBatch, b: SeenBatch): boolean =>
  a.marker === null ? a.crc === b.crc && a.lastOffset === b.lastOffset : b.marker !== null

/** Markers of transactions that were open together may change places. */
function missingMarker(seen: readonly SeenBatch[], found: readonly SeenBatch[]): string | null {
  const left = new Map<string, number>()
  for (const { marker } of found) if (marker !== null) left.set(nameOf(marker), (left.get(nameOf(marker)) ?? 0) + 1)
  for (const { marker } of seen) {
    if (marker === null) continue
    const count = left.get(nameOf(marker)) ?? 0
    if (count === 0) return nameOf(marker)
    left.set(nameOf(marker), count - 1)
  }
  return null
}

const nameOf = ({ producerId, epoch, abort }: Marker): string => `${producerId}/${epoch} ${abort ? 'ABORT' : 'COMMIT'}`
