/**
 * A running application over real files that were damaged: it is found at open or at the first read, the task closes, wipes,
 * restores from its changelogs and goes on, and no value of the damaged store is served or committed (state-stores S8, S9;
 * RS2, RS4). Outputs are compared element by element with a model.
 */

import { afterEach, describe, expect, test } from 'vitest'
import { cp, mkdtemp, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import { rocksDatabases } from '../../../state-stores/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import type { TopologyDriver } from '../../../topology/testing/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, sendBatch, t0, turnedUntil, useDrivers } from './harness.ts'
import { ledgerModel, ledgerProgram } from './ledger.ts'
import type { Entry } from './ledger.ts'

const { start } = useDrivers()

const PARTITIONS = 2
const KEYS = Array.from({ length: 60 }, (_, n) => `tenant-${n % 2 === 0 ? 'a' : 'b'}|${String(n).padStart(3, '0')}`)
const DAY = 24 * 60 * 60 * 1000

/** Whole numbers below a bound, alike in every run. */
function drawer(seed: number): (below: number) => number {
  let state = (seed + 1) * 0x9e3779b1
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) % below
  }
}

/** One application, its log, and the directory of its state. */
class World {
  readonly directory: string
  readonly clock = new HandClock(t0)
  log: Log
  readonly #suppliers: StateDatabaseSupplier[] = []
  /** Of each partition, as read at the end of the last session. */
  #outputs: readonly (readonly string[])[] = []
  sent: Entry[] = []
  notices: readonly string[] = []

  constructor(directory: string, identity: number) {
    this.directory = directory
    let counter = identity * 1_000_000
    const bytes = (length: number): Buffer => {
      const drawn = Buffer.alloc(length)
      drawn.writeUInt32BE(++counter, length - 4)
      return drawn
    }
    this.log = openMemoryLog({ clock: this.clock, random: { bytes } })
  }

  path(partition: number): string {
    return join(this.directory, `ledger/main_${partition}`)
  }

  async start(): Promise<TopologyDriver> {
    const databases = rocksDatabases({
      directory: this.directory,
      blockCacheBytes: 16 << 20,
      writeBufferBytes: 96 << 20,
      notice: () => undefined,
    })
    this.#suppliers.push(databases)
    const settings = { retryMinMs: 1, retryMaxMs: 1 }
    const options = { topologies: [ledgerProgram()], clock: this.clock, log: this.log, partitions: PARTITIONS }
    return turnedUntil(this.clock, start({ ...options, databases, settings }))
  }

  /** Entries of these keys through the application. */
  async take(driver: TopologyDriver, keys: readonly string[], value: Entry['value'] = 'add'): Promise<void> {
    const entries = keys.map((key): Entry => ({ key, value, timestamp: t0 + this.sent.length }))
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const own = entries.filter(({ key }) => partitionFor(Buffer.from(key), PARTITIONS) === partition)
      if (own.length > 0) await sendBatch(this.log, { topic: 'entries', partition }, own)
    }
    this.sent.push(...entries)
    await driver.settle()
  }

  /** Starts, takes, closes: everything is flushed, and the next open moves it from the WAL into an SST file. */
  async session(...takes: readonly (readonly [keys: readonly string[], value?: Entry['value']])[]): Promise<void> {
    const driver = await this.start()
    for (const [keys, value] of takes) await this.take(driver, keys, value)
    await this.end(driver)
  }

  async end(driver: TopologyDriver): Promise<void> {
    const records = await driver.read('ledger-out')
    this.#outputs = Array.from({ length: PARTITIONS }, (_, partition) =>
      records
        .filter((record) => record.partition === partition)
        .map(({ key, value }) => `${String(key)}=${String(value)}`),
    )
    await driver.close()
    this.notices = driver.notices
    await this.#suppliers.pop()?.close()
  }

  expectModel(): void {
    expect(this.#outputs).toEqual(ledgerModel(this.sent, PARTITIONS))
  }

  get wiped(): number {
    return this.notices.filter((line) => line.includes('wiped and restored')).length
  }

  async files(partition: number, pattern: RegExp): Promise<string[]> {
    const names = (await readdir(this.path(partition))).filter((name) => pattern.test(name)).sort()
    return names.map((name) => join(this.path(partition), name))
  }
}

