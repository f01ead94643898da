/** The members' own protocol: Kafka's bytes, read back, and refused when they are cut short or damaged. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../../connectors/kafka/client/consumer-protocol.ts'
import { LogError } from '../../../../connectors/kafka/index.ts'

const aTopic = fc.string({ minLength: 1, maxLength: 8 })
const partitions = fc
  .dictionary(aTopic, fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }), { maxKeys: 4 })
  .map((byTopic) => Object.entries(byTopic).flatMap(([topic, ids]) => ids.map((partition) => ({ topic, partition }))))
const bytes = fc.uint8Array({ maxLength: 9 }).map((data) => Buffer.from(data))
const subscription = fc.record({
  topics: fc.array(aTopic, { maxLength: 4 }),
  userData: bytes,
  owned: partitions,
  generationId: fc.integer({ min: -1, max: 0x7fff_ffff }),
})

test('a subscription and an assignment come back as they were written', () => {
  fc.assert(
    fc.property(subscription, fc.record({ partitions, userData: bytes, unfinished: fc.boolean() }), (said, given) => {
      expect(decodeSubscription(encodeSubscription(said))).toEqual(said)
      expect(decodeAssignment(encodeAssignment(given))).toEqual(given)
    }),
  )
})

test('the bytes are those of Kafka', () => {
  const owned = [
    { topic: 't', partition: 1 },
    { topic: 't', partition: 2 },
  ]
  const said = encodeSubscription({ topics: ['t'], userData: Buffer.from([9]), owned, generationId: 3 })
  expect(said.toString('hex')).toBe(
    [
      '0002',
      '00000001',
      '000174',
      '00000001',
      '09',
      '00000001',
      '000174',
      '00000002',
      '00000001',
      '00000002',
      '00000003',
    ].join(''),
  )
  const bytesOf = (unfinished: boolean) =>
    encodeAssignment({ partitions: owned, userData: Buffer.alloc(0), unfinished }).toString('hex')
  const theirs = '0001' + '00000001' + '000174' + '00000002' + '00000001' + '00000002' + '00000000'
  expect([bytesOf(false), bytesOf(true)]).toEqual([theirs, `${theirs}01`])
})

test('older and newer versions are read: 0 has no owned partitions, null user data is none, 3 adds a rack', () => {
  const old = Buffer.from('0000' + '00000001' + '000174' + 'ffffffff', 'hex')
  expect(decodeSubscription(old)).toEqual({ topics: ['t'], userData: Buffer.alloc(0), owned: [], generationId: -1 })
  const rack = Buffer.from('0003' + '00000000' + 'ffffffff' + '00000000' + '00000007' + '000172', 'hex')
  expect(decodeSubscription(rack)).toMatchObject({ topics: [], owned: [], generationId: 7 })
  expect(decodeAssignment(Buffer.alloc(0))).toEqual({ partitions: [], userData: Buffer.alloc(0), unfinished: false })
})

test('bytes that are cut or damaged are refused, never read past their end', () => {
  const orRefused = (decode: () => unknown): void => {
    try {
      decode()
    } catch (error) {
      expect((error as LogError).code).toBe('INVALID_REQUEST')
    }
  }
  fc.assert(
    fc.property(subscription, fc.nat(), fc.nat(255), (said, at, value) => {
      const whole = encodeSubscription(said)
      expect(() => decodeSubscription(whole.subarray(0, at % whole.length))).toThrow(LogError)
      const damaged = Buffer.from(whole)
      damaged[at % whole.length] = value
      orRefused(() => decodeSubscription(damaged))
      orRefused(() => decodeAssignment(damaged))
    }),
  )
  expect(() => decodeSubscription(Buffer.from('00027fffffff', 'hex'))).toThrow(/entries/)
})
