/**
 * Field combinators: one declaration gives the Avro schema and the TypeScript type of a payload.
 *
 *   const fields = { company_name: string(), domain: optional(string()), scores: map(double()), email: personal() }
 *   type Payload = FieldsOf<typeof fields>
 *
 * Rules that keep topics readable for ever: a field is never renamed or retyped; a new field is `optional(...)` or has a
 * `withDefault(...)`. A `personal()` field is bytes on the wire (deterministic encryption under the tenant's key) and a
 * string in code; after the tenant's key is destroyed it decodes to `erased`.
 */

/** Stands where a personal field was, once its tenant's key is destroyed. */
export const erased: unique symbol = Symbol.for('lifecycle.erased')
export type Erased = typeof erased

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** An Avro schema as JSON. */
export type AvroSchema = Json

/**
 * A field's wire schema and, at type level only, the value it carries.
 * `personal`: bytes on the wire, encrypted. `json`: a JSON text on the wire, a value in code.
 */
export interface Field<T> {
  readonly avro: AvroSchema
  readonly kind: 'plain' | 'personal' | 'json' | 'personal-json' | 'optional' | 'array' | 'map' | 'record'
  /** The field inside an optional, array or map. */
  readonly of?: Field<unknown>
  /** The fields of a record. */
  readonly fields?: Fields
  /** Present when a reader may miss the field. */
  readonly default?: Json
  /** Type level only: never set. */
  readonly type?: T
}

export type Fields = Readonly<Record<string, Field<unknown>>>
export type ValueOf<F> = F extends Field<infer T> ? T : never
type OptionalKeys<F extends Fields> = { [K in keyof F]: null extends ValueOf<F[K]> ? K : never }[keyof F]
/** Optional fields may be left out when writing and read as null. */
export type FieldsOf<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: ValueOf<F[K]>
}

const plain = <T>(avro: AvroSchema): Field<T> => ({ avro, kind: 'plain' })

export const string = (): Field<string> => plain('string')
export const boolean = (): Field<boolean> => plain('boolean')
/** 32-bit. */
export const int = (): Field<number> => plain('int')
/** 64-bit on the wire; safe integers only in code (±(2^53−1)), anything beyond is refused, never rounded. */
export const long = (): Field<number> => plain('long')
export const double = (): Field<number> => plain('double')
/** Milliseconds since the epoch. */
export const instant = (): Field<number> => plain({ type: 'long', logicalType: 'timestamp-millis' })
/** One of a closed set; a string on the wire so that a set may grow. Checked at the edge. */
export const oneOf = <const V extends readonly string[]>(...values: V): Field<V[number]> =>
  plain({ type: 'string', oneOf: [...values] })
/** Text about a person: encrypted under the tenant's key. */
export const personal = (): Field<string | Erased> => ({
  avro: { type: 'bytes', logicalType: 'personal-text' },
  kind: 'personal',
})
/** Any JSON value, as text on the wire. */
export const json = <T extends Json = Json>(): Field<T> => ({
  avro: { type: 'string', logicalType: 'json' },
  kind: 'json',
})
/** Any JSON value about a person, encrypted whole. */
export const personalJson = <T extends Json = Json>(): Field<T | Erased> => ({
  avro: { type: 'bytes', logicalType: 'personal-json' },
  kind: 'personal-json',
})
export const optional = <T>(of: Field<T>): Field<T | null> => ({
  avro: ['null', of.avro],
  kind: 'optional',
  of,
  default: null,
})
export const array = <T>(of: Field<T>): Field<readonly T[]> => ({
  avro: { type: 'array', items: of.avro },
  kind: 'array',
  of,
})
export const map = <T>(of: Field<T>): Field<Readonly<Record<string, T>>> => ({
  avro: { type: 'map', values: of.avro },
  kind: 'map',
  of,
})
/** A nested record; `name` is its Avro name, unique in the event. */
export const record = <const F extends Fields>(name: string, fields: F): Field<FieldsOf<F>> => ({
  avro: { type: 'record', name, fields: avroFields(fields) },
  kind: 'record',
  fields,
})
/** A field a reader may miss: older records read as the default. */
export const withDefault = <T extends Json>(of: Field<T>, value: T): Field<T> => ({ ...of, default: value })

export function avroFields(fields: Fields): AvroSchema[] {
  return Object.entries(fields).map(([name, field]) => ({
    name,
    type: field.avro,
    ...(field.default === undefined ? {} : { default: wireDefault(field, field.default) }),
  }))
}

/** A json field is a text on the wire, and so is its default. */
function wireDefault(field: Field<unknown>, value: Json): Json {
  return field.kind === 'json' ? JSON.stringify(value) : value
}