const some = KEYS.filter((_, n) => n % 4 === 0)
const others = KEYS.filter((_, n) => n % 4 === 1)
const dropped = KEYS.filter((_, n) => n % 8 === 7)

type Draw = (below: number) => number

/** Each says how many tasks must have been wiped; null when that depends on the place that was hit. */
const damages: Readonly<
  Record<string, (world: World, draw: Draw, note: (what: string) => void) => Promise<number | null>>
> = {
  'a byte inside an SST data block flipped': async (world, draw, note) => {
    const partition = draw(PARTITIONS)
    const file = await anyOf(world.files(partition, /\.sst$/), draw)
    const at = draw(Math.floor((await stat(file)).size / 2))
    note(`byte ${at} of ${file}`)
    await flip(file, at)
    return 1
  },
  'an SST file deleted': async (world, draw, note) => {
    const file = await anyOf(world.files(draw(PARTITIONS), /\.sst$/), draw)
    note(file)
    await rm(file)
    return 1
  },
  'the MANIFEST deleted': async (world, draw) => {
    await rm(await anyOf(world.files(draw(PARTITIONS), /^MANIFEST/), draw))
    return 1
  },
  'CURRENT deleted': async (world, draw) => {
    await rm(join(world.path(draw(PARTITIONS)), 'CURRENT'))
    return 1
  },
  'the WAL cut at any byte': async (world, draw, note) => {
    const file = await anyOf(world.files(draw(PARTITIONS), /\.log$/), draw)
    const at = draw((await stat(file)).size + 1)
    note(`${file} at ${at}`)
    await truncate(file, at)
    return null
  },
  'an older copy of itself': async (world, draw) => {
    const partition = draw(PARTITIONS)
    await rm(world.path(partition), { recursive: true })
    await cp(`${world.path(partition)}-old`, world.path(partition), { recursive: true })
    return 0
  },
  'the directory of another task': async (world) => {
    await rename(world.path(0), `${world.path(0)}-away`)
    await rename(world.path(1), world.path(0))
    await rename(`${world.path(0)}-away`, world.path(1))
    return 2
  },
  'the directory of another log': async (world, draw) => {
    const partition = draw(PARTITIONS)
    const other = new World(`${world.directory}-other`, 2)
    // Some as long as ours, so that the position alone says nothing.
    await other.session([KEYS], [draw(2) === 0 ? KEYS : some])
    await rm(world.path(partition), { recursive: true })
    await cp(other.path(partition), world.path(partition), { recursive: true })
    return 1
  },
}

describe('forty starts on damaged files', () => {
  let world: World
  afterEach(async () => {
    await rm(world.directory, { recursive: true, force: true })
    await rm(`${world.directory}-other`, { recursive: true, force: true })
  })

  describe.each(Object.entries(damages))('%s', (_, damage) => {
    test.each([1, 2, 3, 4, 5])('seed %i', { timeout: 60_000 }, async (seed) => {
      const draw = drawer(seed)
      let hit = ''
      world = new World(await mkdtemp(join(tmpdir(), 'damage-')), 1)
      await world.session([KEYS])
      for (const partition of [0, 1])
        await cp(world.path(partition), `${world.path(partition)}-old`, { recursive: true })
      // No key is written in all sessions, so that every block of every file still has rows that count.
      await world.session([some], [dropped, 'drop'])
      await world.session([others])
      const expected = await damage(world, draw, (what) => (hit = what))
      await world.session([KEYS], [KEYS])
      if (expected !== null) expect(world.wiped, `${hit}: ${world.notices.join('\n')}`).toBe(expected)
      world.expectModel()
    })
  })
})

