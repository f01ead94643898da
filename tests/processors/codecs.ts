/** Codecs and keys of the scenarios' two tenants, as a process has them. */

import { scenarioTenants } from '../../processors/scenario.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import { eventCodec, topics } from '../../schemas/index.ts'
import type { Serde } from '../../topology/index.ts'
import { keyRingOf, memoryRegistry } from '../schemas/fixtures.ts'

export type EventSerde = Required<Serde<AnyEvent>>

const registry = memoryRegistry()
export const keyRing = keyRingOf(...Object.values(scenarioTenants).map(({ tenantId }) => tenantId))
const codecs = new Map<string, EventSerde>()
for (const topic of topics)
  codecs.set(topic.name, (await eventCodec(topic, { registry, keyRing })) as unknown as EventSerde)
export const codec = (topic: { readonly name: string }): EventSerde => codecs.get(topic.name) as EventSerde
