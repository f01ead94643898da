import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJson } from '../../../api/index.ts'

const read = (text: string | Buffer): unknown => parseJson(Buffer.from(text as string))

function refusalOf(text: string | Buffer): string {
  try {
    return `taken: ${JSON.stringify(read(text))}`
  } catch (error) {
    const { status, code } = error as { status?: number; code?: string }
    return `${String(status)} ${String(code)}`
  }
}

test('whatever JSON.stringify writes is read as it was', () => {
  const value = fc
    .jsonValue({ maxDepth: 5 })
    .filter((json) => !JSON.stringify(json).includes('__proto__') && isKept(json))
  fc.assert(
    fc.property(value, (json) => {
      expect(read(JSON.stringify(json))).toEqual(JSON.parse(JSON.stringify(json)))
    }),
  )
})

/** What rows 11 and 13 refuse may come up. */
function isKept(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value)
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  if (value === null || typeof value !== 'object') return true
  return Object.entries(value).every(([key, each]) => isKept(key) && isKept(each))
}

test('any text is read, or refused with one of our codes', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    'a',
    '0',
    '-',
    '1e',
    '.5',
    '\\u',
    'd800',
    'null',
    ' ',
    '\n',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const answer = refusalOf(pieces.join(''))
      expect(answer).toMatch(/^(taken: |400 (invalid_json|duplicate_key|too_deep)$|422 (bad_text|number_not_exact)$)/)
      if (answer.startsWith('taken')) expect(read(pieces.join(''))).toEqual(JSON.parse(pieces.join('')))
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['truncated', '{"a":1'],
  ['truncated in a string', '{"a":"b'],
  ['byte order mark', '\ufeff{}'],
  ['trailing comma', '{"a":1,}'],
  ['NaN', '{"a":NaN}'],
  ['Infinity', '[Infinity]'],
  ['two documents', '{} {}'],
  ['empty', ''],
  ['white space', ' \n'],
  ['single quotes', "{'a':1}"],
  ['leading zero', '[01]'],
  ['bad escape', '["\\x41"]'],
  ['raw NUL', '["\0"]'],
])('row 6: %s is invalid_json', (_name, text) => expect(refusalOf(text)).toBe('400 invalid_json'))

const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, index) => `"k${String(index)}":1`).join(',')}}`

test('row 7: depth, keys and length have limits, and the pass ends there', () => {
  expect(refusalOf('['.repeat(100_000) + ']'.repeat(100_000))).toBe('400 too_deep')
  expect(refusalOf('['.repeat(64) + ']'.repeat(64))).toMatch(/^taken/)
  expect(refusalOf('['.repeat(65) + ']'.repeat(65))).toBe('400 too_deep')
  expect(refusalOf(keys(1_000_000))).toBe('400 too_many_keys')
  expect(refusalOf(keys(10_000))).toMatch(/^taken/)
  expect(refusalOf(keys(10_001))).toBe('400 too_many_keys')
  expect(refusalOf(`[${'{"a":1},'.repeat(100_000)}{"a":1}]`)).toBe('400 too_many_keys')
  expect(refusalOf(`[${'[],'.repeat(100_000)}1]`)).toBe('400 too_many_keys')
  expect(refusalOf(`"${'a'.repeat(10_000_000)}"`)).toBe('400 too_long')
  expect(refusalOf(`{"${'a'.repeat(1_025)}":1}`)).toBe('400 too_long')
})

test.each([
  ['{"tenant":"a","tenant":"b"}', 'plain'],
  ['{"a":1,"b":{"c":1,"c":2}}', 'nested'],
  ['{"a":1,"\\u0061":2}', 'spelt differently'],
  ['{"":1,"":2}', 'empty'],
])('row 8: %s is duplicate_key', (text) => expect(refusalOf(text)).toBe('400 duplicate_key'))

test('row 8: the same key in two objects is no duplicate', () => {
  expect(read('[{"a":1},{"a":2},{"b":{"a":3},"a":4}]')).toEqual([{ a: 1 }, { a: 2 }, { b: { a: 3 }, a: 4 }])
})

test('row 9: keys that name the prototype are refused or plain data', () => {
  expect(refusalOf('{"a":{"__proto__":{"x":1}}}')).toBe('400 bad_key')
  expect(refusalOf('{"\\u005f_proto__":1}')).toBe('400 bad_key')
  const value = read('{"constructor":{"prototype":{"x":1}},"toString":2}') as Record<string, unknown>
  expect(Object.keys(value)).toEqual(['constructor', 'toString'])
  expect(({} as Record<string, unknown>).x).toBeUndefined()
})

test.each([
  '9007199254740993',
  '9007199254740992',
  '-9007199254740992',
  '1e400',
  '-1e400',
  '-0',
  '-0.0',
  '1e-400',
  '1e18',
  '0.10000000000000000001',
  '123456789012345678',
  '1'.padEnd(1_000, '0'),
])('row 11: %.30s would be rounded', (token) => expect(refusalOf(`{"n":${token}}`)).toBe('422 number_not_exact'))

test.each([
  '9007199254740991',
  '-9007199254740991',
  '0',
  '0.1',
  '1.50',
  '1e3',
  '1.5E+3',
  '0.1e-5',
  '100000.000',
  '0.1234567890123456',
  '5e-324',
])('row 11: %s is exact', (token) => expect(read(`[${token}]`)).toEqual([Number(token)]))

test.each([
  ['"\\u0000"', 'NUL'],
  ['"\\ud800"', 'high half'],
  ['"\\udc00x"', 'low half'],
  ['"\\ud83dA"', 'half, then a letter'],
  ['{"\\u0000":1}', 'NUL in a key'],
])('row 13: %s (%s) is bad_text', (text) => expect(refusalOf(text)).toBe('422 bad_text'))

test('row 13: bytes that are not UTF-8 are bad_text; everything else is kept byte for byte', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
  ]) {
    expect(refusalOf(Buffer.from(bytes))).toBe('422 bad_text')
  }
  const text = 'right\u202Eto-left, 😀, e\u0301, \ufeff inside'
  expect(read(JSON.stringify([text]))).toEqual([text])
  expect(read('["\\ud83d\\ude00"]')).toEqual(['😀'])
})
