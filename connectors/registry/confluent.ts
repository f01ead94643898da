/**
 * A registry outside: Confluent's, or any that speaks its API (Apicurio, Karapace, Redpanda).
 *
 * CR3 All versions of the subjects that are asked for are read at the start: of what was written under them, nothing is looked
 *     up later.
 * CR4 A subject is FULL_TRANSITIVE before anything is registered under it, or at once after its first version.
 * CR5 A schema that stands under its subject is not registered again, however its JSON was written.
 *
 * A client of our own, on few requests, because `@kafkajs/confluent-schema-registry` does not fit: it keeps of a schema only
 * what avsc has made of it, and there our logical types are gone; it sets the level after the first version; it loses the
 * error code, and so cannot tell a schema that is not there from a path that is not; and its requests have no time limit. It
 * is what our users' programs run, so the tests hold us to it.
 */

import { z } from 'zod'
import type { AvroSchema, Json } from '../../schemas/index.ts'
import { canonicalText, SchemaError } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { RegistryAddress } from './connection.ts'
import { RegistryConnection } from './connection.ts'
import type { RegistryClient } from './port.ts'
import type { RetryBounds } from './requests.ts'
import { RegistryRefused, RegistryRequests, usualBounds } from './requests.ts'

export interface ConfluentRegistry extends RegistryClient {
  close(): void
}

export interface ConfluentRegistryOptions extends RegistryAddress {
  /** What this program writes: read and, where it is missing, registered before the registry is given. */
  readonly schemas: readonly { readonly subject: string; readonly schema: AvroSchema }[]
  readonly clock: Clock
  /** One line for the operator. */
  readonly notice: (line: string) => void
  /** For one answer, in ms; 10 s unless told. */
  readonly timeoutMs?: number
  readonly bounds?: RetryBounds
}

const usualTimeoutMs = 10_000
/** Subjects that are read at once. */
const atOnce = 8
const level = 'FULL_TRANSITIVE'
/** Ids are Java's int: of a larger one a registry does not even say that it is not there. */
const maxId = 0x7fff_ffff
/** Ids that mean something are few; beyond this the oldest are looked up again. */
const maxTexts = 10_000

const id = z.number().int().min(0).max(maxId)
const shapes = {
  versions: z.array(z.number().int()),
  version: z.object({ id, schema: z.string() }),
  registered: z.object({ id }),
  text: z.object({ schema: z.string() }),
  level: z.object({ compatibilityLevel: z.string() }),
  anything: z.unknown(),
}

/** @throws SchemaError REGISTRY_FAILED, INCOMPATIBLE_SCHEMA, BAD_SCHEMA; one line that names subject or address */
export async function openConfluentRegistry(options: ConfluentRegistryOptions): Promise<ConfluentRegistry> {
  const { schemas, clock, notice, timeoutMs = usualTimeoutMs, bounds = usualBounds } = options
  const connection = new RegistryConnection(options, timeoutMs, atOnce)
  const registry = new OutsideRegistry(new RegistryRequests(connection, clock, bounds), notice)
  try {
    // The first goes alone: when the registry is away, one asks and not eight.
    const [first, ...rest] = schemas
    if (first !== undefined) await registry.register(first.subject, first.schema)
    await each(rest, ({ subject, schema }) => registry.register(subject, schema))
  } catch (error) {
    connection.close()
    throw error
  }
  return {
    register: (subject, schema) => registry.register(subject, schema),
    schemaById: (wanted) => registry.schemaById(wanted),
    close: () => connection.close(),
  }
}

class OutsideRegistry {
  readonly #requests: RegistryRequests
  readonly #notice: (line: string) => void
  /** By subject: ids by canonical text. */
  readonly #subjects = new Map<string, Promise<Map<string, number>>>()
  readonly #texts = new Map<number, string>()
  /** Registries that know no level of a subject that is not there yet are told again. */
  readonly #unlevelled = new Set<string>()
  #isLevelRefused = false

  constructor(requests: RegistryRequests, notice: (line: string) => void) {
    this.#requests = requests
    this.#notice = notice
  }

