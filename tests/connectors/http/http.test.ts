import { expect, test } from 'vitest'
import { classOfStatus, retryAfterMs } from '../../../connectors/http/index.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

test.each([
  ['7', 7_000],
  ['0', 0],
  ['0.5', 500],
  [' 7 ', 7_000],
  ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['99999999999', 24 * 60 * 60 * 1_000],
  ['soon', undefined],
  ['-5', undefined],
  ['', undefined],
])('retry-after "%s" is %s ms', (value, expected) => {
  expect(retryAfterMs(new Headers({ 'retry-after': value }), now)).toBe(expected)
})

test('a date is measured against the clock of who sent it', () => {
  const headers = new Headers({ 'retry-after': 'Fri, 02 Jan 2026 00:00:09 GMT', date: 'Fri, 02 Jan 2026 00:00:00 GMT' })
  expect(retryAfterMs(headers, now)).toBe(9_000)
})

test('no header, no wait', () => expect(retryAfterMs(new Headers(), now)).toBeUndefined())

test.each([
  [200, 'ok'],
  [204, 'ok'],
  [302, 'invalid'],
  [401, 'auth'],
  [402, 'quota'],
  [404, 'invalid'],
  [409, 'retry'],
  [413, 'invalid'],
  [429, 'retry'],
  [529, 'retry'],
])('%i is %s', (status, expected) => {
  expect(classOfStatus(status)).toBe(expected)
})
