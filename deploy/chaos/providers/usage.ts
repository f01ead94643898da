/**
 * What clients have used: said by services that are measured in a process that is down, so that nothing of it is lost and nothing comes twice.
 * Written into the log while the application does not hold it.
 */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { RecordBatchBuilder, openEmbeddedLog, partitionFor } from '../../../connectors/kafka/index.ts'
import { openEmbeddedRegistry } from '../../../connectors/registry/index.ts'
import type { KeyRing } from '../../../schemas/index.ts'
import { analyticsEvents, eventCodec, recordKey } from '../../../schemas/index.ts'
import { machineClock, machineRandom } from '../../machine.ts'

export interface Used {
  readonly tenantId: string
  readonly organizationId: string
  readonly meter: 'messages' | 'voice_minutes' | 'tokens' | 'documents'
  readonly quantity: number
  /** Business time in ms. */
  readonly at: number
}

const hourMs = 60 * 60 * 1000
const noKeys: KeyRing = { load: () => Promise.resolve(), get: () => undefined }

/** @param dataDir of an application that is down */
export async function sayUsed(dataDir: string, list: readonly Used[]): Promise<void> {
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    clock: machineClock,
    random: machineRandom,
    fsync: 'always',
    fsyncIntervalMs: 1000,
    notice: () => undefined,
  })
  try {
    const registry = await openEmbeddedRegistry({ log, clock: machineClock })
    const codec = await eventCodec(analyticsEvents, { registry, keyRing: noKeys })
    const [known] = await log.metadata([analyticsEvents.name])
    const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
    for (const used of list) {
      const event = eventOf(used)
      const placed = { tenant_id: used.tenantId, organization_id: used.organizationId, payload: event }
      const key = Buffer.from(recordKey(analyticsEvents, placed))
      const records = new RecordBatchBuilder()
      records.append(used.at, key, codec.serialize(event, key))
      const partition = partitionFor(key, known?.partitions ?? 1)
      await session.append([{ topic: analyticsEvents.name, partition, records }])
    }
    await session.close()
    await registry.close()
  } finally {
    await log.close()
  }
}

function eventOf({ tenantId, organizationId, meter, quantity, at }: Used) {
  const event_id = randomUUID()
  const window_start = Math.floor(at / hourMs) * hourMs - hourMs
  return {
    event_id,
    event_type: 'usage_aggregated' as const,
    event_version: 1,
    timestamp: at,
    tenant_id: tenantId,
    organization_id: organizationId,
    correlation_id: event_id,
    causation_id: event_id,
    source: 'chaos',
    actor: { type: 'system' as const, id: 'chaos' },
    meter,
    window_start,
    window_end: window_start + hourMs,
    quantity,
    unit_cost: 0.002,
  }
}
