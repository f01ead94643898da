/** What we write, read by others. */

import { describe, expect, test } from 'vitest'
import type { Isolation } from '../../connectors/kafka/index.ts'
import type { Seen, Written } from './records.ts'
import { at, batchOf, inOrder, javaReads, markersWritten, weRead, withoutNullHeaders, written } from './records.ts'
import type { World } from './world.ts'
import { kcat } from './world.ts'

/** Of each kind one: headers that repeat or are empty or no ASCII, no key, an empty one, a tombstone, an empty value, old times. */
const kinds: readonly Written[] = [
  written('plain', 'value'),
  written('headers', 'value', {
    headers: [
      ['trace', 'a1'],
      ['trace', 'a2'],
      ['empty', ''],
      ['bytes', '\u00ff\u0000\u0080'],
    ],
  }),
  written(null, 'no key'),
  written('', 'an empty key'),
  written('tombstone', null),
  written('an empty value', ''),
  written(null, null),
  written('', ''),
  written('long ago', 'value', { timestamp: 1 }),
  written('before the one before', 'value', { timestamp: 0 }),
  written('bytes \u0000\u00ff', '\u0000\u0001\u00fe\u00ff'),
]
const numbered = (what: string, count: number): Written[] =>
  Array.from({ length: count }, (_, index) => written(`${what}${index}`, `${what} ${index}`, { timestamp: at + index }))

interface Stock {
  readonly topic: string
  readonly committed: readonly Seen[]
  readonly all: readonly Seen[]
}

export function theyRead(world: () => World, noKcat: string | null): void {
  describe('they read what we write', () => {
    let stock: Promise<Stock> | null = null
    /** Plain records, then transactions: committed, aborted, committed; over two partitions. */
    const stocked = (): Promise<Stock> => (stock ??= write(world()))

    test.each(['read_committed', 'read_uncommitted'] as const)('the Java consumer, %s', async (isolation) => {
      const { topic, committed, all } = await stocked()
      const seen = await javaReads(world().peer, topic, isolation)
      expect(seen.map(withoutNullHeaders)).toEqual(isolation === 'read_committed' ? committed : all)
      expect(new Set(seen.map(({ timestampType }) => timestampType))).toEqual(new Set(['CreateTime']))
    })

    test.each(['read_committed', 'read_uncommitted'] as const)('our own, %s', async (isolation) => {
      const { topic, committed, all } = await stocked()
      expect(await weRead(world().log, topic, isolation)).toEqual(isolation === 'read_committed' ? committed : all)
    })

    test.each(['read_committed', 'read_uncommitted'] as const)('kafkajs, %s', async (isolation) => {
      const { topic, committed, all } = await stocked()
      const expected = isolation === 'read_committed' ? committed : all
      expect(await kafkaJsReads(world(), topic, isolation, expected.length)).toEqual(
        expected.map((one) => ({ ...one, headers: byName(one.headers) })),
      )
    })

    test.skipIf(noKcat !== null).each(['read_committed', 'read_uncommitted'] as const)(
      `kcat${noKcat === null ? '' : ` (${noKcat})`}, %s`,
      async (isolation) => {
        const { topic, committed, all } = await stocked()
        const expected = isolation === 'read_committed' ? committed : all
        // Its JSON is text: what is not UTF-8 is left to the others.
        expect(await kcatReads(world(), topic, isolation)).toEqual(expected.filter(isText))
      },
    )

    test("Kafka's console consumer", async () => {
      const { topic, committed } = await stocked()
      const shown = ['key', 'offset', 'partition', 'timestamp', 'headers'].flatMap((what) => [
        '--formatter-property',
        `print.${what}=true`,
      ])
      const lines = await world().peer.tool(
        'consumer.ConsoleConsumer',
        ...['--bootstrap-server', world().kafka.bootstrap, '--topic', topic, '--from-beginning'],
        ...['--isolation-level', 'read_committed', '--max-messages', String(committed.length), ...shown],
      )
      const texts = committed.filter(isText)
      for (const one of texts) expect(lines).toContain(consoleLine(one))
      expect(lines).toHaveLength(committed.length)
    })
  })
}