describe('damage that appears under a running application', () => {
  test('is met by a read, and the task goes on with what the changelog says', { timeout: 60_000 }, async () => {
    const world = new World(await mkdtemp(join(tmpdir(), 'damage-')), 1)
    await world.session([KEYS])
    const driver = await world.start()
    await world.take(driver, some.slice(0, 2))
    for (const file of await world.files(0, /\.sst$/))
      for (let at = 100; at < (await stat(file)).size / 2; at += 1000) await flip(file, at)
    await world.take(driver, KEYS)
    await world.take(driver, KEYS)
    expect(driver.notices.filter((line) => line.includes('wiped and restored'))).toHaveLength(1)
    expect(driver.worker.applications[0]?.status()).toMatchObject({ state: 'running', deadLetters: 0 })
    await world.end(driver)
    world.expectModel()
    await rm(world.directory, { recursive: true, force: true })
  })
})

describe('an older copy', () => {
  let world: World
  afterEach(() => rm(world.directory, { recursive: true, force: true }))

  const withOlderCopy = async (): Promise<void> => {
    world = new World(await mkdtemp(join(tmpdir(), 'damage-')), 1)
    await world.session([KEYS])
    await cp(world.path(0), `${world.path(0)}-old`, { recursive: true })
    await world.session([KEYS], [dropped, 'drop'])
    await rm(world.path(0), { recursive: true })
    await cp(`${world.path(0)}-old`, world.path(0), { recursive: true })
  }

  test('is caught up by the tail', { timeout: 60_000 }, async () => {
    await withOlderCopy()
    await world.session([KEYS])
    expect(world.notices.join('\n')).toContain('the tail since the last flush')
    expect(world.wiped).toBe(0)
    world.expectModel()
  })

  test('from before the changelog’s beginning is wiped (RS2)', { timeout: 60_000 }, async () => {
    await withOlderCopy()
    const where = { topic: 'ledger-sums-changelog', partition: 0 }
    const [end] = await world.log.listOffsets([where], 'latest')
    const rows = KEYS.filter((key) => partitionFor(Buffer.from(key), PARTITIONS) === 0).length
    // Everything but the last transactions is gone; they hold every key. A log lets nobody delete from a compacted topic.
    const { log } = world
    world.log = override(log, {
      listOffsets: async (partitions, which) =>
        (await log.listOffsets(partitions, which)).map((offset, index) =>
          which === 'earliest' && partitions[index]?.topic === where.topic && partitions[index].partition === 0
            ? BigInt(rows + 1)
            : offset,
        ),
    })
    expect(end).toBeGreaterThan(BigInt(2 * rows))
    await world.session([KEYS])
    expect(world.notices.join('\n')).toContain('stands at changelog offset')
    expect(world.wiped).toBe(1)
    world.expectModel()
  })

  test('from before deletions are forgotten is restored whole (RS4)', { timeout: 60_000 }, async () => {
    await withOlderCopy()
    await world.clock.turnTo(world.clock.now() + DAY + 60_001)
    await world.session([KEYS])
    expect(world.notices.join('\n')).toContain('and deletions are kept for 86400000 ms')
    expect(world.wiped).toBe(1)
    world.expectModel()
  })
})

test('a store closed for long with nothing to replay is not restored (RS4)', { timeout: 60_000 }, async () => {
  const world = new World(await mkdtemp(join(tmpdir(), 'damage-')), 1)
  await world.session([KEYS])
  await world.clock.turnTo(world.clock.now() + 30 * DAY)
  await world.session([KEYS])
  expect(world.wiped).toBe(0)
  world.expectModel()
  await rm(world.directory, { recursive: true, force: true })
})

async function anyOf(found: Promise<readonly string[]>, draw: Draw): Promise<string> {
  const files = await found
  expect(files.length).toBeGreaterThan(0)
  return files[draw(files.length)] as string
}

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const byte = Buffer.alloc(1)
    expect((await handle.read(byte, 0, 1, at)).bytesRead).toBe(1)
    byte.writeUInt8(byte.readUInt8() ^ (1 << (at % 8)))
    await handle.write(byte, 0, 1, at)
  } finally {
    await handle.close()
  }
}
