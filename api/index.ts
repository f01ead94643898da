/** HTTP: identity, ingest, queries, demo pages, and the server that carries them. */
export * from './agents/index.ts'
export * from './auth/index.ts'
export * from './console/index.ts'
export * from './demo/index.ts'
export * from './http/index.ts'
export {
  MemoryReservations,
  createIngest,
  ingestDefaults,
  ingestPrefix,
  ingestEndpoints,
  parsePosition,
  postgresReservations,
} from './ingest/index.ts'
export type {
  Codec,
  Command,
  Ingest,
  IngestOptions,
  IngestSettings,
  Position,
  Receipt,
  Reservation,
  Reservations,
  ReviewSubjects,
} from './ingest/index.ts'
export * from './operator/index.ts'
export * from './query/index.ts'
export * from './relay/index.ts'
export * from './webhooks/index.ts'
