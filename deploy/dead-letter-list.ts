/** Reads dead-letter topics for an operator: where each record came from and why, never its content. */

import type { Log } from '../connectors/kafka/index.ts'
import { RecordCursor, endOffset } from '../connectors/kafka/index.ts'

export interface DeadLetter {
  readonly topic: string
  readonly partition: string
  readonly offset: string
  readonly application: string
  readonly reason: string
  readonly message: string
}

const pageBytes = 1024 * 1024

/** @param limit most letters that are returned, oldest first per partition */
export async function deadLetters(log: Log, limit: number): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for (const topic of await log.metadata()) {
    if (!topic.name.endsWith('.dlq')) continue
    for (let partition = 0; partition < topic.partitions; partition++)
      await readPartition(log, topic.name, partition, limit, letters)
  }
  return letters
}

async function readPartition(
  log: Log,
  topic: string,
  partition: number,
  limit: number,
  letters: DeadLetter[],
): Promise<void> {
  const [first] = await log.listOffsets([{ topic, partition }], 'earliest')
  for (let offset = first ?? 0n; letters.length < limit;) {
    const [fetched] = await log.fetch({
      partitions: [{ topic, partition, offset, maxBytes: pageBytes }],
      isolation: 'read_committed',
      maxWaitMs: 0,
    })
    const end = fetched === undefined ? null : endOffset(fetched.batches)
    if (fetched === undefined || end === null || end <= offset) return
    const cursor = new RecordCursor(fetched, offset, 'read_committed')
    while (cursor.next() && letters.length < limit) {
      const headers = new Map(cursor.headers().map(({ key, value }) => [key, value.toString('utf8')]))
      const of = (name: string): string => headers.get(`dlq-${name}`) ?? ''
      letters.push({
        topic: of('topic'),
        partition: of('partition'),
        offset: of('offset'),
        application: of('application'),
        reason: of('reason'),
        message: of('message'),
      })
    }
    offset = end
  }
}
