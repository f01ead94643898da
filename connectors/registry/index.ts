/** Schema registries: where writers and readers agree on what an id means. */

export type * from './port.ts'
export { openEmbeddedRegistry } from './embedded.ts'
export type { EmbeddedRegistry } from './embedded.ts'
export { registryNames } from './schemas-topic.ts'
export type { RegisteredSchema } from './registry-table.ts'
export { openConfluentRegistry } from './confluent.ts'
export type { ConfluentRegistry, ConfluentRegistryOptions } from './confluent.ts'
export type { RegistryAddress, RegistryCredentials } from './connection.ts'
export { registryElsewhere, registryHandler } from './http.ts'
export type { RegistryHandlerOptions } from './http.ts'
export { strangeIds } from './strange-ids.ts'
export type { StrangeIds } from './strange-ids.ts'