  async register(subject: string, schema: AvroSchema): Promise<number> {
    try {
      const versions = await this.#versionsOf(subject)
      const known = versions.get(canonicalText(schema)) ?? (await this.#register(subject, JSON.stringify(schema)))
      versions.set(canonicalText(schema), known)
      this.#remember(known, JSON.stringify(schema))
      return known
    } catch (error) {
      throw judged(subject, error)
    }
  }

  async schemaById(wanted: number): Promise<{ readonly schema: string } | null> {
    const known = this.#texts.get(wanted)
    if (known !== undefined) return { schema: known }
    if (wanted > maxId) return null
    try {
      const found = await this.#requests.ask({ method: 'GET', path: `/schemas/ids/${wanted}` }, shapes.text)
      if (found !== null) this.#remember(wanted, found.schema)
      return found
    } catch (error) {
      // Whatever it says of us, it says nothing of the record: that waits.
      if (error instanceof RegistryRefused) throw new SchemaError('REGISTRY_FAILED', error.message, 'retry', error)
      throw error
    }
  }

  #remember(schemaId: number, text: string): void {
    this.#texts.set(schemaId, text)
    const oldest = this.#texts.size > maxTexts ? this.#texts.keys().next().value : undefined
    if (oldest !== undefined) this.#texts.delete(oldest)
  }

  /** Read once, whoever asks (CR3); its level first (CR4). A failure is not kept. */
  #versionsOf(subject: string): Promise<Map<string, number>> {
    const before = this.#subjects.get(subject)
    if (before !== undefined) return before
    const reading = this.#levelled(subject).then(() => this.#read(subject))
    this.#subjects.set(subject, reading)
    reading.catch(() => this.#subjects.delete(subject))
    return reading
  }

  async #read(subject: string): Promise<Map<string, number>> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const numbers = await this.#requests.ask({ method: 'GET', path }, shapes.versions)
    const ids = new Map<string, number>()
    for (const number of numbers ?? []) {
      const version = await this.#requests.ask({ method: 'GET', path: `${path}/${number}` }, shapes.version)
      if (version === null) continue
      this.#remember(version.id, version.schema)
      ids.set(canonicalOf(version.schema), version.id)
    }
    return ids
  }

  async #levelled(subject: string): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`
    const set = await this.#requests.ask({ method: 'GET', path }, shapes.level)
    if (set?.compatibilityLevel === level) return
    try {
      const told = await this.#requests.ask({ method: 'PUT', path, body: { compatibility: level } }, shapes.anything)
      if (told === null) this.#unlevelled.add(subject)
      else this.#unlevelled.delete(subject)
    } catch (error) {
      // Who may only read can still work with what others have registered.
      if (!(error instanceof RegistryRefused) || ![401, 403].includes(error.status)) throw error
      if (!this.#isLevelRefused) this.#notice(`${error.message}: ${subject} and others stay without ${level}`)
      this.#isLevelRefused = true
    }
  }

  /** CR5: looked up first, which who may only read may do too. */
  async #register(subject: string, schema: string): Promise<number> {
    const found = await this.#find(subject, schema)
    if (found !== null) return found
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const registered = await this.#requests.ask({ method: 'POST', path, body: { schema } }, shapes.registered)
    if (registered === null)
      throw new SchemaError('REGISTRY_FAILED', `${this.#requests.name} does not take ${subject}`, 'stop')
    if (this.#unlevelled.has(subject)) await this.#levelled(subject)
    return registered.id
  }

  async #find(subject: string, schema: string): Promise<number | null> {
    const question = { method: 'POST', path: `/subjects/${encodeURIComponent(subject)}`, body: { schema } } as const
    return (await this.#requests.ask(question, shapes.registered))?.id ?? null
  }
}

/** One text for what Avro takes as one schema; what is no JSON stands for itself. */
function canonicalOf(schema: string): string {
  try {
    return canonicalText(JSON.parse(schema) as Json)
  } catch {
    return schema
  }
}

/** A refusal in the words of a registry's client. */
function judged(subject: string, error: unknown): unknown {
  if (!(error instanceof RegistryRefused)) return error
  const message = `${subject}: ${error.message}`
  if (error.status === 409) return new SchemaError('INCOMPATIBLE_SCHEMA', message, 'stop', error)
  if (error.code === 42_201) return new SchemaError('BAD_SCHEMA', message, 'stop', error)
  const cure = [401, 403].includes(error.status) ? '; wanted credentials that may read and register it' : ''
  return new SchemaError('REGISTRY_FAILED', `${message}${cure}`, 'stop', error)
}

/** Some at a time; after a failure nothing new begins. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items]
  const next = async (): Promise<void> => {
    try {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
    } catch (error) {
      waiting.length = 0
      throw error
    }
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}
