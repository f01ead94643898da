/** Records whose partition is known, and their way into a producer: as few requests as their size allows. */

import type { Header, PartitionAppend, ProducerSession } from './port.ts'
import { RecordBatchBuilder } from './record-batch.ts'

/** A record that waits for its transaction. */
export interface PlacedRecord {
  readonly topic: string
  readonly partition: number
  readonly timestamp: number
  readonly key: Buffer
  readonly value: Buffer
  readonly headers: readonly Header[]
}

/** Bytes a record takes beside its key and value, generously. */
export const recordOverheadBytes = 64

/**
 * Appends them, each partition's in their order.
 * @param batchBytes of one batch, at the most
 * @returns where each landed, in the order given
 */
export async function appendPlaced(
  session: ProducerSession,
  records: readonly PlacedRecord[],
  batchBytes: number,
): Promise<readonly bigint[]> {
  const rounds = new Rounds(batchBytes)
  const places = records.map((record) => rounds.add(record))
  const bases: bigint[][] = []
  for (const round of rounds.list) bases.push((await session.append(round)).map(({ baseOffset }) => baseOffset))
  return places.map(({ round, batch, index }) => bases[round]![batch]! + BigInt(index))
}

/** Where a record was put: which produce request, which partition's batch in it, which place in that batch. */
interface Place {
  readonly round: number
  readonly batch: number
  readonly index: number
}

/**
 * Produce requests of one transaction. A request holds one batch per partition, and a batch a bounded number of bytes: what
 * is more goes into the next request.
 */
class Rounds {
  readonly list: PartitionAppend[][] = []
  readonly #open = new Map<
    string,
    { readonly round: number; readonly batch: number; readonly records: RecordBatchBuilder }
  >()
  readonly #batchBytes: number

  constructor(batchBytes: number) {
    this.#batchBytes = batchBytes
  }

  add(record: PlacedRecord): Place {
    const { topic, partition, timestamp, key, value, headers } = record
    const name = `${topic}-${String(partition)}`
    let open = this.#open.get(name)
    if (
      open === undefined ||
      open.records.sizeBytes + key.length + value.length + recordOverheadBytes > this.#batchBytes
    ) {
      const round = open === undefined ? 0 : open.round + 1
      const records = new RecordBatchBuilder()
      const batch = (this.list[round] ??= []).push({ topic, partition, records }) - 1
      open = { round, batch, records }
      this.#open.set(name, open)
    }
    const index = open.records.count
    open.records.append(timestamp, key, value, headers)
    return { round: open.round, batch: open.batch, index }
  }
}
