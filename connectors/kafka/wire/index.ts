export { connectKafka } from './kafka-broker.ts'
export type { KafkaBrokerOptions } from './kafka-broker.ts'
export type { SaslCredentials } from './connections.ts'
