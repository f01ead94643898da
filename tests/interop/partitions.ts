/** A key goes to the partition that Java's partitioner and kafkajs's would give it. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { murmur2, partitionFor } from '../../connectors/kafka/index.ts'
import { forJava, weRead, written } from './records.ts'
import type { World } from './world.ts'

const counts = [3, 6, 12]
const seed = 1_894

/** 0 to 40 bytes, some of 1 to 10 kB; as latin-1 text. */
function keys(count: number): string[] {
  const short = fc.uint8Array({ maxLength: 40 })
  const long = fc.uint8Array({ minLength: 1_000, maxLength: 10_000, size: 'max' })
  const any = fc.oneof({ weight: 49, arbitrary: short }, { weight: 1, arbitrary: long })
  const sampled = fc.sample(any, { numRuns: count, seed }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  return ['', ...sampled.slice(1)]
}

export function samePartitions(world: () => World): void {
  describe('a key has one partition, whoever writes it', () => {
    test('as Java computes it, for 10,000 keys', async () => {
      const all = keys(10_000)
      const lengths = all.map((key) => key.length)
      expect(lengths.filter((length) => length >= 1_000).length).toBeGreaterThan(100)
      for (const rest of [0, 1, 2, 3])
        expect(lengths.filter((length) => length % 4 === rest).length).toBeGreaterThan(1_000)
      const bytes = all.map((key) => Buffer.from(key, 'latin1'))
      const java = await world().peer.ask<number[][]>('partitions', {
        keys: bytes.map((key) => key.toString('base64')),
        counts,
      })
      expect(java).toHaveLength(10_000)
      const ours = bytes.map((key) => [murmur2(key), ...counts.map((count) => partitionFor(key, count))])
      const differing = java.flatMap((row, index) =>
        row.join() === ours[index]!.join() ? [] : [{ row, ours: ours[index] }],
      )
      // A few say as much as all.
      expect(differing.slice(0, 5)).toEqual([])
      for (const [index, count] of counts.entries()) expect(new Set(java.map((row) => row[index + 1])).size).toBe(count)
    })

    test.each(counts)('as kafkajs and the Java producer send them, to %i partitions', async (count) => {
      const { newTopic, kafkaJs, peer, log } = world()
      const [theirs, java] = [await newTopic(count), await newTopic(count)]
      const all = keys(10_000)
      const producer = kafkaJs.producer({ allowAutoTopicCreation: false })
      await producer.connect()
      await producer.send({
        topic: theirs,
        messages: all.map((key) => ({ key: Buffer.from(key, 'latin1'), value: null })),
      })
      await producer.disconnect()
      const name = world().name('java')
      await peer.ask('open', { name, config: {} })
      await peer.ask('send', {
        name,
        topic: java,
        records: forJava(all.slice(0, 1_000).map((key) => written(key, null))),
      })
      await peer.ask('close', { name })
      for (const [topic, sent] of [
        [theirs, 10_000],
        [java, 1_000],
      ] as const) {
        const seen = await weRead(log, topic)
        expect(seen).toHaveLength(sent)
        const elsewhere = seen.filter(
          ({ key, partition }) => partitionFor(Buffer.from(key!, 'latin1'), count) !== partition,
        )
        expect(elsewhere.slice(0, 5).map(({ key, partition }) => [key!.length, partition])).toEqual([])
      }
    })
  })
}
