/**
 * A producer with kafkajs and its registry client: what any program can do that has a principal of its own at the cluster. It
 * does by hand what our client does by itself: envelope, key, schema. Nobody remembers its events for it: sent again after a
 * crash they stand there twice.
 *
 *   node examples/producers/kafkajs.ts --brokers 127.0.0.1:9092 --registry http://127.0.0.1:8080/registry \
 *     --tenant <tenant id> --organization <organization id> [--contact u1]
 */

import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { Kafka, logLevel, Partitioners } from 'kafkajs'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: { brokers: text, registry: text, tenant: text, organization: text, contact: text },
})
const { brokers = '127.0.0.1:9092', registry: host = 'http://127.0.0.1:8080/registry' } = values
const { tenant = '', organization = '', contact = 'u1' } = values

const topic = 'communication_events'
const registry = new SchemaRegistry({ host })
/** Topic, then the record's full name. */
const schemaId = await registry.getLatestSchemaId(`${topic}-com.workflow.events.ContactPreferenceChanged`)
const now = Date.now()
const event = {
  event_id: randomUUID(),
  event_type: 'contact_preference_changed',
  event_version: 1,
  timestamp: now,
  tenant_id: tenant,
  organization_id: organization,
  correlation_id: organization,
  causation_id: '',
  source: 'example-kafkajs',
  actor: { type: 'system', id: 'producer:example-kafkajs' },
  contact_id: contact,
  channel: 'email',
  subscribed: false,
  preference_source: 'example',
}

const kafka = new Kafka({ clientId: 'example-kafkajs', brokers: brokers.split(','), logLevel: logLevel.ERROR })
// Idempotent: a retry inside kafkajs writes nothing twice. The partitioner is Java's, as everybody's here.
const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
await producer.connect()
try {
  const value = await registry.encode(schemaId, event)
  const message = { key: `${tenant}|${contact}`, value, timestamp: String(now) }
  const [written] = await producer.send({ topic, acks: -1, messages: [message] })
  console.log(
    JSON.stringify({ eventId: event.event_id, position: `${topic}-${written?.partition}@${written?.baseOffset}` }),
  )
} finally {
  await producer.disconnect()
}
