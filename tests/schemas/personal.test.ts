import fc from 'fast-check'
import { expect, test } from 'vitest'
import { erased, fieldCipher, fieldTag } from '../../schemas/index.ts'
import { keyRingOf } from './fixtures.ts'

const ring = keyRingOf('t1', 't2')
await ring.load(['t1', 't2'])
const [cipher, other] = [fieldCipher(ring, 't1')!, fieldCipher(ring, 't2')!]
const email = fieldTag(['com.workflow.events.SignupRequested', 'email'])
const name = fieldTag(['com.workflow.events.SignupRequested', 'first_name'])

test('P1: the same text is the same bytes, and opens to itself (E4)', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const sealed = cipher.seal(email, text)
      expect(sealed.equals(cipher.seal(email, text))).toBe(true)
      expect(cipher.open(email, sealed)).toBe(text)
    }),
  )
})

test('P1: bytes written today are read for ever', () => {
  expect(cipher.seal(email, 'ada@acme.example').toString('hex')).toBe(
    '015323f6e5c2a79ca91d170666355955dd38bcb4d382910988e9a505311b10bbea',
  )
})

test('P2: tenant, field and every bit are bound', () => {
  const sealed = cipher.seal(email, 'ada@acme.example')
  expect(other.seal(email, 'ada@acme.example').equals(sealed)).toBe(false)
  expect(cipher.seal(name, 'ada@acme.example').equals(sealed)).toBe(false)
  const bad = expect.objectContaining({ reason: 'bad_value' }) as Error
  expect(() => other.open(email, sealed)).toThrow(bad)
  expect(() => cipher.open(name, sealed)).toThrow(bad)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = Buffer.from(sealed)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => cipher.open(email, flipped)).toThrow(bad)
  }
  for (let end = 1; end < sealed.length; end++) expect(() => cipher.open(email, sealed.subarray(0, end))).toThrow(bad)
})

test('P2: where one part of the authenticated text ends and the next begins is bound too', () => {
  const shifted = fieldTag(['com.workflow.events.SignupRequested', 'emaila'])
  expect(cipher.seal(email, 'ab').subarray(1, 17).equals(cipher.seal(shifted, 'b').subarray(1, 17))).toBe(false)
})

test('P3: erased is a value, never an error', () => {
  const keys = keyRingOf('t3')
  keys.erase('t3')
  const gone = fieldCipher(keys, 't3')!
  expect(gone.open(email, cipher.seal(email, 'x'))).toBe(erased)
  expect(gone.open(email, Buffer.from('nonsense'))).toBe(erased)
  expect(gone.seal(email, 'x')).toHaveLength(0)
  expect(cipher.open(email, Buffer.alloc(0))).toBe(erased)
  expect(fieldCipher(keys, 'unknown')).toBeNull()
})
