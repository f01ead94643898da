/** Carries the outbox to the log, each row exactly once. */
export type { RecordPosition, RelayOptions, RelaySettings } from './outbox-relay.ts'
export { OutboxRelay, relaySettings } from './outbox-relay.ts'
export { relayName } from './lead.ts'
export type { LedRows, OutboxRow, OutboxRows, PlacedRow, Sent, StampedRow } from './outbox-rows.ts'
export type { MemoryOutboxRow } from './memory-outbox.ts'
export { MemoryOutbox } from './memory-outbox.ts'
export { postgresOutbox } from './postgres-outbox.ts'
