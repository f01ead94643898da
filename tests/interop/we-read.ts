/** What others write, read by us: and the same as the Java consumer makes of it. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import type { Isolation } from '../../connectors/kafka/index.ts'
import { compressionOf, sizeOf } from '../../connectors/kafka/batch-format.ts'
import { compacted } from '../conformance/kafka-stage.ts'
import type { Seen, Written } from './records.ts'
import { at, batchOf, forJava, javaReads, markersWritten, weRead, withoutNullHeaders, written } from './records.ts'
import type { World } from './world.ts'
import { kcat } from './world.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const numberOf = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

const records: readonly Written[] = [
  written('plain', 'value'),
  written('headers', 'value', {
    headers: [
      ['twice', '1'],
      ['none', null],
      ['twice', '2'],
      ['empty', ''],
      ['', 'no name'],
    ],
  }),
  written('tombstone', null),
  written(null, 'no key'),
  written('', ''),
  written('long ago', 'value', { timestamp: 1 }),
  ...Array.from({ length: 400 }, (_, index) =>
    written(`key ${index}`, `what is said again and again ${index}`, { timestamp: at - index }),
  ),
  written('large', 'abcdefgh'.repeat(40_000)),
]

export function weReadThem(world: () => World, noKcat: string | null): void {
  describe('we read what they write', () => {
    /** By us as by the Java consumer; null headers, which our port does not have, are empty ones to us. */
    const same = async (topic: string, isolation: Isolation = 'read_committed'): Promise<Seen[]> => {
      const java = (await javaReads(world().peer, topic, isolation)).map(withoutNullHeaders)
      for (const maxBytes of [1 << 20, 500]) expect(await weRead(world().log, topic, isolation, maxBytes)).toEqual(java)
      return java
    }

    test.each(codecs)('the Java producer, %s, idempotent', async (codec) => {
      const { newTopic, peer, kafka } = world()
      const topic = await newTopic(1)
      const name = world().name('java')
      const config = {
        'compression.type': codec,
        'linger.ms': '100',
        'batch.size': '900000',
        'enable.idempotence': 'true',
      }
      await peer.ask('open', { name, config })
      await peer.ask('send', { name, topic, records: forJava(records, 0) })
      await peer.ask('close', { name })
      expect(await codecsOnDisk(kafka.data, topic)).toEqual(new Set([numberOf[codec]]))
      const expected = records.map((one, offset) => ({ partition: 0, offset, ...one })).map(withoutNullHeaders)
      expect(await same(topic)).toEqual(expected)
    })

    test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('kafkajs, %s', async (codec) => {
      const { newTopic, kafkaJs, kafka } = world()
      const topic = await newTopic(1)
      teachKafkaJs()
      const producer = kafkaJs.producer({ idempotent: codec === 'gzip', allowAutoTopicCreation: false })
      await producer.connect()
      const compression = numberOf[codec] as CompressionTypes
      const messages = records.map(({ timestamp, key, value, headers }) => ({
        partition: 0,
        timestamp: String(timestamp),
        key: key === null ? null : Buffer.from(key, 'latin1'),
        value: value === null ? null : Buffer.from(value, 'latin1'),
        // It takes an object: no name twice but as a list, and a null is left out.
        headers: Object.fromEntries(
          headers.filter(([, bytes]) => bytes !== null).map(([name, bytes]) => [name, bytes!]),
        ),
      }))
      await producer.send({ topic, compression, messages })
      await producer.disconnect()
      expect(await codecsOnDisk(kafka.data, topic)).toEqual(new Set([numberOf[codec]]))
      const seen = await same(topic)
      expect(seen.map(({ key, value, timestamp }) => ({ key, value, timestamp }))).toEqual(
        records.map(({ key, value, timestamp }) => ({ key, value, timestamp })),
      )
      expect(seen[1]!.headers).toEqual([
        ['twice', '2'],
        ['empty', ''],
        ['', 'no name'],
      ])
    })

    test.skipIf(noKcat !== null).each(codecs)(`kcat${noKcat === null ? '' : ` (${noKcat})`}, %s`, async (codec) => {
      const { newTopic, kafka } = world()
      const topic = await newTopic(1)
      const file = join(world().scratch, `${topic}.txt`)
      const lines = [
        'a:1',
        'empty:',
        ':no key',
        ...Array.from({ length: 400 }, (_, n) => `key ${n}:said again and again ${n}`),
      ]
      await writeFile(file, `${lines.join('\n')}\n`)
      const how = ['-K', ':', '-Z', '-H', 'twice=1', '-H', 'twice=2', '-H', 'none', '-z', codec]
      await kcat('-P', '-b', kafka.bootstrap, '-t', topic, '-p', '0', '-X', 'linger.ms=100', ...how, '-l', file)
      expect(await codecsOnDisk(kafka.data, topic)).toEqual(new Set([numberOf[codec]]))
      const seen = await same(topic)
      // -Z: what is empty is null.
      expect(seen.map(({ key, value }) => `${key ?? ''}:${value ?? ''}`)).toEqual(lines)
      expect(seen[1]!.value).toBeNull()
      expect(seen[2]!.key).toBeNull()
      expect(seen[0]!.headers).toEqual([
        ['twice', '1'],
        ['twice', '2'],
        ['none', ''],
      ])
      expect(Math.abs(seen[0]!.timestamp - Date.now())).toBeLessThan(120_000)
    })

    test('transactions of two Java producers, one in the other: committed, aborted, and one that is open', async () => {
      const { newTopic, peer, log } = world()
      const topic = await newTopic(2)
      const [one, two] = [world().name('java'), world().name('java')]
      const say = (name: string, verb: string, more: object = {}) => peer.ask(verb, { name, ...more })
      const send = (name: string, text: string) =>
        say(name, 'send', { topic, records: [0, 1].flatMap((partition) => forJava([written(null, text)], partition)) })
      for (const name of [one, two])
        await say(name, 'open', { config: { 'transactional.id': name, 'compression.type': 'lz4' } })
      await say(one, 'begin')
      await send(one, 'one commits, before')
      await say(two, 'begin')
      await send(two, 'two aborts, before')
      await send(one, 'one commits, behind')
      await say(one, 'end', { outcome: 'commit' })
      await send(two, 'two aborts, behind')
      await say(one, 'begin')
      await send(one, 'one aborts')
      await say(two, 'end', { outcome: 'abort' })
      await say(one, 'end', { outcome: 'abort' })
      await say(two, 'begin')
      await send(two, 'two commits')
      await say(two, 'end', { outcome: 'commit' })
      await markersWritten(log, topic)
      const committed = ['one commits, before', 'one commits, behind', 'two commits']
      const valuesOf = (seen: readonly Seen[]) =>
        seen.filter(({ partition }) => partition === 0).map(({ value }) => value)
      expect(valuesOf(await same(topic))).toEqual(committed)
      expect(valuesOf(await same(topic, 'read_uncommitted'))).toHaveLength(6)

      await say(one, 'begin')
      await send(one, 'one is open')
      await say(two, 'begin')
      await send(two, 'two commits behind it')
      await say(two, 'end', { outcome: 'commit' })
      expect(valuesOf(await same(topic))).toEqual(committed)
      expect(valuesOf(await same(topic, 'read_uncommitted'))).toHaveLength(8)
      // Somebody else takes its name: what it left open is aborted.
      await (await log.openProducer({ transactionalId: one, transactionTimeoutMs: 60_000 })).close()
      await markersWritten(log, topic)
      expect(valuesOf(await same(topic))).toEqual([...committed, 'two commits behind it'])
      await expect(say(one, 'end', { outcome: 'commit' })).rejects.toThrow(/Fenced|InvalidProducerEpoch/)
      for (const name of [one, two]) await say(name, 'close')
    })

    test('a transaction across a compaction', async () => {
      const { newTopic, peer, kafka, log } = world()
      const config = { 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.001' }
      const topic = await newTopic(1, config)
      const place = { topic, partition: 0 }
      const [one, two] = [world().name('java'), world().name('java')]
      const say = (name: string, verb: string, more: object = {}) => peer.ask(verb, { name, ...more })
      // Markers have the time of now: beside records of long ago each would begin a segment.
      const record = (key: string, value: string) => written(key, value, { timestamp: Date.now() })
      const send = (name: string, ...of: Written[]) => say(name, 'send', { topic, records: forJava(of, 0) })
      let seals = 0
      /** Each is larger than half a segment. */
      const seal = async (name: string): Promise<void> => {
        for (let n = 0; n < 2; n++) await send(name, record(`seal ${seals++}`, 'x'.repeat(600_000)))
      }
      for (const name of [one, two]) await say(name, 'open', { config: { 'transactional.id': name } })
      for (const [value, outcome] of [
        ['old', 'commit'],
        ['never', 'abort'],
        ['new', 'commit'],
      ] as const) {
        await say(one, 'begin')
        await send(one, record('a', value), record(`only ${value}`, value))
        if (value === 'new') await seal(one)
        await say(one, 'end', { outcome })
      }
      await say(one, 'begin')
      await say(two, 'begin')
      await send(one, record('b', 'open, before'), record('c', 'open, before'))
      await send(two, record('b', 'aborted, before'), record('d', 'aborted, before'))
      await seal(one)
      await compacted(kafka, log, place)
      await send(one, record('b', 'open, behind'))
      await send(two, record('c', 'aborted, behind'))
      await say(two, 'end', { outcome: 'abort' })
      await seal(one)
      await say(one, 'end', { outcome: 'commit' })
      await say(one, 'begin')
      await seal(one)
      await say(one, 'end', { outcome: 'commit' })
      await compacted(kafka, log, place)
      const seen = (await same(topic)).map(({ key, value }) => [key, value])
      expect(seen.filter(([key]) => !key!.startsWith('seal'))).toEqual([
        ['only old', 'old'],
        ['a', 'new'],
        ['only new', 'new'],
        ['c', 'open, before'],
        ['b', 'open, behind'],
      ])
      await same(topic, 'read_uncommitted')
      for (const name of [one, two]) await say(name, 'close')
    })

    test('times that the broker gives, LogAppendTime', async () => {
      const { newTopic, peer, log } = world()
      const topic = await newTopic(1, { 'message.timestamp.type': 'LogAppendTime' })
      const name = world().name('java')
      await peer.ask('open', { name, config: { 'compression.type': 'gzip' } })
      await peer.ask('send', {
        name,
        topic,
        records: forJava([written('a', '1'), written('b', '2', { timestamp: 5 })], 0),
      })
      await peer.ask('close', { name })
      const ours = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      await ours.append([{ topic, partition: 0, records: batchOf([written('c', '3', { timestamp: 5 })]) }])
      await ours.close()
      const seen = await same(topic)
      expect(seen.map(({ value }) => value)).toEqual(['1', '2', '3'])
      for (const { timestamp } of seen) expect(Math.abs(timestamp - Date.now())).toBeLessThan(120_000)
      expect((await javaReads(peer, topic)).map(({ timestampType }) => timestampType)).toEqual(
        Array.from({ length: 3 }, () => 'LogAppendTime'),
      )
    })

    test('records of a size at the limit', async () => {
      const { newTopic, peer, log } = world()
      const limit = 8 * 1024 * 1024
      const topic = await newTopic(1, { 'max.message.bytes': String(limit) })
      const ours = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      const append = (bytes: number) =>
        ours.append([{ topic, partition: 0, records: batchOf([written('k', 'o'.repeat(bytes))]) }])
      const overhead = batchOf([written('k', 'o'.repeat(limit - 100))]).sizeBytes - (limit - 100)
      await append(limit - overhead)
      await expect(append(limit - overhead + 1)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
      await append(1)
      const name = world().name('java')
      const large = { 'max.request.size': String(2 * limit), 'buffer.memory': String(8 * limit) }
      await peer.ask('open', { name, config: large })
      await peer.ask('send', { name, topic, records: forJava([written('k', 'j'.repeat(limit - overhead))], 0) })
      const more = { name, topic, records: forJava([written('k', 'j'.repeat(limit - overhead + 1))], 0) }
      await expect(peer.ask('send', more)).rejects.toThrow('RecordTooLarge')
      await peer.ask('close', { name })
      await ours.close()
      expect((await same(topic)).map(({ value }) => `${value![0]} ${value!.length}`)).toEqual([
        `o ${limit - overhead}`,
        'o 1',
        `j ${limit - overhead}`,
      ])
    })
  })
}