async function write({ log, newTopic }: World): Promise<Stock> {
  const topic = await newTopic(2)
  const next = [0, 0]
  const committed: Seen[] = []
  const all: Seen[] = []
  const placed = (partition: number, records: readonly Written[], isCommitted: boolean): void => {
    const seen = records.map((record): Seen => ({ partition, offset: next[partition]!++, ...record }))
    all.push(...seen)
    if (isCommitted) committed.push(...seen)
  }
  const plain = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  await plain.append([
    { topic, partition: 0, records: batchOf(kinds) },
    { topic, partition: 1, records: batchOf(numbered('plain', 300)) },
  ])
  placed(0, kinds, true)
  placed(1, numbered('plain', 300), true)
  const producer = await log.openProducer({ transactionalId: topic, transactionTimeoutMs: 60_000 })
  for (const [round, outcome] of (['commit', 'abort', 'abort', 'commit', 'commit'] as const).entries()) {
    producer.begin()
    for (const part of ['first', 'second'])
      for (const partition of [0, 1]) {
        const records = numbered(`${outcome} ${round} ${part} `, 3)
        await producer.append([{ topic, partition, records: batchOf(records) }])
        placed(partition, records, outcome === 'commit')
      }
    await producer.end(outcome)
    // The marker.
    for (const partition of [0, 1]) next[partition]!++
  }
  await producer.close()
  await plain.close()
  await markersWritten(log, topic)
  return { topic, committed: inOrder(committed), all: inOrder(all) }
}

const isText = ({ key, value, headers }: Seen): boolean =>
  [key, value, ...headers.map(([, bytes]) => bytes)].every((text) => text === null || /^[ -~]*$/.test(text))

/** Of a header that repeats kafkajs makes a list, so the order between different ones is lost. */
const byName = (headers: Seen['headers']): Record<string, unknown> => {
  const named: Record<string, unknown> = {}
  for (const [name, bytes] of headers) {
    const before = named[name]
    named[name] =
      before === undefined ? bytes : Array.isArray(before) ? [...(before as unknown[]), bytes] : [before, bytes]
  }
  return named
}

const latin = (bytes: Buffer | string | null | undefined): string | null =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes as Buffer).toString('latin1')

async function kafkaJsReads({ kafkaJs, name }: World, topic: string, isolation: Isolation, count: number) {
  const consumer = kafkaJs.consumer({ groupId: name('kafkajs'), readUncommitted: isolation === 'read_uncommitted' })
  const seen: (Omit<Seen, 'headers'> & { headers: Record<string, unknown> })[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const { promise, resolve } = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: ({ partition, message }) => {
      const headers = Object.entries(message.headers ?? {}).map(
        ([key, value]) => [key, Array.isArray(value) ? value.map(latin) : latin(value as Buffer)] as const,
      )
      seen.push({
        partition,
        offset: Number(message.offset),
        timestamp: Number(message.timestamp),
        key: latin(message.key),
        value: latin(message.value),
        headers: Object.fromEntries(headers),
      })
      if (seen.length >= count) resolve()
      return Promise.resolve()
    },
  })
  await Promise.race([promise, new Promise((given) => setTimeout(given, 15_000))])
  await consumer.disconnect()
  return [...seen].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

interface KcatLine {
  readonly partition: number
  readonly offset: number
  readonly ts: number
  readonly key: string | null
  readonly payload: string | null
  readonly headers?: readonly string[]
}

async function kcatReads({ kafka }: World, topic: string, isolation: Isolation): Promise<Seen[]> {
  const seen: Seen[] = []
  for (const partition of ['0', '1']) {
    const where = ['-b', kafka.bootstrap, '-t', topic, '-p', partition, '-o', 'beginning']
    const text = await kcat('-C', ...where, '-e', '-q', '-J', '-X', `isolation.level=${isolation}`)
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const { offset, ts, key, payload, headers = [] } = JSON.parse(line) as KcatLine
      const pairs = Array.from(
        { length: headers.length / 2 },
        (_, n) => [headers[2 * n]!, headers[2 * n + 1]!] as const,
      )
      seen.push({ partition: Number(partition), offset, timestamp: ts, key, value: payload, headers: pairs })
    }
  }
  return inOrder(seen.filter(isText))
}

/** As its default formatter prints a record. */
function consoleLine({ partition, offset, timestamp, key, value, headers }: Seen): string {
  const all = headers.length === 0 ? 'NO_HEADERS' : headers.map(([name, bytes]) => `${name}:${bytes}`).join(',')
  return [
    `CreateTime:${timestamp}`,
    `Partition:${partition}`,
    `Offset:${offset}`,
    all,
    key ?? 'null',
    value ?? 'null',
  ].join('\t')
}
