/** Carries the outbox to the log, each row exactly once. */
export type { RecordPosition, RelayOptions, RelaySettings } from './outbox-relay.ts'
export { OutboxRelay, relaySettings } from './outbox-relay.ts'
