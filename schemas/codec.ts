/**
 * Events to bytes and back: Confluent framing (a zero byte, the schema id, Avro), synchronous, with everything that needs
 * waiting done beforehand.
 *
 * C1 Bytes are judged once, here: what comes out fits its schema, what does not is a BadRecord with a stable reason.
 * C2 `prepare` loads what the synchronous pass needs. When it fails, nothing was judged: a registry that is away is
 *    trouble, never a dead letter.
 * C3 An event type this program does not know is carried along as it came.
 * C4 The tenant of the record key is the tenant of the event.
 */

import { BadRecord } from '../topology/errors.ts'
import type { Serde } from '../topology/graph/serde.ts'
import { eventNamespace, eventTypeOf, recordNameOf, schemasOf } from './avro.ts'
import type { AnyEvent, EventDefinitions, EventOf, EventTopic } from './envelope.ts'
import { SchemaError } from './errors.ts'
import type { AvroSchema } from './fields.ts'
import { tenantOfKey } from './ids.ts'
import type { KeyRing } from './key-ring.ts'
import { maxEventBytes } from './limits.ts'
import type { TenantKeys } from './tenant-keys.ts'
import { tenantKeysOf } from './tenant-keys.ts'
import { topics } from './topics.ts'
import { ByteReader } from './wire/byte-reader.ts'
import { ByteWriter } from './wire/byte-writer.ts'
import { hasPersonal } from './wire/personal-shape.ts'
import type { Read } from './wire/reader.ts'
import { compileReader } from './wire/reader.ts'
import type { Shape } from './wire/shape.ts'
import { parseSchema, parseSchemaText } from './wire/shape.ts'
import type { Write } from './wire/writer.ts'
import { compileWriter } from './wire/writer.ts'

/** What a codec needs of a schema registry. */
export interface SchemaRegistry {
  /** The id of this schema under this subject, registered when it is new. @throws SchemaError INCOMPATIBLE_SCHEMA */
  register(subject: string, schema: AvroSchema): Promise<number>
  /** Null only when the registry says there is no such id; rejects when it cannot say. `schema` is its JSON text. */
  schemaById(id: number): Promise<{ readonly schema: string; readonly subject?: string } | null>
}

const frameBytes = 5
const maxDecoders = 10_000

/** An event of a type this program does not know: passed through and counted, not an error. */
export interface UnknownEvent {
  readonly event_type: string
  /** Marks it: no event of ours has this field. */
  readonly unknown: true
  readonly schema_id: number
  /** The whole record value, frame included. */
  readonly bytes: Buffer
}

export function isUnknown(event: { readonly event_type: string }): event is UnknownEvent {
  return (event as Partial<UnknownEvent>).unknown === true
}

export interface EventCodecOptions {
  readonly registry: SchemaRegistry
  readonly keyRing: KeyRing
}

export type EventSerde<D extends EventDefinitions> = Required<Serde<EventOf<D> | UnknownEvent>>

interface Writer {
  readonly id: number
  readonly write: Write
  readonly personal: boolean
}

/** What a schema id means to this topic. */
type Decoder =
  | { readonly kind: 'event'; readonly type: string; readonly read: Read; readonly personal: boolean }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string }

/**
 * The serde of one topic. Registers the schema of every type it declares.
 * @throws SchemaError INCOMPATIBLE_SCHEMA, REGISTRY_FAILED
 */
export async function eventCodec<D extends EventDefinitions>(
  topic: EventTopic<D>,
  options: EventCodecOptions,
): Promise<EventSerde<D>> {
  const writers = new Map<string, Writer>()
  const shapes = new Map<string, { readonly type: string; readonly shape: Shape }>()
  for (const { type, subject, schema } of schemasOf(topic)) {
    const shape = parseSchema(schema)
    const id = await options.registry.register(subject, schema)
    writers.set(type, { id, write: compileWriter(shape), personal: hasPersonal(shape) })
    shapes.set(`${eventNamespace}.${recordNameOf(type)}`, { type, shape })
  }
  return new EventCodec(topic, options, writers, shapes) as unknown as EventSerde<D>
}

const elsewhere: ReadonlySet<string> = new Set(topics.flatMap((topic) => Object.keys(topic.events)))

class EventCodec {
  readonly #topic: EventTopic
  readonly #registry: SchemaRegistry
  readonly #keys: TenantKeys
  readonly #writers: ReadonlyMap<string, Writer>
  readonly #shapes: ReadonlyMap<string, { readonly type: string; readonly shape: Shape }>
  readonly #decoders = new Map<number, Decoder>()
  readonly #reader = new ByteReader()
  readonly #writer = new ByteWriter(maxEventBytes, 'too_large')

  constructor(
    topic: EventTopic,
    options: EventCodecOptions,
    writers: ReadonlyMap<string, Writer>,
    shapes: ReadonlyMap<string, { readonly type: string; readonly shape: Shape }>,
  ) {
    this.#topic = topic
    this.#registry = options.registry
    this.#keys = tenantKeysOf(options.keyRing)
    this.#writers = writers
    this.#shapes = shapes
  }

