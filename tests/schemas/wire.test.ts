/** Our Avro against another implementation of it (avsc), and against bytes nobody meant to write. */

import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AvroSchema } from '../../schemas/index.ts'
import { eventCodec, exampleEvent, parseSchema, schemasOf, topics } from '../../schemas/index.ts'
import { ByteReader } from '../../schemas/wire/byte-reader.ts'
import { ByteWriter } from '../../schemas/wire/byte-writer.ts'
import { compileReader } from '../../schemas/wire/reader.ts'
import type { Shape } from '../../schemas/wire/shape.ts'
import { compileWriter } from '../../schemas/wire/writer.ts'
import { BadRecord } from '../../topology/errors.ts'
import { conforms, keyRingOf, memoryRegistry } from './fixtures.ts'

function read(writer: AvroSchema, reader: AvroSchema, bytes: Buffer): unknown {
  const source = new ByteReader()
  source.reset(bytes, 0)
  const value = compileReader(parseSchema(writer), parseSchema(reader))(source)
  source.finish()
  return value
}

function write(schema: AvroSchema, value: unknown): Buffer {
  const bytes = new ByteWriter(1_000_000, 'too_large')
  compileWriter(parseSchema(schema))(bytes, value)
  return bytes.take()
}

const record = (...fields: AvroSchema[]): AvroSchema => ({ type: 'record', name: 'R', fields })
const field = (type: AvroSchema) => record({ name: 'f', type })

/** A schema of our part of Avro with a value of it. avsc 5.7.9 writes odd longs below −2^52 wrong: they are checked below. */
const typed: fc.Memo<{ schema: AvroSchema; value: unknown }> = fc.memo((depth) => {
  const leaf = fc.oneof(
    fc.boolean().map((value) => ({ schema: 'boolean', value })),
    fc.integer().map((value) => ({ schema: 'int', value })),
    fc.maxSafeInteger().map((value) => ({ schema: 'long', value: Math.trunc(value / 2) })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ schema: 'double', value })),
    fc.string({ unit: 'binary' }).map((value) => ({ schema: 'string', value: value.toWellFormed() })),
  ) as fc.Arbitrary<{ schema: AvroSchema; value: unknown }>
  if (depth <= 1) return leaf
  const inner = typed(depth - 1)
  return fc.oneof(
    leaf,
    fc.tuple(inner, fc.integer({ min: 0, max: 3 })).map(([{ schema, value }, count]) => ({
      schema: { type: 'array', items: schema },
      value: Array.from({ length: count }, () => value),
    })),
    fc
      .tuple(inner, fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 3 }))
      .map(([{ schema, value }, keys]) => ({
        schema: { type: 'map', values: schema },
        value: Object.fromEntries(keys.filter((key) => key !== '__proto__').map((key) => [key, value])),
      })),
    fc.tuple(inner, fc.boolean()).map(([{ schema, value }, present]) => ({
      schema: ['null', schema],
      value: present ? value : null,
    })),
  ) as fc.Arbitrary<{ schema: AvroSchema; value: unknown }>
})

const isUnion = (schema: AvroSchema): boolean => Array.isArray(schema)
const nestedUnion = (schema: AvroSchema): boolean =>
  Array.isArray(schema)
    ? schema.some(isUnion) || schema.some(nestedUnion)
    : schema !== null && typeof schema === 'object' && Object.values(schema).some(nestedUnion)

const fields = fc
  .array(
    typed(3).filter(({ schema }) => !nestedUnion(schema)),
    { minLength: 1, maxLength: 5 },
  )
  .map((list) => ({
    schema: record(...list.map(({ schema }, index) => ({ name: `f${index}`, type: schema }))),
    value: Object.fromEntries(list.map(({ value }, index) => [`f${index}`, value])),
    list,
  }))

const oracle = (schema: AvroSchema) =>
  avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { wrapUnions: 'never' } as never)

