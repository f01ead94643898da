import { describe, expect, test } from 'vitest'
import { array, erased, long, map, optional, personal, record, stateCodec, string } from '../../schemas/index.ts'
import type { VersionedState } from '../../schemas/index.ts'
import { keyRingOf } from './fixtures.ts'

const fields = {
  status: string(),
  attempts: long(),
  contacts: array(record('Contact', { email: personal(), phone: optional(personal()) })),
  seen: map(long()),
}
const sessions = { store: 'research-sessions', version: 1, fields } satisfies VersionedState
const state = { status: 'open', attempts: 2, contacts: [{ email: 'ada@acme.example', phone: null }], seen: { a: 1 } }
const keys = [Buffer.from('t1|o1'), Buffer.from('t2|o1')] as const

async function ready() {
  const keyRing = keyRingOf('t1', 't2')
  const codec = stateCodec(sessions, { keyRing })
  await codec.prepare(keys.map((key) => ({ key, value: null })))
  return { keyRing, codec }
}

describe('a state', () => {
  test('comes back for two tenants, whose bytes differ', async () => {
    const { codec } = await ready()
    const [a, b] = keys.map((key) => codec.serialize(state, key))
    for (const [index, bytes] of [a!, b!].entries()) {
      expect(codec.deserialize(bytes, keys[index]!)).toEqual(state)
      expect(bytes.includes('ada@')).toBe(false)
    }
    expect(a!.equals(b!)).toBe(false)
    expect(a!.equals(codec.serialize(state, keys[0]))).toBe(true)
    expect(() => codec.deserialize(a!, keys[1])).toThrow(expect.objectContaining({ reason: 'bad_value' }))
  })

  test('of an erased tenant reads as erased and is written again', async () => {
    const { codec, keyRing } = await ready()
    const bytes = codec.serialize(state, keys[0])
    keyRing.erase('t1')
    const gone = codec.deserialize(bytes, keys[0])
    expect(gone.contacts).toEqual([{ email: erased, phone: null }])
    expect(codec.deserialize(codec.serialize(gone, keys[0]), keys[0])).toEqual(gone)
  })

  test('needs its tenant’s key: not loaded is trouble, unknown is bad data', async () => {
    const codec = stateCodec(sessions, { keyRing: keyRingOf() })
    const { codec: writer } = await ready()
    const bytes = writer.serialize(state, keys[0])
    expect(() => codec.deserialize(bytes, keys[0])).toThrow(expect.objectContaining({ code: 'KEY_NOT_LOADED' }))
    await codec.prepare([{ key: keys[0], value: bytes }])
    expect(() => codec.deserialize(bytes, keys[0])).toThrow(expect.objectContaining({ reason: 'unknown_key' }))
  })

  test('of more than 256 KiB is refused', async () => {
    const { codec } = await ready()
    const refusal = expect.objectContaining({ name: 'BadRecord', reason: 'state_too_large' }) as Error
    expect(() => codec.serialize({ ...state, status: 'x'.repeat(262_144) }, keys[0])).toThrow(refusal)
    expect(() => codec.serialize({ ...state, status: 'x'.repeat(3_000_000) }, keys[0])).toThrow(refusal)
    expect(codec.serialize({ ...state, contacts: [], status: 'x'.repeat(262_000) }, keys[0]).length).toBeGreaterThan(
      262_000,
    )
  })

  test('damaged is bad data', async () => {
    const { codec } = await ready()
    const bytes = codec.serialize(state, keys[0])
    for (let end = 0; end < bytes.length; end++)
      expect(() => codec.deserialize(bytes.subarray(0, end), keys[0])).toThrow(
        expect.objectContaining({ name: 'BadRecord' }),
      )
    expect(() => codec.deserialize(Buffer.concat([bytes, Buffer.of(0)]), keys[0])).toThrow(
      expect.objectContaining({ reason: 'bad_length' }),
    )
    expect(() => codec.serialize(state, null)).toThrow(expect.objectContaining({ reason: 'bad_key' }))
  })
})

describe('versions', () => {
  const first = { count: long() }
  const second = { count: long(), label: optional(string()) }
  const third = { ...second, doubled: optional(long()) }
  const keyRing = keyRingOf()
  const v1 = stateCodec({ store: 'counts', version: 1, fields: first }, { keyRing })
  const v3: VersionedState<typeof third> = {
    store: 'counts',
    version: 3,
    fields: third,
    earlier: [
      { fields: first, upcast: (value) => ({ ...value, label: 'from 1' }) },
      { fields: second, upcast: (value) => ({ ...value, doubled: (value.count as number) * 2 }) },
    ],
  }
  const codec = stateCodec(v3, { keyRing })
  const key = Buffer.from('t1|o1')

  test('an old state is lifted step by step', () => {
    expect(codec.deserialize(v1.serialize({ count: 4 }, key), key)).toEqual({ count: 4, label: 'from 1', doubled: 8 })
  })

  test('a state of this version is not lifted again', () => {
    const state = { count: 4, label: 'kept', doubled: 1 }
    expect(codec.deserialize(codec.serialize(state, key), key)).toEqual(state)
    expect(codec.deserialize(Buffer.from('00020802026b', 'hex'), key)).toEqual({ count: 4, label: 'k', doubled: 8 })
  })

  test('bytes of a version are the same for ever', () => {
    expect(v1.serialize({ count: 4 }, key).toString('hex')).toBe('000108')
    expect(codec.serialize({ count: 4, label: 'a', doubled: 8 }, key).toString('hex')).toBe('0003080202610210')
  })

  test('a state from the future is trouble, not bad data', () => {
    const bytes = codec.serialize({ count: 4 }, key)
    expect(() => v1.deserialize(bytes, key)).toThrow(expect.objectContaining({ code: 'STATE_TOO_NEW', then: 'stop' }))
  })

  test('a version without its earlier ones is refused', () => {
    expect(() => stateCodec({ store: 'x', version: 2, fields: first }, { keyRing })).toThrow(
      expect.objectContaining({ code: 'BAD_SCHEMA' }),
    )
  })
})
