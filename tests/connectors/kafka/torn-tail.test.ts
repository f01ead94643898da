/**
 * Each of the log's own kinds of file cut at every byte of its last 20 records (I17, L1-L4): what is recovered is a prefix of
 * what was appended, nothing is invented, the cut says so in one line, and work goes on.
 */

import { beforeAll, describe, expect, test } from 'vitest'

import { openEmbeddedLog } from '../../../connectors/kafka/index.ts'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { batch, readAll } from '../../contracts/log.ts'
import { HandClock, seededRandom } from './hand-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'

const TOPIC = 'events'
const WHERE = { topic: TOPIC, partition: 0 }
const GROUP = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }
const TRANSACTIONS = 32
const RECORDS = 20

/** Every fourth transaction is aborted. */
const commits = (n: number): boolean => n % 4 !== 3
const valueOf = (n: number): string => `tenant-${n % 2 === 0 ? 'a' : 'b'}/${n}`

interface Written {
  readonly disk: SimulatedDisk
  /** Of the data partition: every record, and those of committed transactions. */
  readonly all: readonly string[]
  readonly committed: readonly string[]
  /** Offsets that were committed, in order. */
  readonly offsets: readonly bigint[]
  readonly producerId: bigint
  readonly epoch: number
}

let written: Written

beforeAll(async () => {
  const disk = new SimulatedDisk()
  const log = await open(disk)
  await log.createTopics([{ name: TOPIC, partitions: 1, config: {} }])
  const producer = await transactional(log)
  const numbers = Array.from({ length: TRANSACTIONS }, (_, n) => n)
  for (const n of numbers) await transact(producer, n)
  const { producerId, epoch } = producer
  await log.close()
  written = {
    disk,
    all: numbers.map(valueOf),
    committed: numbers.filter(commits).map(valueOf),
    offsets: numbers.filter(commits).map((n) => BigInt(n + 1)),
    producerId,
    epoch,
  }
})

async function transact(producer: ProducerSession, n: number): Promise<void> {
  producer.begin()
  await producer.append([{ ...WHERE, records: batch(valueOf(n)) }])
  await producer.sendOffsets(GROUP, [{ ...WHERE, offset: BigInt(n + 1), metadata: `of ${n}` }])
  await producer.end(commits(n) ? 'commit' : 'abort')
}

interface Found {
  readonly log: Log
  readonly seen: readonly (string | null)[]
  readonly readable: readonly (string | null)[]
  readonly offset: bigint
}

/** Cuts a topic's file everywhere in its last records, and looks at what the next start finds. */
async function cutEverywhere(topic: string, check: (found: Found, whole: boolean) => Promise<void>): Promise<number> {
  const path = written.disk.paths().filter((name) => name.startsWith(`/log/${topic}-0/`)).at(-1) as string // prettier-ignore
  const bytes = written.disk.bytesOf(path)
  const ends = batchEnds(bytes)
  expect(ends.length).toBeGreaterThan(RECORDS)
  for (let length = ends.at(-1 - RECORDS) as number; length <= bytes.length; length++) {
    const torn = written.disk.copy()
    torn.replace(path, bytes.subarray(0, length))
    const notices: string[] = []
    const log = await open(torn, (line) => notices.push(line))
    const cut = notices.filter((line) => line.includes('torn tail'))
    expect(cut, `cut at ${length}`).toHaveLength(ends.includes(length) ? 0 : 1)
    expect(cut.every((line) => line.startsWith(`${topic}-0: cut `))).toBe(true)
    await check(await look(log), length === bytes.length)
    await goesOn(log)
    await log.close()
  }
  return bytes.length - (ends.at(-1 - RECORDS) as number)
}

async function look(log: Log): Promise<Found> {
  const values = async (isolation: 'read_committed' | 'read_uncommitted'): Promise<readonly (string | null)[]> =>
    (await readAll(log, WHERE, isolation, 0n)).map(({ value }) => value)
  const [committed] = await log.committedOffsets('g', [WHERE])
  const offset = committed?.offset ?? 0n
  // Offset and metadata were appended together.
  if (committed != null) expect(committed.metadata).toBe(`of ${offset - 1n}`)
  return { log, seen: await values('read_uncommitted'), readable: await values('read_committed'), offset }
}

/** The next owner of the transactional id commits, and is read: no transaction hangs (I8). */
async function goesOn(log: Log): Promise<void> {
  const producer = await transactional(log)
  producer.begin()
  await producer.append([{ ...WHERE, records: batch('next') }])
  await producer.end('commit')
  expect((await readAll(log, WHERE, 'read_committed', 0n)).at(-1)?.value).toBe('next')
  const [latest] = await log.listOffsets([WHERE], 'latest')
  expect(await log.listOffsets([WHERE], 'stable')).toEqual([latest])
}

const isPrefix = (part: readonly unknown[], whole: readonly unknown[]): void =>
  expect(part).toEqual(whole.slice(0, part.length))

describe('cut at every byte of its last 20 records', () => {
  test('a data partition: a prefix of all, and of what was committed', { timeout: 120_000 }, async () => {
    const cuts = await cutEverywhere(TOPIC, async ({ seen, readable, offset }, whole) => {
      isPrefix(seen, written.all)
      isPrefix(readable, written.committed)
      // The offsets stand in a file that is whole.
      expect(offset).toBe(written.offsets.at(-1))
      if (whole) expect([seen, readable]).toEqual([written.all, written.committed])
    })
    expect(cuts).toBeGreaterThan(RECORDS * 60)
  })

  test(
    '__consumer_offsets: an offset that was committed, never one of an aborted transaction',
    { timeout: 120_000 },
    async () => {
      let last = -1n
      const cuts = await cutEverywhere('__consumer_offsets', async ({ seen, readable, offset }, whole) => {
        expect([seen, readable]).toEqual([written.all, written.committed])
        expect([0n, ...written.offsets]).toContain(offset)
        expect(offset).toBeGreaterThanOrEqual(last)
        last = offset
        if (whole) expect(offset).toBe(written.offsets.at(-1))
      })
      expect(cuts).toBeGreaterThan(RECORDS * 60)
    },
  )

  test(
    '__transaction_state: no record comes or goes, and the next owner of the id works',
    { timeout: 120_000 },
    async () => {
      const cuts = await cutEverywhere('__transaction_state', async ({ log, seen, readable }, whole) => {
        expect([seen, readable]).toEqual([written.all, written.committed])
        const next = await transactional(log)
        expect(next.producerId).toBeGreaterThanOrEqual(written.producerId)
        if (whole) expect([next.producerId, next.epoch > written.epoch]).toEqual([written.producerId, true])
      })
      expect(cuts).toBeGreaterThan(RECORDS * 60)
    },
  )
})

const open = (disk: SimulatedDisk, notice: (line: string) => void = () => {}): Promise<Log> =>
  openEmbeddedLog({
    directory: '/log',
    clock: new HandClock(),
    random: seededRandom('torn'),
    fsync: 'interval',
    fsyncIntervalMs: 100,
    notice,
    files: disk.mount(),
  })

const transactional = (log: Log): Promise<ProducerSession> =>
  log.openProducer({ transactionalId: 'p', transactionTimeoutMs: 60_000 })

function batchEnds(bytes: Buffer): number[] {
  const ends: number[] = []
  for (let at = 0; at < bytes.length; ends.push(at)) at += 12 + bytes.readInt32BE(at + 8)
  return ends
}
