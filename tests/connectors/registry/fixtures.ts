import { randomBytes } from 'node:crypto'
import type { Log } from '../../../connectors/kafka/index.ts'
import { openMemoryLog, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { Clock } from '../../../topology/clock.ts'

/** Stands still; nothing here waits for time. */
export const clock: Clock = { now: () => 1_767_225_600_000, after: () => () => undefined }

export const memoryLog = (): Log => openMemoryLog({ clock, random: { bytes: (length) => randomBytes(length) } })

/** Keys and values of `_schemas`, as they stand there. */
export async function schemasTopic(log: Log): Promise<readonly { key: unknown; value: unknown }[]> {
  const [fetched] = await log.fetch({
    partitions: [{ topic: '_schemas', partition: 0, offset: 0n, maxBytes: 1_000_000 }],
    isolation: 'read_committed',
    maxWaitMs: 0,
  })
  const cursor = new RecordCursor(fetched!, 0n, 'read_committed')
  const records = []
  while (cursor.next()) records.push({ key: parsed(cursor.key()), value: parsed(cursor.value()) })
  return records
}

const parsed = (bytes: Buffer | null): unknown => (bytes === null ? null : JSON.parse(bytes.toString('utf8')))
