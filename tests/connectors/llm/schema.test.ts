import { expect, test } from 'vitest'
import type { JsonSchema } from '../../../connectors/llm/index.ts'
import { looseness, schemaCheck, vendorSchema } from '../../../connectors/llm/schema.ts'

const item = { type: 'object', properties: { a: { type: 'integer', minimum: 1, maximum: 5 } }, required: ['a'] }
const schema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2, description: 'Of whom.' },
    list: { type: 'array', minItems: 1, maxItems: 3, items: item },
    maybe: { anyOf: [item, { type: 'null' }] },
    maximum: { type: 'boolean' },
  },
  required: ['name', 'list', 'maybe', 'maximum'],
}

test('objects are closed for both vendors, at any depth, and the rules a vendor does not take are told in words', () => {
  const closed = { type: 'object', required: ['a'], additionalProperties: false }
  const integer = { type: 'integer', minimum: 1, maximum: 5 }
  expect(vendorSchema('openai', schema)).toEqual({
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Of whom. (minLength: 2)' },
      list: { type: 'array', minItems: 1, maxItems: 3, items: { ...closed, properties: { a: integer } } },
      maybe: { anyOf: [{ ...closed, properties: { a: integer } }, { type: 'null' }] },
      maximum: { type: 'boolean' },
    },
    required: ['name', 'list', 'maybe', 'maximum'],
    additionalProperties: false,
  })
  const told = { ...closed, properties: { a: { type: 'integer', description: '(minimum: 1, maximum: 5)' } } }
  expect(vendorSchema('anthropic', schema)['properties']).toEqual({
    name: { type: 'string', description: 'Of whom. (minLength: 2)' },
    list: { type: 'array', description: '(minItems: 1, maxItems: 3)', items: told },
    maybe: { anyOf: [told, { type: 'null' }] },
    maximum: { type: 'boolean' },
  })
})

test('the whole schema is checked, in words that repeat no value', () => {
  const check = schemaCheck(schema)
  const good = { name: 'Ada', list: [{ a: 1 }], maybe: null, maximum: true }
  expect(check(good)).toBeNull()
  expect(check({ ...good, name: 'X' })).toBe('/name breaks "minLength"')
  expect(check({ ...good, list: [{ a: 9 }] })).toBe('/list/0/a breaks "maximum"')
  expect(check({ name: 'secret' })).toBe('it breaks "required"')
  expect(check('secret')).toBe('it breaks "type"')
})

test.each<[string, JsonSchema]>([
  ['an optional property', { type: 'object', properties: { a: { type: 'string' } } }],
  [
    'one below',
    { type: 'object', properties: { l: { type: 'array', items: { ...item, required: [] } } }, required: ['l'] },
  ],
  ['other properties', { ...item, additionalProperties: true }],
  ['an object of anything', { type: 'object', properties: { a: { type: 'object' } }, required: ['a'] }],
])('%s is a schema that no vendor holds', (_, loose) => {
  expect(looseness(loose)).toEqual(expect.any(String))
  expect(looseness(schema)).toBeNull()
})
