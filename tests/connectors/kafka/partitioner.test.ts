import fc from 'fast-check'
import { expect, test } from 'vitest'

import { murmur2, partitionFor } from '../../../connectors/kafka/index.ts'
import { murmur2OfKafkajs } from './kafkajs-codec.ts'

/** From Kafka's own `UtilsTest.testMurmur2`. */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('any bytes hash as kafkajs hashes them, also inside a larger buffer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.uint8Array({ maxLength: 5 }), (key, before) => {
      const hash = murmur2OfKafkajs(Buffer.from(key))
      expect(murmur2(key)).toBe(hash)
      expect(murmur2(Buffer.concat([before, key, before]), before.length, before.length + key.length)).toBe(hash)
    }),
  )
})

test('a partition is never negative', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (key, partitions) => {
      const partition = partitionFor(Buffer.from(key), partitions)
      expect(partition).toBe((murmur2(key) & 0x7fffffff) % partitions)
      expect(partition >= 0 && partition < partitions).toBe(true)
    }),
  )
})
