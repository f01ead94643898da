/**
 * A service's state under one key, as bytes: a 2-byte version, then Avro of that version. Older versions are read with
 * their own fields and lifted, one version at a time, by the upcasters of the definition.
 */

import { BadRecord } from '../topology/errors.ts'
import type { Serde } from '../topology/graph/serde.ts'
import { recordNameOf, recordSchema } from './avro.ts'
import { SchemaError } from './errors.ts'
import type { AvroSchema, Fields, FieldsOf } from './fields.ts'
import { tenantOfKey } from './ids.ts'
import type { KeyRing } from './key-ring.ts'
import { maxStateBytes } from './limits.ts'
import type { FieldCipher } from './personal.ts'
import type { TenantKeys } from './tenant-keys.ts'
import { tenantKeysOf } from './tenant-keys.ts'
import { ByteReader } from './wire/byte-reader.ts'
import { ByteWriter } from './wire/byte-writer.ts'
import { hasPersonal } from './wire/personal-shape.ts'
import type { Read } from './wire/reader.ts'
import { compileReader } from './wire/reader.ts'
import type { Shape } from './wire/shape.ts'
import { parseSchema } from './wire/shape.ts'
import type { Write } from './wire/writer.ts'
import { compileWriter } from './wire/writer.ts'

type State = Readonly<Record<string, unknown>>

/** What a state codec needs of a state's definition. */
export interface VersionedState<F extends Fields = Fields> {
  readonly store: string
  /** Counts from 1; one more than there are earlier versions. */
  readonly version: number
  readonly fields: F
  readonly earlier?: readonly { readonly fields: Fields; upcast(value: State): State }[]
}

const stateNamespace = 'com.workflow.state'
const headBytes = 2

/** The Avro record of a state's fields. Its name binds personal fields, so it is the same for all versions. */
export function stateSchema(store: string, fields: Fields): AvroSchema {
  return recordSchema(recordNameOf(store.replaceAll('-', '_')), stateNamespace, fields)
}

/** Schemas of all versions, oldest first. */
export function stateSchemas(definition: VersionedState): readonly AvroSchema[] {
  return [...(definition.earlier ?? []), definition].map(({ fields }) => stateSchema(definition.store, fields))
}

/**
 * The serde of one state. Keys are record keys: personal fields are sealed for the tenant they begin with.
 * @throws SchemaError BAD_SCHEMA when the versions are not counted from 1 without a gap
 */
export function stateCodec<F extends Fields>(
  definition: VersionedState<F>,
  options: { readonly keyRing: KeyRing },
): Required<Serde<FieldsOf<F>>> {
  const earlier = definition.earlier ?? []
  if (definition.version !== earlier.length + 1)
    throw new SchemaError(
      'BAD_SCHEMA',
      `${definition.store}: version ${definition.version} needs ${definition.version - 1} earlier ones`,
    )
  const shapes = stateSchemas(definition).map((schema) => parseSchema(schema))
  return new StateCodec(definition, shapes, options.keyRing) as unknown as Required<Serde<FieldsOf<F>>>
}

class StateCodec {
  readonly #definition: VersionedState
  readonly #keys: TenantKeys
  /** By version − 1. */
  readonly #reads: readonly Read[]
  readonly #write: Write
  readonly #personal: boolean
  readonly #reader = new ByteReader()
  readonly #writer = new ByteWriter(maxStateBytes, 'state_too_large')

  constructor(definition: VersionedState, shapes: readonly Shape[], keyRing: KeyRing) {
    this.#definition = definition
    this.#keys = tenantKeysOf(keyRing)
    this.#reads = shapes.map((shape) => compileReader(shape, shape))
    this.#write = compileWriter(shapes.at(-1)!)
    this.#personal = shapes.some(hasPersonal)
  }

  serialize(state: State, key: Buffer | null): Buffer {
    const bytes = this.#writer
    bytes.reset()
    bytes.uint16(this.#definition.version)
    if (this.#personal) bytes.cipher = this.#cipher(key)
    this.#write(bytes, state)
    bytes.checkSize()
    return bytes.take()
  }

  deserialize(bytes: Buffer, key: Buffer | null): State {
    const version = this.#versionOf(bytes)
    const reader = this.#reader
    reader.reset(bytes, headBytes)
    if (this.#personal) reader.cipher = this.#cipher(key)
    let state = this.#reads[version - 1]!(reader) as State
    reader.finish()
    for (const step of (this.#definition.earlier ?? []).slice(version - 1)) state = step.upcast(state)
    return state
  }

  async prepare(records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): Promise<void> {
    if (!this.#personal) return
    const tenants = new Set<string>()
    for (const { key } of records) {
      const tenant = tenantOfKey(key)
      if (tenant !== null) tenants.add(tenant)
    }
    await this.#keys.load(tenants)
  }

  #versionOf(bytes: Buffer): number {
    const { store, version: newest } = this.#definition
    if (bytes.length < headBytes) throw new BadRecord('bad_frame', `a state of ${store} without a version`)
    const version = bytes.readUInt16BE(0)
    if (version === 0) throw new BadRecord('bad_frame', `a state of ${store} of version 0`)
    if (version > newest)
      throw new SchemaError('STATE_TOO_NEW', `${store} holds version ${version}; this program knows ${newest}`)
    return version
  }

  #cipher(key: Buffer | null): FieldCipher {
    const tenant = tenantOfKey(key)
    if (tenant === null) throw new BadRecord('bad_key', 'a state is kept under a record key')
    return this.#keys.cipher(tenant)
  }
}
