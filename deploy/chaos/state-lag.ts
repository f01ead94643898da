/**
 * How far local state on disk is behind the changelogs that stand for it. Read while no process holds the directory, from a
 * copy, so that the next start finds exactly what the kill left.
 *
 *  L1  A store never stands for more than its changelog holds committed.
 *  L2  A task is at most STATE_FLUSH_BYTES plus one transaction behind.
 */

import { constants } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'
import { openEmbeddedLog, RecordCursor } from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { rocksDatabases } from '../../state-stores/index.ts'
import { changelogTopic } from '../../topology/index.ts'
import { machineClock, machineRandom } from '../machine.ts'

export interface StoreLag {
  readonly store: string
  /** The next offset the store wants; null when it was never written. */
  readonly position: bigint | null
  /** End of what is committed. */
  readonly end: bigint
  /** Keys and values between the two, in bytes. */
  readonly bytesBehind: number
  /** Keys and values of the largest transaction among them, in bytes. */
  readonly largestTransactionBytes: number
}

export interface TaskLag {
  /** As its directory is called, e.g. `research/main_2`. */
  readonly task: string
  readonly stores: readonly StoreLag[]
}

/** One line per broken rule. */
export function stateLagFindings(tasks: readonly TaskLag[], flushBytes: number): string[] {
  return tasks.flatMap(({ task, stores }) => {
    const ahead = stores
      .filter(({ position, end }) => position !== null && position > end)
      .map(({ store, position, end }) => `${task}: store ${store} stands at ${position}, its changelog ends at ${end}`)
    const behind = bytesBehind(stores)
    const allowed = flushBytes + sum(stores.map((store) => store.largestTransactionBytes))
    return behind > allowed
      ? [...ahead, `${task}: ${behind} bytes behind its changelogs; at most ${allowed} are allowed`]
      : ahead
  })
}

export const bytesBehind = (stores: readonly StoreLag[]): number => sum(stores.map((store) => store.bytesBehind))

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Reads a stopped instance's directory. */
export async function measureStateLag(dataDir: string): Promise<TaskLag[]> {
  const copy = await copyOf(dataDir)
  try {
    return await measureCopy(copy)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** Copies log and state to a new directory beside them, which is the caller's to remove. */
export async function copyOf(dataDir: string): Promise<string> {
  const copy = await mkdtemp(join(dirname(dataDir), 'copy-'))
  for (const part of ['log', 'state']) {
    const from = join(dataDir, part)
    // A process that was killed in its first moments has made none.
    await mkdir(from, { recursive: true })
    await cp(from, join(copy, part), { recursive: true, mode: constants.COPYFILE_FICLONE, force: true })
  }
  return copy
}

async function measureCopy(directory: string): Promise<TaskLag[]> {
  const notice = (): void => undefined
  const log = await openEmbeddedLog({
    directory: join(directory, 'log'),
    clock: machineClock,
    random: machineRandom,
    fsync: 'never',
    fsyncIntervalMs: 1000,
    notice,
  })
  const databases = rocksDatabases({
    directory: join(directory, 'state'),
    blockCacheBytes: 1024 * 1024,
    writeBufferBytes: 1024 * 1024,
    notice,
  })
  try {
    return await taskLags(log, databases, await taskPaths(join(directory, 'state')))
  } finally {
    await databases.close()
    await log.close()
  }
}

/** `<application>/<part>_<partition>` for every task directory; none when the process never came so far. */
export async function taskPaths(directory: string): Promise<string[]> {
  const paths: string[] = []
  for (const application of await readdir(directory).catch(() => [])) {
    for (const task of await readdir(join(directory, application))) {
      if (/_\d+$/.test(task)) paths.push(`${application}/${task}`)
    }
  }
  return paths.sort()
}

/** What each task's stores have and lack. A store belongs to the task that has written it, else to the first of its partition. */
export async function taskLags(
  log: Log,
  databases: StateDatabaseSupplier,
  paths: readonly string[],
): Promise<TaskLag[]> {
  const topics = (await log.metadata()).map(({ name }) => name)
  const read = await Promise.all(paths.map((path) => positionsOf(path, topics, databases)))
  const owned = new Set<string>()
  const lags: TaskLag[] = []
  const byCertainty = [...read].sort((a, b) => writtenIn(b) - writtenIn(a))
  for (const { path, application, partition, positions } of byCertainty) {
    const stores: StoreLag[] = []
    for (const [store, position] of positions) {
      const id = `${changelogTopic(application, store)}-${partition}`
      const isElsewhere =
        position === null &&
        read.some(
          (other) =>
            other.application === application &&
            other.partition === partition &&
            (other.positions.get(store) ?? null) !== null,
        )
      if (owned.has(id) || isElsewhere) continue
      owned.add(id)
      stores.push(await storeLag(log, { topic: changelogTopic(application, store), partition }, store, position))
    }
    lags.push({ task: path, stores })
  }
  return lags.sort((a, b) => (a.task < b.task ? -1 : 1))
}

interface Positions {
  readonly path: string
  readonly application: string
  readonly partition: number
  readonly positions: ReadonlyMap<string, bigint | null>
}

const writtenIn = ({ positions }: Positions): number =>
  [...positions.values()].filter((position) => position !== null).length

async function positionsOf(
  path: string,
  topics: readonly string[],
  databases: StateDatabaseSupplier,
): Promise<Positions> {
  const [application = '', task = ''] = path.split('/')
  const partition = Number(task.slice(task.lastIndexOf('_') + 1))
  const [before, after] = changelogTopic(application, '\0').split('\0') as [string, string]
  const stores = topics
    .filter((topic) => topic.startsWith(before) && topic.endsWith(after))
    .map((topic) => topic.slice(before.length, -after.length))
  const database = await databases.open(path)
  try {
    return {
      path,
      application,
      partition,
      positions: new Map(stores.map((store) => [store, database.position(store)])),
    }
  } finally {
    await database.close()
  }
}

async function storeLag(log: Log, place: TopicPartition, store: string, position: bigint | null): Promise<StoreLag> {
  const [end = 0n] = await log.listOffsets([place], 'stable')
  const [earliest = 0n] = await log.listOffsets([place], 'earliest')
  let bytes = 0
  let inTransaction = 0
  let largest = 0
  let offset = position ?? earliest
  let last = offset
  while (offset < end) {
    const [fetched] = await log.fetch({
      partitions: [{ ...place, offset, maxBytes: 4 * 1024 * 1024 }],
      isolation: 'read_committed',
      maxWaitMs: 0,
    })
    if (fetched === undefined || fetched.error !== null || fetched.batches.length === 0) break
    const cursor = new RecordCursor(fetched, offset, 'read_committed')
    while (cursor.next()) {
      const size = Math.max(0, cursor.keyLength) + Math.max(0, cursor.valueLength)
      // A transaction ends in a marker, which takes an offset of its own.
      inTransaction = cursor.offset === last ? inTransaction + size : size
      last = cursor.offset + 1n
      largest = Math.max(largest, inTransaction)
      bytes += size
    }
    if (cursor.nextOffset === offset) break
    offset = cursor.nextOffset
  }
  return { store, position, end, bytesBehind: bytes, largestTransactionBytes: largest }
}
