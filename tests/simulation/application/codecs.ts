/** Codecs and data keys of one process life. Schemas and their ids are the same everywhere; what is loaded is not. */

import type { ServiceSettings } from '../../../processors/index.ts'
import { services } from '../../../processors/index.ts'
import type { AnyEvent, EventTopic, KeyRing, SchemaRegistry } from '../../../schemas/index.ts'
import {
  authEvents,
  analyticsEvents,
  billingEvents,
  canonicalText,
  clientEvents,
  communicationEvents,
  demoEvents,
  documentEvents,
  eventCodec,
  researchEvents,
  reviewEvents,
  uuidv5,
} from '../../../schemas/index.ts'
import type { Serde } from '../../../topology/index.ts'

export type EventSerde = Required<Serde<AnyEvent>>

/** The topics that the services of today speak on. */
export const spokenTopics = [
  authEvents,
  clientEvents,
  researchEvents,
  demoEvents,
  documentEvents,
  analyticsEvents,
  billingEvents,
  reviewEvents,
  communicationEvents,
] as unknown as readonly EventTopic[]

/** Topics that some service writes calls to, as deploy/streams.ts finds them. */
export function callTopics(settings: ServiceSettings): readonly EventTopic[] {
  const written = services(settings).flatMap(({ processors }) => processors.flatMap(({ writes }) => writes))
  const names = new Set(written.map(({ name }) => name))
  return spokenTopics.filter((topic) => names.has(topic.name) && 'call_requested' in topic.events)
}

/** Ids by content: any process gets the same for the same schema. */
function registryOf(): SchemaRegistry & { readonly schemas: ReadonlyMap<number, string> } {
  const schemas = new Map<number, string>()
  return {
    schemas,
    register(_subject, schema) {
      const text = canonicalText(schema)
      let id = ids.get(text)
      if (id === undefined) ids.set(text, (id = Number.parseInt(uuidv5(text).slice(0, 8), 16) >>> 1))
      schemas.set(id, JSON.stringify(schema))
      return Promise.resolve(id)
    },
    schemaById(id) {
      const schema = schemas.get(id)
      return Promise.resolve(schema === undefined ? null : { schema })
    },
  }
}
const ids = new Map<string, number>()

/** A key for every tenant there can be; nothing is there before it is loaded. */
export function keyRing(): KeyRing {
  const loaded = new Map<string, Buffer>()
  return {
    load(tenants) {
      for (const tenant of tenants) if (!loaded.has(tenant)) loaded.set(tenant, dataKey(tenant))
      return Promise.resolve()
    },
    get: (tenant) => loaded.get(tenant),
  }
}

/** 32 bytes, the same in every process. */
const dataKey = (tenant: string): Buffer =>
  Buffer.from((uuidv5(`one ${tenant}`) + uuidv5(`two ${tenant}`)).replaceAll('-', ''), 'hex')

export interface Codecs {
  readonly keyRing: KeyRing
  codec(topic: { readonly name: string }): EventSerde
  /** Loads every schema there is, so that reading needs no more waiting. */
  prepareAll(): Promise<void>
}

export async function openCodecs(): Promise<Codecs> {
  const ring = keyRing()
  const registry = registryOf()
  const codecs = new Map<string, EventSerde>()
  for (const topic of spokenTopics)
    codecs.set(topic.name, (await eventCodec(topic, { registry, keyRing: ring })) as unknown as EventSerde)
  return {
    keyRing: ring,
    codec: (topic) => {
      const codec = codecs.get(topic.name)
      if (codec === undefined) throw new Error(`nothing is said on ${topic.name} yet`)
      return codec
    },
    async prepareAll() {
      const frames = [...registry.schemas.keys()].map((id) => {
        const value = Buffer.alloc(5)
        value.writeUInt32BE(id, 1)
        return { key: null, value }
      })
      for (const codec of codecs.values()) await codec.prepare(frames)
    },
  }
}
