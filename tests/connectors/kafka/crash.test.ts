/** Stops the machine at every single operation on the disk, and looks at what the next start finds (L2-L9, L15). */

import { expect, test } from 'vitest'

import { noCrash, openEmbeddedLog } from '../../../connectors/kafka/index.ts'
import type { CrashPoint, FsyncPolicy, Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { batch, readAll } from '../../contracts/log.ts'
import { HandClock, seededRandom } from './hand-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'

const TOPIC = 'events'
const GROUP = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }
const SEGMENT_BYTES = 300
/** The record that deleteRecords takes away. */
const FIRST_OF_PARTITION_1 = 'tenant-b/q1'

interface Sent {
  readonly value: string
  readonly partitions: readonly number[]
  /** The offset that is committed with it, if any. */
  readonly offset: bigint | null
  /** What its producer knows. Open: begun, never asked to commit. Unknown: asked, no answer. */
  outcome: 'open' | 'unknown' | 'committed' | 'aborted'
}

for (const [how, fsync] of [
  ['kill', 'never'],
  ['kill', 'interval'],
  ['kill', 'always'],
  ['power', 'always'],
] as const) {
  test(`${how} at every operation, fsync ${fsync}: acknowledged is there, transactions are whole, aborted is never seen`, async () => {
    let crashAt = 0
    for (let finished = false; !finished; crashAt++) {
      const disk = new SimulatedDisk()
      disk.crashAt = crashAt
      const sent: Sent[] = []
      finished = await workUntilCrash(disk, fsync, sent)
      const pick = picker(crashAt)
      disk.restart(how, pick)
      // The start after it may be cut short as well.
      disk.crashAt = pick(12)
      await openOn(disk, fsync)
        .then((log) => log.close())
        .catch((error: unknown) => expect(disk.crashed, String(error)).toBe(true))
      disk.restart(how, pick)
      const found = await check(disk, fsync, sent)
      if (fsync !== 'always') continue
      // What readers have seen stays, and what is acknowledged now, also when the power fails (L12, L13).
      const acknowledged = crashAt % 2 === 0 ? [] : await appendOnce(disk, fsync)
      disk.restart('power', pick)
      const later = await look(disk, fsync)
      expect(later.start).toEqual(found.start)
      expect(later.committed).toBe(found.committed)
      expect(later.seen).toEqual(found.seen.map((values) => [...values, ...acknowledged]))
    }
    expect(crashAt).toBeGreaterThan(60)
  })
}

for (const point of ['C26', 'C27', 'C28', 'C30'] as const) {
  test.each(['kill', 'power'] as const)(`%s at every pass of ${point}`, async (how) => {
    let passes = 0
    for (let finished = false; !finished; passes++) {
      const [disk, sent] = [new SimulatedDisk(), [] as Sent[]]
      let left = passes
      finished = await workUntilCrash(disk, 'always', sent, (name) => {
        if (name === point && left-- === 0) disk.stop()
      })
      disk.restart(how, picker(passes))
      await check(disk, 'always', sent)
    }
    expect(passes).toBeGreaterThan(3)
  })
}

const openOn = (disk: SimulatedDisk, fsync: FsyncPolicy, crash: CrashPoint = noCrash): Promise<Log> =>
  openEmbeddedLog({
    directory: '/log',
    clock: new HandClock(),
    random: seededRandom('crash'),
    fsync,
    fsyncIntervalMs: 10,
    segmentBytes: SEGMENT_BYTES,
    tailBytes: 0,
    checkpointBytes: 500,
    notice: () => {},
    files: disk.mount(),
    crash,
  })

/** True when all of it was done before the crash point. */
async function workUntilCrash(
  disk: SimulatedDisk,
  fsync: FsyncPolicy,
  sent: Sent[],
  crash?: CrashPoint,
): Promise<boolean> {
  try {
    await work(await openOn(disk, fsync, crash), sent)
    return !disk.crashed
  } catch (error) {
    if (!disk.crashed) throw error
    return false
  }
}