describe('against avsc', () => {
  test('same bytes, same values', () => {
    fc.assert(
      fc.property(fields, ({ schema, value }) => {
        const bytes = write(schema, value)
        expect(bytes.equals(oracle(schema).toBuffer(value))).toBe(true)
        expect(read(schema, schema, bytes)).toEqual(plain(oracle(schema).fromBuffer(bytes)))
      }),
      { numRuns: 500 },
    )
  })

  test('fields added with a default and fields removed resolve to the same values', () => {
    fc.assert(
      fc.property(
        fields,
        fc.integer({ min: 0, max: 31 }),
        fc.integer({ min: 0, max: 31 }),
        ({ list }, inWriter, inReader) => {
          const version = (mask: number) =>
            record(
              ...list.flatMap(({ schema }, index) =>
                (mask >> index) % 2 === 1
                  ? [{ name: `f${index}`, type: isUnion(schema) ? schema : ['null', schema], default: null }]
                  : [],
              ),
            )
          const [writer, reader] = [version(inWriter), version(inReader)]
          const value = Object.fromEntries(
            list.flatMap(({ value: item }, index) => ((inWriter >> index) % 2 === 1 ? [[`f${index}`, item]] : [])),
          )
          const bytes = write(writer, value)
          const reading = oracle(reader)
          const theirs = reading.fromBuffer(bytes, reading.createResolver(oracle(writer)))
          expect(read(writer, reader, bytes)).toEqual(plain(theirs))
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

/** avsc makes instances of its own classes. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

describe('numbers', () => {
  test('longs are zigzag varints, by bigint arithmetic', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = write(field('long'), { f: value })
        expect(bytes.equals(varint(BigInt(value)))).toBe(true)
        expect(read(field('long'), field('long'), bytes)).toEqual({ f: value })
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    0,
    -1,
    63,
    64,
    -64,
    -65,
    2 ** 30 - 1,
    2 ** 30,
    -(2 ** 30),
    -(2 ** 30) - 1,
    2 ** 31,
    2 ** 52,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
  ])('long %d is exact', (value) => {
    expect(read(field('long'), field('long'), write(field('long'), { f: value }))).toEqual({ f: value })
  })
})

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let bits = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; bits >= 0x80n; bits >>= 7n) bytes.push(Number(bits & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(bits)])
}
const double = (value: number) => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}
const strings: AvroSchema = { type: 'array', items: 'string' }
const optionalInt: AvroSchema = ['null', 'int']
const hex = (text: string) => Buffer.from(text, 'hex')

describe('bytes that lie', () => {
  const cases: readonly [string, AvroSchema, Buffer, string][] = [
    ['array of 5,000,000', strings, varint(5_000_000n), 'bad_length'],
    ['array of 2^32−1', strings, varint(2n ** 32n - 1n), 'bad_length'],
    ['array of 2^33', strings, varint(2n ** 33n), 'bad_length'],
    ['array of −2^63', strings, varint(-(2n ** 63n)), 'bad_length'],
    ['map of 2^33', { type: 'map', values: 'int' }, varint(2n ** 33n), 'bad_length'],
    [
      'a negative block with a false size',
      strings,
      Buffer.concat([varint(-1n), varint(9n), hex('026100')]),
      'bad_length',
    ],
    ['a string of 2^40', 'string', varint(2n ** 40n), 'bad_length'],
    ['a string of −1', 'string', varint(-1n), 'bad_length'],
    ['bytes of 2^62', 'bytes', varint(2n ** 62n), 'bad_length'],
    ['a varint of 64 KiB', 'long', Buffer.alloc(65_536, 0x80), 'bad_length'],
    ['an array count that never ends', strings, Buffer.alloc(65_536, 0x80), 'bad_length'],
    ['one byte too many', 'int', hex('0200'), 'bad_length'],
    ['one byte too few', 'double', Buffer.alloc(7), 'bad_length'],
    ['branch −1', optionalInt, varint(-1n), 'bad_value'],
    ['branch 9', optionalInt, varint(9n), 'bad_value'],
    ['symbol 9', { type: 'enum', name: 'E', symbols: ['A'] }, varint(9n), 'bad_value'],
    ['boolean 7', 'boolean', hex('07'), 'bad_value'],
    ['int 2^40', 'int', varint(2n ** 40n), 'bad_value'],
    ['int 2^31', 'int', varint(2n ** 31n), 'bad_value'],
    ['NaN', 'double', double(Number.NaN), 'bad_value'],
    ['Infinity', 'double', double(Number.POSITIVE_INFINITY), 'bad_value'],
    ['−Infinity', 'double', double(Number.NEGATIVE_INFINITY), 'bad_value'],
    ['long 2^53', 'long', varint(2n ** 53n), 'bad_value'],
    ['long 2^53+1', 'long', varint(2n ** 53n + 1n), 'bad_value'],
    ['long −2^53', 'long', varint(-(2n ** 53n)), 'bad_value'],
    ['long 2^63−1', 'long', varint(2n ** 63n - 1n), 'bad_value'],
    ['long −2^63', 'long', varint(-(2n ** 63n)), 'bad_value'],
    ['bad UTF-8', 'string', hex('04c328'), 'bad_utf8'],
    ['an overlong UTF-8 form', 'string', hex('04c080'), 'bad_utf8'],
    ['a surrogate in UTF-8', 'string', hex('06eda080'), 'bad_utf8'],
    [
      'a map key __proto__',
      { type: 'map', values: 'int' },
      Buffer.concat([hex('0212'), Buffer.from('__proto__'), hex('0200')]),
      'bad_key',
    ],
    ['a map key twice', { type: 'map', values: 'int' }, hex('04026102026104' + '00'), 'bad_key'],
    ['json that is none', { type: 'string', logicalType: 'json' }, hex('027b'), 'bad_value'],
    ['json 1e400', { type: 'string', logicalType: 'json' }, Buffer.from('\x0a1e400'), 'bad_value'],
    [
      'json with __proto__',
      { type: 'string', logicalType: 'json' },
      Buffer.concat([varint(15n), Buffer.from('{"__proto__":1}')]),
      'bad_key',
    ],
    [
      'json 100,000 deep',
      { type: 'string', logicalType: 'json' },
      Buffer.concat([varint(200_000n), Buffer.from('['.repeat(100_000) + ']'.repeat(100_000))]),
      'too_deep',
    ],
  ]
  test.each(cases)('%s', (_, type, bytes, reason) => {
    expect(() => read(field(type), field(type), bytes)).toThrow(expect.objectContaining({ name: 'BadRecord', reason }))
  })

  test('a varint is at most ten bytes, however small its value', () => {
    const padded = (bytes: number) => Buffer.concat([Buffer.alloc(bytes - 1, 0x80), Buffer.of(0)])
    expect(read(field('long'), field('long'), padded(10))).toEqual({ f: 0 })
    for (const bytes of [11, 12, 40])
      expect(() => read(field('long'), field('long'), padded(bytes))).toThrow(
        expect.objectContaining({ reason: 'bad_length' }),
      )
  })

  test('a count is refused before its first item is read', () => {
    const doubles: AvroSchema = { type: 'array', items: 'double' }
    const bytes = Buffer.concat([varint(3n), Buffer.alloc(23)])
    expect(() => read(field(doubles), field(doubles), bytes)).toThrow('3 items do not fit')
  })

  test('U+FFFD that was meant is kept', () => {
    expect(read(field('string'), field('string'), write(field('string'), { f: 'a\ufffdb' }))).toEqual({ f: 'a\ufffdb' })
  })

  test('names of Object.prototype are data', () => {
    const schema = field({ type: 'map', values: 'int' })
    const bytes = write(schema, { f: { constructor: 1, toString: 2, prototype: 3 } })
    const value = read(schema, schema, bytes) as { f: Record<string, unknown> }
    expect({ ...value.f }).toEqual({ constructor: 1, toString: 2, prototype: 3 })
    expect('valueOf' in value.f).toBe(false)
    expect(({} as Record<string, unknown>).prototype).toBeUndefined()
  })

  test('a count costs no memory before its items are there (E3)', () => {
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
    for (let index = 0; index < 1_000; index++)
      expect(() => read(field(strings), field(strings), varint(2n ** 31n - 2n))).toThrow(BadRecord)
    expect(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1_048_576)
  })
})

describe('every example, damaged', () => {
  test.each(topics.map((topic) => topic.name))(
    '%s: cut at every byte, every bit flipped, one byte more',
    async (name) => {
      const topic = topics.find((candidate) => candidate.name === name)!
      const keyRing = keyRingOf('t1')
      await keyRing.load(['t1'])
      const registry = memoryRegistry()
      const codec = await eventCodec(topic, { registry, keyRing })
      for (const { type, schema } of schemasOf(topic)) {
        const shape = parseSchema(schema)
        const { event, key } = exampleEvent(topic, type)
        const value = codec.serialize(event as never, key)
        await codec.prepare([{ key, value }])
        const outcome = (bytes: Buffer): 'value' | 'dead letter' => judged(codec, shape, bytes, key)
        expect(outcome(value)).toBe('value')
        expect(outcome(Buffer.concat([value, Buffer.of(0)]))).toBe('dead letter')
        for (let end = 0; end < value.length; end++) expect(outcome(value.subarray(0, end))).toBe('dead letter')
        for (let bit = 0; bit < value.length * 8; bit++) {
          // A flipped id names another schema or none: that is the registry's to answer.
          if (bit >= 8 && bit < 40) continue
          const flipped = Buffer.from(value)
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          outcome(flipped)
        }
      }
    },
  )
})

/** A value that fits its schema, or a dead letter; anything else throws. */
function judged(
  codec: { deserialize(bytes: Buffer, key: Buffer | null): unknown },
  shape: Shape,
  bytes: Buffer,
  key: Buffer,
): 'value' | 'dead letter' {
  let value: unknown
  try {
    value = codec.deserialize(bytes, key)
  } catch (error) {
    if (error instanceof BadRecord) return 'dead letter'
    // Flipped bits in the tenant ask for a key that is not there: nothing was opened.
    if ((error as { code?: string }).code === 'KEY_NOT_LOADED') return 'dead letter'
    throw error
  }
  if (!conforms(shape, value)) throw new Error(`outside its schema: ${JSON.stringify(value)}`)
  return 'value'
}

describe('schemas that are refused', () => {
  const deep = (levels: number): AvroSchema => (levels === 0 ? 'int' : { type: 'map', values: deep(levels - 1) })
  const doubling: AvroSchema[] = Array.from({ length: 20 }, (_, index) => ({
    name: `f${index}`,
    type: {
      type: 'record',
      name: `D${index}`,
      fields:
        index === 0
          ? [{ name: 'x', type: 'int' }]
          : [
              { name: 'a', type: `D${index - 1}` },
              { name: 'b', type: `D${index - 1}` },
            ],
    },
  }))
  const refused: readonly [string, AvroSchema, string][] = [
    ['a record that holds itself', record({ name: 'next', type: ['null', 'R'] }), 'recursive'],
    ['an unknown type', field('Nothing'), 'unknown type'],
    ['a field named __proto__', record({ name: '__proto__', type: 'int' }), 'not a name'],
    ['a field with a backtick', record({ name: 'a`b', type: 'int' }), 'not a name'],
    ['a name with code in it', { type: 'record', name: 'R"]);process.exit()//', fields: [] }, 'not a name'],
    ['two fields of one name', record({ name: 'a', type: 'int' }, { name: 'a', type: 'int' }), 'twice'],
    ['a field with aliases', record({ name: 'a', type: 'int', aliases: ['b'] }), 'aliases'],
    ['a record with aliases', { type: 'record', name: 'R', aliases: ['S'], fields: [] }, 'aliases'],
    ['array<null>', field({ type: 'array', items: 'null' }), 'no byte'],
    ['a union in a union', field(['null', ['int', 'string']]), 'unknown type|union'],
    ['a union of two ints', field(['int', 'int']), 'two branches'],
    ['a default of another type', record({ name: 'a', type: 'int', default: 'x' }), 'default'],
    ['a default of the second branch', record({ name: 'a', type: ['null', 'int'], default: 1 }), 'default'],
    ['depth 40', field(deep(40)), 'deeper'],
    ['2^20 types spelt short', record(...doubling), 'spelt out'],
  ]
  test.each(refused)('%s', (_, schema, words) => {
    expect(() => parseSchema(schema)).toThrow(
      expect.objectContaining({ code: 'BAD_SCHEMA', message: expect.stringMatching(words) as string }),
    )
  })
})
