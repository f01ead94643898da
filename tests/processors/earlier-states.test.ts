/**
 * Bytes that an earlier version of a state wrote, one file each in tests/golden/states (`<service>-<store>-<version>.json`):
 * they read as they always did, lifted to the present, and are written as the present version.
 */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { services } from '../../processors/index.ts'
import { parseKey, stateCodec } from '../../schemas/index.ts'
import { keyRing } from './codecs.ts'

interface Fixture {
  /** The record key it stands under. */
  readonly key: string
  readonly hex: string
  readonly reads: unknown
}

const earlier = services().flatMap(({ name, processors }) =>
  [...new Set(processors.map(({ state }) => state))].flatMap((state) =>
    (state.earlier ?? []).map((_, place) => ({
      name: `${name}-${state.store}-${place + 1}`,
      state,
      version: place + 1,
    })),
  ),
)

test('there are states that had another form once', () => {
  expect(earlier.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['research-sessions-1', 'review-queue-reviews-1']),
  )
})

test.each(earlier)('$name', async ({ name, state, version }) => {
  const file = new URL(`../golden/states/${name}.json`, import.meta.url)
  const { key, hex, reads } = JSON.parse(readFileSync(file, 'utf8')) as Fixture
  await keyRing.load([parseKey(key).tenantId])
  const codec = stateCodec(state, { keyRing })
  const bytes = Buffer.from(hex, 'hex')
  expect(bytes.readUInt16BE(0)).toBe(version)
  const value = codec.deserialize(bytes, Buffer.from(key))
  expect(value).toEqual(reads)
  const again = codec.serialize(value, Buffer.from(key))
  expect(again.readUInt16BE(0)).toBe(state.version)
  expect(codec.deserialize(again, Buffer.from(key))).toEqual(value)
})