async function work(log: Log, sent: Sent[]): Promise<void> {
  const open = (transactionalId: string | null) => log.openProducer({ transactionalId, transactionTimeoutMs: 60_000 })
  await log.createTopics([{ name: TOPIC, partitions: 2, config: {} }])
  const [plain, p, q] = [await open(null), await open('p'), await open('q')]
  await sendPlain(plain, sent, 'tenant-a/1', 0)
  const early = await write(q, sent, 'tenant-b/q1', null)
  await end(p, await write(p, sent, 'tenant-a/p1', 10n), 'commit')
  await sendPlain(plain, sent, 'tenant-b/2', 1)
  await end(p, await write(p, sent, 'tenant-a/p2', 11n), 'abort')
  await Promise.all([
    end(q, early, 'commit'),
    write(p, sent, 'tenant-a/p3', 20n).then((entry) => end(p, entry, 'commit')),
    sendPlain(plain, sent, 'tenant-a/3', 0),
  ])
  await write(p, sent, 'tenant-a/left', 99n)
  const next = await open('p')
  await end(next, await write(next, sent, 'tenant-a/p4', 30n), 'commit')
  // Makes the state log grow while the markers of p4 are written and not synced.
  for (let i = 0; i < 8; i++) await open(`other-${i}`)
  await write(q, sent, 'tenant-b/left', null)
  await log.deleteRecords([{ topic: TOPIC, partition: 1, offset: 1n }])
  await sendPlain(plain, sent, 'tenant-b/4', 1)
}

/** What was appended to each partition, by a log that is not closed. */
async function appendOnce(disk: SimulatedDisk, fsync: FsyncPolicy): Promise<readonly string[]> {
  const log = await openOn(disk, fsync)
  if ((await log.metadata([TOPIC])).length === 0) return []
  const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  await producer.append([0, 1].map((partition) => ({ topic: TOPIC, partition, records: batch('later') })))
  return ['later']
}

async function sendPlain(producer: ProducerSession, sent: Sent[], value: string, partition: number): Promise<void> {
  const entry: Sent = { value, partitions: [partition], offset: null, outcome: 'unknown' }
  sent.push(entry)
  await producer.append([{ topic: TOPIC, partition, records: batch(value) }])
  entry.outcome = 'committed'
}

async function write(producer: ProducerSession, sent: Sent[], value: string, offset: bigint | null): Promise<Sent> {
  const entry: Sent = { value, partitions: [0, 1], offset, outcome: 'open' }
  sent.push(entry)
  producer.begin()
  await producer.append([0, 1].map((partition) => ({ topic: TOPIC, partition, records: batch(value) })))
  if (offset !== null) await producer.sendOffsets(GROUP, [{ topic: TOPIC, partition: 0, offset, metadata: value }])
  return entry
}

async function end(producer: ProducerSession, entry: Sent, outcome: 'commit' | 'abort'): Promise<void> {
  if (outcome === 'commit') entry.outcome = 'unknown'
  await producer.end(outcome)
  entry.outcome = outcome === 'commit' ? 'committed' : 'aborted'
}

async function check(disk: SimulatedDisk, fsync: FsyncPolicy, sent: readonly Sent[]): Promise<Found> {
  const found = await look(disk, fsync)
  for (const { value, partitions, outcome } of sent) {
    const count = partitions.filter((partition) => found.seen[partition]!.includes(value)).length
    const deleted = value === FIRST_OF_PARTITION_1 && found.start[1]! > 0n ? 1 : 0
    const whole = partitions.length - deleted
    const allowed = outcome === 'committed' ? [whole] : outcome === 'unknown' ? [0, whole] : [0]
    expect(allowed, `${value} is ${outcome}`).toContain(count)
  }
  for (const values of found.seen) expect(new Set(values).size).toBe(values.length)
  // The offset is part of its transaction: it is the last one whose records are there.
  const last = sent.findLast(({ value, offset }) => offset !== null && found.seen[0]!.includes(value))
  expect(found.committed).toBe(last?.offset ?? null)
  // Nothing changes by looking again.
  expect(await look(disk, fsync)).toEqual(found)
  return found
}

interface Found {
  readonly seen: readonly (readonly string[])[]
  readonly start: readonly bigint[]
  readonly committed: bigint | null
}

/** Not closed, so that only what was synced before is safe. */
async function look(disk: SimulatedDisk, fsync: FsyncPolicy): Promise<Found> {
  const log = await openOn(disk, fsync)
  const known = await log.metadata([TOPIC])
  if (known.length === 0) return { seen: [[], []], start: [0n, 0n], committed: null }
  const partitions = [0, 1].map((partition) => ({ topic: TOPIC, partition }))
  expect(await log.listOffsets(partitions, 'stable')).toEqual(await log.listOffsets(partitions, 'latest'))
  const start = [...(await log.listOffsets(partitions, 'earliest'))]
  const seen = await Promise.all(
    partitions.map(async (where, i) =>
      (await readAll(log, where, 'read_committed', start[i])).map(({ value }) => value!),
    ),
  )
  const [offset] = await log.committedOffsets('g', [{ topic: TOPIC, partition: 0 }])
  return { seen, start, committed: offset?.offset ?? null }
}

/** Repeatable choices. */
function picker(seed: number): (below: number) => number {
  const random = seededRandom(`pick-${seed}`)
  return (below) => random.bytes(4).readUInt32BE() % below
}
