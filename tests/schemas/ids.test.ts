import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  authEvents,
  communicationEvents,
  derivedEventId,
  knowledgeEvents,
  parseKey,
  recordKey,
  tenantOfKey,
  timerEventId,
  uuidv5,
  voiceEvents,
} from '../../schemas/index.ts'

const dns = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex')

describe('ids', () => {
  test('UUIDv5 of RFC 9562, appendix A.4', () => {
    expect(uuidv5('www.example.com', dns)).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2')
  })

  test('are the same for ever', () => {
    expect(uuidv5('com.workflow.events', dns)).toBe('3109be2e-1b60-5cfc-9383-fa3b6418acea')
    expect(derivedEventId({ cause: 'c', processor: 'research', type: 'research_started', n: 0 })).toBe(
      'c5fb501f-7721-5f2c-a1a1-08d384f83f28',
    )
    expect(timerEventId({ processor: 'p', key: 't1|o1', timer: 'retry', dueAt: 5, type: 'x', n: 0 })).toBe(
      '30094136-a39a-5858-a700-42171f66782c',
    )
  })

  test('no two causes, processors, types or numbers share one', () => {
    const part = fc.string({ maxLength: 4 })
    const of = fc.record({ cause: part, processor: part, type: part, n: fc.nat(3) })
    fc.assert(
      fc.property(of, of, (a, b) => {
        const same = a.cause === b.cause && a.processor === b.processor && a.type === b.type && a.n === b.n
        expect(derivedEventId(a) === derivedEventId(b)).toBe(same)
      }),
    )
  })
})

describe('keys', () => {
  const placed = (payload = {}) => ({ tenant_id: 't1', organization_id: 'o1', payload })

  test('of the three shapes, and of types that lack the topic’s first field', () => {
    expect(recordKey(authEvents, placed())).toBe('t1|o1')
    expect(recordKey({ name: 'x', key: 'T' }, placed())).toBe('t1')
    expect(recordKey(knowledgeEvents, placed({ source_id: 's1' }))).toBe('t1|s1')
    expect(recordKey(communicationEvents, placed({ contact_id: 'u1', experiment_id: 'x1' }))).toBe('t1|u1')
    expect(recordKey(communicationEvents, placed({ experiment_id: 'x1' }))).toBe('t1|x1')
    expect(recordKey(voiceEvents, placed({ voice_call_id: 'v1', call_id: 'c1' }))).toBe('t1|v1')
    expect(recordKey(voiceEvents, placed({ call_id: 'v1' }))).toBe('t1|v1')
  })

  test.each([
    ['a separator in the entity', { source_id: 'a|b' }],
    ['an empty entity', { source_id: '' }],
    ['no entity', {}],
    ['an entity that is no text', { source_id: 7 }],
    ['NUL', { source_id: 'a\0' }],
    ['half a surrogate pair', { source_id: '\udc00' }],
    ['600 characters', { source_id: 'x'.repeat(600) }],
  ])('%s is refused', (_, payload) => {
    expect(() => recordKey(knowledgeEvents, placed(payload))).toThrow(expect.objectContaining({ reason: 'bad_key' }))
  })

  test('a tenant cannot be forged through the separator', () => {
    const forged = { tenant_id: 't1|o9', organization_id: 'o1', payload: {} }
    expect(() => recordKey(authEvents, forged)).toThrow(expect.objectContaining({ reason: 'bad_key' }))
  })

  test('come apart again', () => {
    const id = fc
      .string({ minLength: 1 })
      .filter((text) => !text.includes('|') && text.isWellFormed() && !text.includes('\0'))
    fc.assert(
      fc.property(id, id, (tenant, organization) => {
        const key = recordKey(authEvents, { tenant_id: tenant, organization_id: organization, payload: {} })
        expect(parseKey(key)).toEqual({ tenantId: tenant, id: organization })
        expect(tenantOfKey(Buffer.from(key))).toBe(tenant)
      }),
    )
    expect(parseKey('t1')).toEqual({ tenantId: 't1', id: null })
    for (const key of ['', '|o1', 't1|', 'a|b|c'])
      expect(() => parseKey(key)).toThrow(expect.objectContaining({ reason: 'bad_key' }))
    expect(tenantOfKey(Buffer.from('|o1'))).toBeNull()
    expect(tenantOfKey(null)).toBeNull()
  })
})
