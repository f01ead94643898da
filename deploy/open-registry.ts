/** The schema registry of a process: its own, in the log, or the one outside that its configuration names. */

import type { Mount } from '../api/index.ts'
import { fromLoopback } from '../connectors/http/index.ts'
import type { Log } from '../connectors/kafka/index.ts'
import type { EmbeddedRegistry, RegistryClient } from '../connectors/registry/index.ts'
import {
  openConfluentRegistry,
  openEmbeddedRegistry,
  registryElsewhere,
  registryHandler,
  strangeIds,
} from '../connectors/registry/index.ts'
import type { EventTopic } from '../schemas/index.ts'
import { schemasOf, topics } from '../schemas/index.ts'
import { certificatesIn } from './certificates.ts'
import type { Config, RegistryConfig } from './config.ts'
import { machineClock } from './machine.ts'

export interface OpenedRegistry {
  readonly registry: RegistryClient
  /** The same, when it is ours to serve. */
  readonly ownRegistry: EmbeddedRegistry | null
}

/**
 * @param outside null for our own
 * @param notice one line for the operator
 * @throws SchemaError, LogError, Error; one line
 */
export async function openRegistry(
  outside: RegistryConfig | null,
  log: Log,
  notice: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<OpenedRegistry> {
  if (outside === null) {
    const registry = await openEmbeddedRegistry({ log, clock: machineClock })
    closers.push(() => registry.close())
    return { registry, ownRegistry: registry }
  }
  const { url, credentials, caFile } = outside
  const schemas = topics.flatMap((topic) => schemasOf(topic as unknown as EventTopic))
  const registry = await openConfluentRegistry({
    url,
    credentials,
    ca: caFile === null ? null : certificatesIn('SCHEMA_REGISTRY_CA', caFile),
    schemas,
    clock: machineClock,
    notice,
  })
  closers.push(() => Promise.resolve(registry.close()))
  const subjects = schemas.map(({ subject }) => subject)
  const { given, strange } = await strangeIds(log, machineClock, registry, subjects)
  if (strange > 0)
    throw new Error(
      `SCHEMA_REGISTRY_URL: the log had a registry of its own, and ${strange} of its ${given} ids mean something else at ${url}; wanted its schemas there under their ids, or a log of its own`,
    )
  return { registry, ownRegistry: null }
}

/**
 * What is served at `/registry`. Reading is open to all who reach the server. Writing is for developers at this machine: in
 * production schemas are registered by the program alone, since a proxy beside it may bring anybody under a name of this
 * machine.
 *
 * @param own null where the registry is outside
 */
export const registryMount = (own: EmbeddedRegistry | null, mode: Config['mode']): Mount =>
  own === null
    ? registryElsewhere
    : registryHandler(own, { mayWrite: (request) => mode === 'development' && fromLoopback(request) })