  serialize(event: AnyEvent | UnknownEvent, key: Buffer | null): Buffer {
    if (isUnknown(event)) return event.bytes
    const writer = this.#writers.get(event.event_type)
    if (writer === undefined)
      throw new BadRecord('bad_value', `${this.#topic.name} has no event type ${event.event_type}`)
    this.#checkTenant(event.tenant_id, key)
    const bytes = this.#writer
    bytes.reset()
    bytes.byte(0)
    bytes.uint32(writer.id)
    if (writer.personal) bytes.cipher = this.#keys.cipher(event.tenant_id)
    writer.write(bytes, event)
    bytes.checkSize()
    return bytes.take()
  }

  deserialize(bytes: Buffer, key: Buffer | null): AnyEvent | UnknownEvent {
    const id = schemaIdOf(bytes)
    const decoder = this.#decoders.get(id)
    if (decoder === undefined)
      throw new SchemaError('SCHEMA_NOT_LOADED', `schema ${id} of ${this.#topic.name} was not prepared`, 'retry')
    if (decoder.kind === 'refused') throw new BadRecord(decoder.reason, decoder.message)
    if (decoder.kind === 'unknown')
      return { event_type: decoder.type, unknown: true, schema_id: id, bytes: Buffer.from(bytes) }
    const reader = this.#reader
    reader.reset(bytes, frameBytes)
    if (decoder.personal) reader.cipher = this.#keys.cipher(tenantIn(bytes))
    const event = decoder.read(reader) as AnyEvent
    reader.finish()
    if (event.event_type !== decoder.type)
      throw new BadRecord('bad_value', `event_type ${event.event_type} in a record of ${decoder.type}`)
    this.#checkTenant(event.tenant_id, key)
    return event
  }

  async prepare(records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): Promise<void> {
    const ids = new Set<number>()
    const tenants = new Set<string>()
    for (const { value } of records) {
      if (value === null || value.length < frameBytes || value[0] !== 0) continue
      const id = value.readUInt32BE(1)
      if (!this.#isSettled(id)) ids.add(id)
      const tenant = peekTenant(value)
      if (tenant !== null) tenants.add(tenant)
    }
    if (this.#decoders.size > maxDecoders) this.#forgetRefused()
    for (const id of ids) this.#decoders.set(id, await this.#decoderOf(id))
    await this.#keys.load(tenants)
  }

  /** Ids that mean something are few; ids in bad records may be any. */
  #forgetRefused(): void {
    for (const [id, decoder] of this.#decoders) if (decoder.kind === 'refused') this.#decoders.delete(id)
  }

  /** An id that was refused as unknown is asked for again: it may have been registered since. */
  #isSettled(id: number): boolean {
    const decoder = this.#decoders.get(id)
    return decoder !== undefined && !(decoder.kind === 'refused' && decoder.reason === 'unknown_schema')
  }

  async #decoderOf(id: number): Promise<Decoder> {
    const known = await this.#registry.schemaById(id)
    if (known === null) return { kind: 'refused', reason: 'unknown_schema', message: `no schema has the id ${id}` }
    try {
      return this.#decoderFor(id, parseSchemaText(known.schema))
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      return { kind: 'refused', reason: 'unknown_schema', message: `schema ${id}: ${error.message}` }
    }
  }

  #decoderFor(id: number, writer: Shape): Decoder {
    const name = writer.kind === 'record' ? writer.name : writer.kind
    const ours = this.#shapes.get(name)
    if (ours !== undefined)
      return {
        kind: 'event',
        type: ours.type,
        read: compileReader(writer, ours.shape),
        // All that is read is what was written; what we lack a field for included.
        personal: hasPersonal(writer),
      }
    const prefix = `${eventNamespace}.`
    const type = eventTypeOf(name.slice(prefix.length))
    if (name.startsWith(prefix) && !elsewhere.has(type)) return { kind: 'unknown', type }
    return { kind: 'refused', reason: 'wrong_subject', message: `schema ${id} is ${name}, not of ${this.#topic.name}` }
  }

  #checkTenant(tenantId: string, key: Buffer | null): void {
    if (tenantOfKey(key) !== tenantId) throw new BadRecord('bad_key', 'the key is not of the tenant of the event')
  }
}

/** @throws BadRecord `bad_frame` */
export function schemaIdOf(bytes: Buffer): number {
  if (bytes.length < frameBytes || bytes[0] !== 0) throw new BadRecord('bad_frame', 'not in Confluent framing')
  return bytes.readUInt32BE(1)
}

const peeking = new ByteReader()

function tenantIn(bytes: Buffer): string {
  const tenant = peekTenant(bytes)
  if (tenant === null) throw new BadRecord('bad_length', 'the record ends inside its envelope')
  return tenant
}

/**
 * The tenant of a framed event without decoding it: the envelope comes first, in the same order for ever. Null when the
 * bytes are not an event.
 */
export function peekTenant(bytes: Buffer): string | null {
  try {
    peeking.reset(bytes, frameBytes)
    peeking.bytes()
    peeking.bytes()
    peeking.int()
    peeking.long()
    return peeking.string()
  } catch (error) {
    if (error instanceof BadRecord) return null
    throw error
  }
}
