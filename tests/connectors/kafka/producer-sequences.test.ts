/** Sequence numbers of idempotent producers, as Kafka's `ProducerStateManager` judges them. */

import { expect, test } from 'vitest'

import { stampBatch } from '../../../connectors/kafka/batch-format.ts'
import { markerBatch } from '../../../connectors/kafka/control-batch.ts'
import { ProducerSequences } from '../../../connectors/kafka/embedded/producer-sequences.ts'
import { batch } from '../../contracts/log.ts'

const [TENANT_A, TENANT_B] = [1n, 2n]

test('a batch continues the sequence of its producer and epoch; a gap is refused', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 0, 3), 0n)
  add(sequences, sent(TENANT_B, 0, 1), 3n)
  expect(sequences.next(TENANT_A, 0)).toBe(3)
  expect(refusal(sequences, sent(TENANT_A, 4, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
  expect(refusal(sequences, sent(TENANT_A, 2, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
  expect(sequences.check(sent(TENANT_A, 3, 1))).toBe(null)
})

test('the last five batches are known again and answered with their old offset, older ones are not', () => {
  const sequences = new ProducerSequences()
  for (let i = 0; i < 7; i++) add(sequences, sent(TENANT_A, 2 * i, 2), BigInt(10 * i))
  for (let i = 2; i < 7; i++) expect(sequences.check(sent(TENANT_A, 2 * i, 2))).toBe(BigInt(10 * i))
  expect(refusal(sequences, sent(TENANT_A, 2, 2))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
  expect(refusal(sequences, sent(TENANT_A, 12, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
})

test('a new epoch begins at 0 and ends the old one', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 0, 2, 4), 0n)
  expect(refusal(sequences, sent(TENANT_A, 2, 1, 5))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
  add(sequences, sent(TENANT_A, 0, 1, 5), 2n)
  expect(refusal(sequences, sent(TENANT_A, 2, 1, 4))).toBe('INVALID_PRODUCER_EPOCH')
})

test('a marker with a newer epoch fences the older one', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 0, 2, 0), 0n)
  add(sequences, markerBatch('abort', { producerId: TENANT_A, epoch: 1 }, 0), 2n)
  expect(refusal(sequences, sent(TENANT_A, 2, 1, 0))).toBe('INVALID_PRODUCER_EPOCH')
  expect(sequences.check(sent(TENANT_A, 0, 1, 1))).toBe(null)
})

test('a marker of the same epoch leaves the sequence as it is', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 0, 2), 0n)
  add(sequences, markerBatch('commit', { producerId: TENANT_A, epoch: 0 }, 0), 2n)
  expect(sequences.next(TENANT_A, 0)).toBe(2)
})

test('sequences wrap from 2^31 - 1 to 0', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 2 ** 31 - 2, 3), 0n)
  expect(sequences.next(TENANT_A, 0)).toBe(1)
  expect(sequences.check(sent(TENANT_A, 2 ** 31 - 2, 3))).toBe(0n)
  expect(sequences.check(sent(TENANT_A, 1, 1))).toBe(null)
})

test('what is undone was never there', () => {
  const sequences = new ProducerSequences()
  add(sequences, sent(TENANT_A, 0, 1), 0n)
  const undo = add(sequences, sent(TENANT_A, 1, 1), 1n)
  undo()
  expect(sequences.next(TENANT_A, 0)).toBe(1)
  expect(sequences.check(sent(TENANT_A, 1, 1))).toBe(null)
})

function sent(producerId: bigint, baseSequence: number, count: number, epoch = 0): Buffer {
  const values = Array.from({ length: count }, (_, i) => `v${i}`)
  return batch(...values).build({ producerId, epoch, baseSequence, transactional: false })
}

function add(sequences: ProducerSequences, bytes: Buffer, offset: bigint): () => void {
  stampBatch(bytes, offset, 0)
  expect(sequences.check(bytes)).toBe(null)
  return sequences.record(bytes, 0)
}

function refusal(sequences: ProducerSequences, bytes: Buffer): unknown {
  try {
    return sequences.check(bytes)
  } catch (error) {
    return (error as { code: string }).code
  }
}
