import { describe, expect, test } from 'vitest'
import type { AvroSchema } from '../../schemas/index.ts'
import { canonicalText, incompatibilities, judgeSchema, judgeState, parseSchema } from '../../schemas/index.ts'

const record = (...fields: AvroSchema[]): AvroSchema => ({
  type: 'record',
  name: 'Event',
  namespace: 'com.workflow.events',
  fields,
})
const id = { name: 'id', type: 'string' }
const note = { name: 'note', type: ['null', 'string'], default: null }
const base = record(id, note)

describe('what the gate lets through', () => {
  test.each<[string, AvroSchema]>([
    ['a new optional field', record(id, note, { name: 'more', type: ['null', 'int'], default: null })],
    ['a new field with a default', record(id, note, { name: 'more', type: 'int', default: 3 })],
    ['a field with a default removed', record(id)],
    ['a closed set that grew', record({ name: 'id', type: { type: 'string', oneOf: ['a', 'b'] } }, note)],
    ['fields in another order', record(note, id)],
  ])('%s', (_, next) => {
    expect(judgeSchema([base], next)).toEqual({ verdict: 'new' })
  })

  test('the same schema, however it is written', () => {
    const rewritten = JSON.parse(
      '{"namespace":"com.workflow.events","fields":[{"type":"string","name":"id"},{"default":null,"type":["null","string"],"name":"note"}],"name":"Event","type":"record"}',
    ) as AvroSchema
    expect(canonicalText(rewritten)).toBe(canonicalText(base))
    expect(judgeSchema([base], rewritten)).toEqual({ verdict: 'same' })
  })

  test('the first version', () => {
    expect(judgeSchema([], base)).toEqual({ verdict: 'new' })
  })
})

describe('what it refuses', () => {
  test.each<[string, AvroSchema]>([
    ['a new field without a default', record(id, note, { name: 'more', type: 'int' })],
    ['a field without a default removed', record(note)],
    ['a field renamed', record({ name: 'uid', type: 'string' }, note)],
    ['int to string', record({ name: 'id', type: 'int' }, note)],
    ['a required field made optional', record({ name: 'id', type: ['null', 'string'], default: null }, note)],
    ['an optional field made required', record(id, { name: 'note', type: 'string', default: '' })],
    ['another type in a union', record(id, { name: 'note', type: ['null', 'int'], default: null })],
    ['one more type in a union', record(id, { name: 'note', type: ['null', 'string', 'int'], default: null })],
    ['plain text made json', record({ name: 'id', type: { type: 'string', logicalType: 'json' } }, note)],
    ['another namespace', { type: 'record', name: 'Event', namespace: 'com.other', fields: [id, note] }],
    ['another name', { type: 'record', name: 'Fact', namespace: 'com.workflow.events', fields: [id, note] }],
  ])('%s', (_, next) => {
    const verdict = judgeSchema([base], next)
    expect(verdict).toEqual({
      verdict: 'refused',
      reasons: expect.arrayContaining([expect.stringMatching(/\S/)]) as string[],
    })
  })

  test.each<[string, AvroSchema, AvroSchema]>([
    ['int to long', 'int', 'long'],
    ['a symbol removed', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, { type: 'enum', name: 'E', symbols: ['A'] }],
    ['a symbol added', { type: 'enum', name: 'E', symbols: ['A'] }, { type: 'enum', name: 'E', symbols: ['A', 'B'] }],
    ['fixed of another size', { type: 'fixed', name: 'F', size: 4 }, { type: 'fixed', name: 'F', size: 5 }],
    ['array items', { type: 'array', items: 'int' }, { type: 'array', items: 'string' }],
    ['map values', { type: 'map', values: 'int' }, { type: 'map', values: 'string' }],
    [
      'a nested record’s field',
      { type: 'record', name: 'N', fields: [{ name: 'x', type: 'int' }] },
      { type: 'record', name: 'N', fields: [{ name: 'y', type: 'int' }] },
    ],
  ])('%s', (_, before, after) => {
    const verdict = judgeSchema([record({ name: 'f', type: before })], record({ name: 'f', type: after }))
    expect(verdict.verdict).toBe('refused')
  })

  test('what only an older version cannot follow', () => {
    const withX = record(id, { name: 'x', type: 'int', default: 0 })
    const withTextX = record(id, { name: 'x', type: 'string', default: '' })
    expect(judgeSchema([withX, record(id)], withTextX)).toEqual({
      verdict: 'refused',
      reasons: [
        'cannot read version 1: x is int, expected string',
        'version 1 cannot read it: x is string, expected int',
      ],
    })
  })

  test('what is no schema of ours at all', () => {
    const recursive = record({ name: 'next', type: ['null', 'com.workflow.events.Event'], default: null })
    for (const schema of [recursive, record({ name: '__proto__', type: 'int' }), record({ name: 'a`', type: 'int' })])
      expect(() => judgeSchema([base], schema)).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }))
  })
})

describe('levels', () => {
  const shapes = [record(id), record(id, { name: 'x', type: 'int' })].map((schema) => parseSchema(schema))
  const without = shapes[0]!
  const with_ = shapes[1]!
  test('tell the directions apart, and the last version from all', () => {
    expect(incompatibilities('BACKWARD', [with_], without)).toEqual([])
    expect(incompatibilities('FORWARD', [with_], without)).toHaveLength(1)
    expect(incompatibilities('FORWARD', [without], with_)).toEqual([])
    expect(incompatibilities('BACKWARD', [without], with_)).toHaveLength(1)
    expect(incompatibilities('FULL', [without], with_)).toHaveLength(1)
    expect(incompatibilities('BACKWARD', [without, with_], with_)).toEqual([])
    expect(incompatibilities('BACKWARD_TRANSITIVE', [without, with_], with_)).toHaveLength(1)
    expect(incompatibilities('NONE', [without], with_)).toEqual([])
  })
})

describe('states', () => {
  const second = record(id, note, { name: 'x', type: 'int', default: 0 })
  test('a version that was written with is never changed', () => {
    expect(judgeState([base], [base])).toEqual({ verdict: 'same' })
    expect(judgeState([base], [base, second])).toEqual({ verdict: 'new' })
    expect(judgeState([base], [second])).toMatchObject({ verdict: 'refused' })
    expect(judgeState([base, second], [base])).toMatchObject({ verdict: 'refused' })
    expect(judgeState([base], [base, record({ name: 'id', type: 'int' })])).toMatchObject({ verdict: 'refused' })
  })
})
