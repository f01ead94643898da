/** Events as Avro records: `com.workflow.events.OrganizationCreated`, envelope first, then the payload. */

import type { EventDefinition, EventTopic } from './envelope.ts'
import { envelopeFields } from './envelope.ts'
import type { AvroSchema, Fields, Json } from './fields.ts'
import { avroFields } from './fields.ts'

export const eventNamespace = 'com.workflow.events'

/** `organization_created` -> `OrganizationCreated` */
export function recordNameOf(eventType: string): string {
  return eventType.replaceAll(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** `OrganizationCreated` -> `organization_created` */
export function eventTypeOf(recordName: string): string {
  return recordName.replaceAll(/(?!^)([A-Z])/g, '_$1').toLowerCase()
}

/** TopicRecordName: `auth_events-com.workflow.events.OrganizationCreated` */
export function subjectOf(topic: string, eventType: string): string {
  return `${topic}-${eventNamespace}.${recordNameOf(eventType)}`
}

export function eventSchema(eventType: string, definition: EventDefinition): AvroSchema {
  return recordSchema(recordNameOf(eventType), eventNamespace, { ...envelopeFields, ...definition.fields })
}

/** A record; a nested type that occurs again is written by its name, as Avro wants. */
export function recordSchema(name: string, namespace: string, fields: Fields): AvroSchema {
  return byReference({ type: 'record', name, namespace, fields: avroFields(fields) }, new Map())
}

function byReference(schema: AvroSchema, declared: Map<string, string>): AvroSchema {
  if (Array.isArray(schema)) return schema.map((item: Json) => byReference(item, declared))
  if (schema === null || typeof schema !== 'object') return schema
  const object = schema as { readonly [key: string]: Json }
  if (object.type === 'record' && typeof object.name === 'string') {
    const text = JSON.stringify(object)
    const before = declared.get(object.name)
    if (before === text) return object.name
    if (before !== undefined) throw new TypeError(`two different records named ${object.name}`)
    declared.set(object.name, text)
  }
  const entries = Object.entries(object)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === 'default' ? value : byReference(value, declared)]),
  )
}

/** Every event type of a topic with its subject and schema. */
export function schemasOf(topic: EventTopic): readonly { type: string; subject: string; schema: AvroSchema }[] {
  return Object.entries(topic.events).map(([type, definition]) => ({
    type,
    subject: subjectOf(topic.name, type),
    schema: eventSchema(type, definition),
  }))
}
