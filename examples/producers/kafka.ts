/**
 * A producer in TypeScript straight into Kafka: for a process of the platform with a principal of its own. The platform has
 * been started once, so that topics and schemas are there.
 *
 *   node examples/producers/kafka.ts --brokers 127.0.0.1:9092 --registry http://127.0.0.1:8080/registry \
 *     --tenant <tenant id> --organization <organization id> [--contact u1] [--sequence 1]
 *
 * Outside of this repository the import is `lifecycle/client`.
 */

import { parseArgs } from 'node:util'
import { kafkaTransport, openClient, registeredSchemas } from '../../client/index.ts'

const text = { type: 'string' } as const
const options = { brokers: text, registry: text, tenant: text, organization: text, contact: text, sequence: text }
const { values } = parseArgs({ options })
const { brokers = '127.0.0.1:9092', registry = 'http://127.0.0.1:8080/registry' } = values
const { tenant = '', organization = '', contact = 'u1', sequence = '1' } = values

await using client = await openClient({
  name: 'example-kafka',
  transport: kafkaTransport({ log: { bootstrap: brokers.split(',') }, registry: registeredSchemas({ url: registry }) }),
  tenant: { tenantId: tenant, organizationId: organization },
  notice: (line) => console.error(line),
})
const receipt = await client.send('communication_events', {
  type: 'contact_preference_changed',
  payload: { contact_id: contact, channel: 'email', subscribed: false, preference_source: 'example' },
  sequence: Number(sequence),
})
console.log(JSON.stringify(receipt))
