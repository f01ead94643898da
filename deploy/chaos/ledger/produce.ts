/** A producer of entries, as any application would write them: without transactions, and asking again. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, PartitionAppend } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, partitionFor } from '../../../connectors/kafka/index.ts'
import { machineClock } from '../../machine.ts'
import { seeded } from '../seeded.ts'
import { entriesPerAppend, entryOf, slowMs, valueOf } from './entries.ts'
import { partitions, topics } from './programs.ts'

export interface ProduceOptions {
  readonly log: Log
  readonly seed: number
  /** `<life>.<index>` */
  readonly producer: string
  /** Ends it after the append that is on its way. */
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** Writes until the process dies, or is told to end. */
export async function produce({ log, seed, producer, signal, say }: ProduceOptions): Promise<void> {
  const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  const draw = seeded(seed ^ Math.imul(Number(producer.replace('.', '')), 0x27d4eb2f))
  for (let n = 0; !signal.aborted;) {
    const [first, end] = [n, n + 1 + Math.floor(draw() * entriesPerAppend)]
    n = end
    const begunAt = machineClock.now()
    await session.append(appendOf(seed, producer, first, end))
    say(`acked ${producer} ${end - 1}`)
    if (machineClock.now() - begunAt > slowMs) say(`slow ${producer} ${first} ${end - 1}`)
    await sleep(Math.floor(draw() * 80))
  }
  await session.close()
}

function appendOf(seed: number, producer: string, first: number, end: number): PartitionAppend[] {
  const batches = new Map<number, RecordBatchBuilder>()
  for (let n = first; n < end; n++) {
    const entry = entryOf(seed, producer, n)
    const key = Buffer.from(entry.key)
    const partition = partitionFor(key, partitions)
    const records = batches.get(partition) ?? new RecordBatchBuilder()
    batches.set(partition, records)
    records.append(machineClock.now(), key, Buffer.from(valueOf(entry)))
  }
  return [...batches].map(([partition, records]) => ({ topic: topics.entries, partition, records }))
}
