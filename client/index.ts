/**
 * What a process that produces events uses: typed, checked before they are sent, bounded, in order, and written once.
 *
 *   await using client = await openClient({ name: 'voice-agent-7', transport: httpTransport({ url, credential }) })
 *   await client.send('communication_events', {
 *     type: 'contact_preference_changed',
 *     payload: { contact_id: 'u1', channel: 'email', subscribed: false, preference_source: 'call' },
 *   })
 */

export { EventClient, openClient } from './client.ts'
export type { ClientOptions } from './client.ts'
export { ClientError } from './errors.ts'
export type { ClientErrorCode } from './errors.ts'
export { priorities } from './event.ts'
export type { EventOptions, EventToSend, Priority, Receipt, Tenant } from './event.ts'
export type { ClientStats } from './stats.ts'
export { httpTransport } from './http/http-transport.ts'
export type { HttpTransportOptions } from './http/http-transport.ts'
export { kafkaTransport } from './kafka/kafka-transport.ts'
export type { KafkaTransportOptions } from './kafka/kafka-transport.ts'
export { producerNames } from './kafka/producer-names.ts'
export { registeredSchemas } from './kafka/registered-schemas.ts'
export type { RegisteredSchemasOptions } from './kafka/registered-schemas.ts'
export type { OpenTransport, Transport, TransportContext } from './transport.ts'
