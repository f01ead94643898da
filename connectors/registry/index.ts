/** Schema registries: where writers and readers agree on what an id means. */

export type * from './port.ts'
export { openEmbeddedRegistry } from './embedded.ts'
export type { EmbeddedRegistry } from './embedded.ts'
export type { RegisteredSchema } from './registry-table.ts'
export { registryHandler } from './http.ts'
export type { RegistryHandlerOptions } from './http.ts'
