/** The little we need of a schema registry. The embedded one and a remote one answer alike. */

export type { SchemaRegistry as RegistryClient } from '../../schemas/index.ts'