/** kafkajs brings gzip; for the others it takes what its users plug in. */
function teachKafkaJs(): void {
  const { snappy, lz4 } = compressionsAlgorithms
  const plugged = {
    [CompressionTypes.Snappy]: [snappy.compressSync, snappy.decompressSync],
    [CompressionTypes.LZ4]: [lz4.compressSync, lz4.decompressSync],
    [CompressionTypes.ZSTD]: [zstdCompressSync, zstdDecompressSync],
  } as unknown as Record<number, [(bytes: Buffer) => Buffer, (bytes: Buffer) => Buffer]>
  for (const [type, [compress, decompress]] of Object.entries(plugged))
    CompressionCodecs[Number(type) as CompressionTypes.Snappy] = () => ({
      compress: (encoder: { buffer: Buffer }) => Promise.resolve(compress(encoder.buffer)),
      decompress: (bytes: Buffer) => Promise.resolve(decompress(bytes)),
    })
}

/** How the batches of the only partition lie on the broker's disk: so that a codec that was not used is noticed. */
async function codecsOnDisk(data: string, topic: string): Promise<Set<number>> {
  const directory = join(data, `${topic}-0`)
  const found = new Set<number>()
  for (const file of (await readdir(directory)).filter((name) => name.endsWith('.log'))) {
    const bytes = await readFile(join(directory, file))
    for (let from = 0; from + 61 <= bytes.length; from += sizeOf(bytes, from)) found.add(compressionOf(bytes, from))
  }
  return found
}
