/**
 * What a registry knows, folded from the records of its topic.
 *
 * R1 Ids are global and given once: the same schema has the same id under every subject.
 * R2 Versions of a subject count from 1 and are never taken back.
 */

import type { CompatibilityLevel, Json } from '../../schemas/index.ts'
import {
  canonicalText,
  compatibilityLevels,
  incompatibilities,
  parseSchemaText,
  SchemaError,
} from '../../schemas/index.ts'

export interface RegisteredSchema {
  readonly subject: string
  readonly version: number
  readonly id: number
  /** JSON text. */
  readonly schema: string
}

/** A record of the topic, as Confluent's registry writes it. */
export type RegistryRecord =
  | {
      readonly key: {
        readonly keytype: 'SCHEMA'
        readonly subject: string
        readonly version: number
        readonly magic: 1
      }
      readonly value: RegisteredSchema & { readonly deleted: false }
    }
  | {
      readonly key: { readonly keytype: 'CONFIG'; readonly subject: string | null; readonly magic: 0 }
      readonly value: { readonly compatibilityLevel: CompatibilityLevel }
    }

/** The level of everything nobody decided otherwise, and the fixed one of our own events. */
const strictest = 'FULL_TRANSITIVE'
const ourSubject = /-com\.workflow\.[a-z]+\.\w+$/

export class RegistryTable {
  readonly #subjects = new Map<string, RegisteredSchema[]>()
  readonly #textById = new Map<number, string>()
  readonly #idByCanonical = new Map<string, number>()
  readonly #levels = new Map<string | null, CompatibilityLevel>()
  #lastId = 0

  /** Applies a record; the same record again changes nothing. */
  apply({ key, value }: RegistryRecord): void {
    if (key.keytype === 'CONFIG') {
      this.#levels.set(key.subject, (value as { compatibilityLevel: CompatibilityLevel }).compatibilityLevel)
      return
    }
    const { subject, version, id, schema } = value as RegisteredSchema
    const versions = this.#subjects.get(subject) ?? []
    if (versions.some((known) => known.version === version)) return
    this.#subjects.set(subject, [...versions, { subject, version, id, schema }])
    this.#textById.set(id, schema)
    this.#idByCanonical.set(canonicalOrText(schema), id)
    this.#lastId = Math.max(this.#lastId, id)
  }

  subjects(): readonly string[] {
    return [...this.#subjects.keys()].sort()
  }

  versions(subject: string): readonly RegisteredSchema[] {
    return this.#subjects.get(subject) ?? []
  }

  textOf(id: number): string | undefined {
    return this.#textById.get(id)
  }

  /** Every subject and version an id stands under. */
  usesOf(id: number): readonly RegisteredSchema[] {
    return [...this.#subjects.values()].flatMap((versions) => versions.filter((version) => version.id === id))
  }

  find(subject: string, schema: string): RegisteredSchema | undefined {
    const id = this.#idByCanonical.get(canonical(schema))
    return id === undefined ? undefined : this.versions(subject).find((version) => version.id === id)
  }

  /** The record that would register a schema that `find` does not know. */
  next(subject: string, schema: string): RegistryRecord & { readonly value: RegisteredSchema } {
    const version = (this.versions(subject).at(-1)?.version ?? 0) + 1
    const id = this.#idByCanonical.get(canonical(schema)) ?? this.#lastId + 1
    return {
      key: { keytype: 'SCHEMA', subject, version, magic: 1 },
      value: { subject, version, id, schema, deleted: false },
    }
  }

  /** The level that was set for a subject (null: for all); undefined when none was. */
  configured(subject: string | null): CompatibilityLevel | undefined {
    if (subject !== null && ourSubject.test(subject)) return strictest
    return this.#levels.get(subject) ?? (subject === null ? strictest : undefined)
  }

  isFixed(subject: string | null): boolean {
    return subject !== null && ourSubject.test(subject)
  }

  level(subject: string): CompatibilityLevel {
    return this.configured(subject) ?? this.configured(null) ?? strictest
  }

  /**
   * Why a schema may not join a subject; empty when it may.
   * @param against only these versions of the subject
   * @throws SchemaError BAD_SCHEMA
   */
  conflicts(subject: string, schema: string, against = this.versions(subject)): readonly string[] {
    const next = parseSchemaText(schema)
    const versions = against.map((version) => parseSchemaText(version.schema))
    return incompatibilities(this.level(subject), versions, next)
  }
}

/** A schema as its text or, for a bare type name, that name. @throws SchemaError BAD_SCHEMA */
function canonical(schema: string): string {
  parseSchemaText(schema)
  try {
    return canonicalText(JSON.parse(schema) as Json)
  } catch {
    return JSON.stringify(schema)
  }
}

/** For what stands in the topic already: somebody else's registry may have taken what we would not. */
function canonicalOrText(schema: string): string {
  try {
    return canonical(schema)
  } catch (error) {
    if (error instanceof SchemaError) return schema
    throw error
  }
}

export function isCompatibilityLevel(value: unknown): value is CompatibilityLevel {
  return (compatibilityLevels as readonly unknown[]).includes(value)
}
