import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { codeBox, sixDigits } from '../../../api/auth/codes.ts'
import { uuid } from '../../../api/auth/digest.ts'

const random = { bytes: randomBytes }

describe('sixDigits', () => {
  it('draws again above the largest multiple of a million, so that every code is equally likely', () => {
    const draws = [Buffer.from('ffffff', 'hex'), Buffer.from('f42400', 'hex'), Buffer.from('00002a', 'hex')]
    expect(sixDigits({ bytes: () => draws.shift()! })).toBe('000042')
    expect(draws).toHaveLength(0)
  })

  it('is always six digits', () => {
    for (let n = 0; n < 1000; n++) expect(sixDigits(random)).toMatch(/^\d{6}$/)
  })
})

describe('codeBox', () => {
  const box = codeBox(randomBytes(32), random)

  it('opens what it sealed, and shows nothing of it', () => {
    const sealed = box.seal('auth.codes:1', '123456')
    expect(box.open('auth.codes:1', sealed)).toBe('123456')
    expect(sealed.includes('123456')).toBe(false)
    expect(box.seal('auth.codes:1', '123456').equals(sealed)).toBe(false)
  })

  it('refuses another reference, another secret, and changed bytes', () => {
    const sealed = box.seal('auth.codes:1', '123456')
    expect(() => box.open('auth.codes:2', sealed)).toThrow()
    expect(() => codeBox(randomBytes(32), random).open('auth.codes:1', sealed)).toThrow()
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 1
      expect(() => box.open('auth.codes:1', changed)).toThrow()
    }
  })
})

describe('uuid', () => {
  it('is version 4 of RFC 9562', () => {
    for (let n = 0; n < 100; n++) {
      expect(uuid(random)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })
})
