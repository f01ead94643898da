/**
 * The ids of the platform's schemas, asked of its registry over Confluent's API. A producer registers nothing: what it writes,
 * the platform has declared.
 */

import type { AvroSchema, SchemaRegistry } from '../../schemas/index.ts'
import { SchemaError } from '../../schemas/index.ts'

export interface RegisteredSchemasOptions {
  /** The root of the API: `https://platform.example/registry`. */
  readonly url: string
  /** An Authorization header, where the registry wants one. */
  readonly authorization?: string
  /** For one answer, in ms; 10,000 unless told. */
  readonly timeoutMs?: number
  readonly fetch?: typeof globalThis.fetch
}

/** Its methods throw SchemaError REGISTRY_FAILED. */
export function registeredSchemas(options: RegisteredSchemasOptions): SchemaRegistry {
  const { authorization, timeoutMs = 10_000, fetch = globalThis.fetch } = options
  const root = options.url.replace(/\/+$/, '')

  /** Null for 404. */
  async function ask(path: string, body?: object): Promise<Readonly<Record<string, unknown>> | null> {
    const headers = {
      'content-type': 'application/vnd.schemaregistry.v1+json',
      ...(authorization === undefined ? {} : { authorization }),
    }
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    let response: Response
    try {
      response = await fetch(root + path, {
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...sent,
      })
      if (response.status === 404) return null
      if (response.ok) return (await response.json()) as Record<string, unknown>
    } catch (error) {
      throw new SchemaError('REGISTRY_FAILED', `the registry at ${root} does not answer`, 'retry', error)
    }
    const isLater = response.status >= 500 || response.status === 429
    throw new SchemaError(
      'REGISTRY_FAILED',
      `the registry at ${root} answers ${response.status}`,
      isLater ? 'retry' : 'stop',
    )
  }

  return {
    async register(subject: string, schema: AvroSchema) {
      const found = await ask(`/subjects/${encodeURIComponent(subject)}`, { schema: JSON.stringify(schema) })
      if (typeof found?.id === 'number') return found.id
      throw new SchemaError(
        'REGISTRY_FAILED',
        `${subject} is not registered in this version at ${root}: start the platform of this version first`,
        'retry',
      )
    },
    async schemaById(id) {
      const found = await ask(`/schemas/ids/${id}`)
      return typeof found?.schema === 'string' ? { schema: found.schema } : null
    },
  }
}
