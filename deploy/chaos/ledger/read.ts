/** Reads what the ledger's directory holds: topics as a read_committed reader sees them, positions, rows of the stores. */

import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordCursor } from '../../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { changelogTopic, deadLetterTopic, repartitionTopic } from '../../../topology/index.ts'
import { auditProgram, ledgerProgram, topics } from './programs.ts'
import { machineClock } from '../../machine.ts'

export interface ReadRecord {
  readonly offset: bigint
  readonly timestamp: number
  readonly key: string
  /** Null is a tombstone. */
  readonly value: string | null
}

/** Of each partition its records, in order. */
export type ReadTopic = readonly (readonly ReadRecord[])[]

export interface StoreRows {
  /** `<application>/<part>_<partition> <store> of <process>` */
  readonly place: string
  readonly application: string
  readonly store: string
  readonly partition: number
  /** The next changelog offset the rows on disk do not stand for; null when nothing was ever written. */
  readonly position: bigint | null
  /** Latin-1 text of the keys and values: equal exactly when the bytes are. */
  readonly rows: ReadonlyMap<string, string>
  readonly changelog: readonly ReadRecord[]
  readonly lastStableOffset: bigint
}

export interface LedgerData {
  readonly entries: ReadTopic
  readonly postings: ReadTopic
  readonly moved: ReadTopic
  readonly groups: ReadTopic
  readonly checked: ReadTopic
  readonly passed: ReadTopic
  /** Dead letters of the entries. */
  readonly dead: ReadTopic
  /** Of other topics: none is due. */
  readonly deadElsewhere: number
  /** Next offset by `<application> <topic>-<partition>`. */
  readonly committed: ReadonlyMap<string, bigint>
  readonly stores: readonly StoreRows[]
  /** Partitions whose last stable offset is below the high watermark. */
  readonly open: readonly string[]
  /** Members and transactions of processes that are gone. */
  readonly left: readonly string[]
}

/** What a process has on its disk. */
export interface ProcessState {
  readonly name: string
  readonly databases: StateDatabaseSupplier
}

export async function readLedger(log: Log, processes: readonly ProcessState[]): Promise<Omit<LedgerData, 'left'>> {
  const moved = repartitionTopic('ledger', 'groups')
  const read = (topic: string): Promise<ReadTopic> => readTopic(log, topic)
  const metadata = await log.metadata()
  const deadEntries = deadLetterTopic(topics.entries)
  const elsewhere = metadata.filter(({ name }) => name.endsWith('.dlq') && name !== deadEntries)
  return {
    entries: await read(topics.entries),
    postings: await read(topics.postings),
    moved: await read(moved),
    groups: await read(topics.groups),
    checked: await read(topics.checked),
    passed: await read(topics.passed),
    dead: await read(deadEntries),
    deadElsewhere: (await Promise.all(elsewhere.map(({ name }) => read(name)))).flat(2).length,
    committed: new Map([
      ...(await committedOf(log, 'ledger', [topics.entries, moved])),
      ...(await committedOf(log, 'audit', [topics.postings, topics.groups])),
    ]),
    stores: await readStores(log, processes),
    open: await openPartitions(log),
  }
}

async function readTopic(log: Log, topic: string): Promise<ReadTopic> {
  const [found] = await log.metadata([topic])
  const read: ReadRecord[][] = []
  for (let partition = 0; partition < (found?.partitions ?? 0); partition++)
    read.push(await readPartition(log, topic, partition))
  return read
}

async function readPartition(log: Log, topic: string, partition: number): Promise<ReadRecord[]> {
  const place = { topic, partition }
  const [end = 0n] = await log.listOffsets([place], 'stable')
  let [offset = 0n] = await log.listOffsets([place], 'earliest')
  const records: ReadRecord[] = []
  while (offset < end) {
    const partitions = [{ ...place, offset, maxBytes: 4 * 1024 * 1024 }]
    const [fetched] = await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 0 })
    if (fetched === undefined || fetched.error !== null)
      throw new Error(`${topic}-${partition}@${offset}: ${fetched?.error ?? 'nothing fetched'}`)
    const cursor = new RecordCursor(fetched, offset, 'read_committed')
    while (cursor.next())
      records.push({
        offset: cursor.offset,
        timestamp: cursor.timestamp,
        key: cursor.key()?.toString('latin1') ?? '',
        value: cursor.value()?.toString('latin1') ?? null,
      })
    if (cursor.nextOffset === offset) throw new Error(`${topic}-${partition} has a hole at ${offset}`)
    offset = cursor.nextOffset
  }
  return records
}

async function committedOf(log: Log, group: string, names: readonly string[]): Promise<[string, bigint][]> {
  const places = (await log.metadata(names)).flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const offsets = await log.committedOffsets(group, places)
  return places.map(({ topic, partition }, index) => [`${group} ${topic}-${partition}`, offsets[index]?.offset ?? 0n])
}

async function readStores(log: Log, processes: readonly ProcessState[]): Promise<StoreRows[]> {
  const read: StoreRows[] = []
  for (const topology of [ledgerProgram(), auditProgram(machineClock, () => 0)])
    for (const { name: part, stores } of topology.subTopologies) {
      const logged = stores.filter((store) => store.logged).map(({ name }) => name)
      const known = await log.metadata(logged.map((store) => changelogTopic(topology.name, store)))
      for (let partition = 0; partition < (known[0]?.partitions ?? 0); partition++)
        for (const store of logged)
          read.push(...(await readStore(log, processes, { application: topology.name, part, store, partition })))
    }
  return read
}

interface StorePlace {
  readonly application: string
  readonly part: string
  readonly store: string
  readonly partition: number
}

/** Its changelog, and of each process the rows on its disk. */
async function readStore(log: Log, processes: readonly ProcessState[], of: StorePlace): Promise<StoreRows[]> {
  const { application, part, store, partition } = of
  const topic = changelogTopic(application, store)
  const [lastStableOffset = 0n] = await log.listOffsets([{ topic, partition }], 'stable')
  const changelog = await readPartition(log, topic, partition)
  const path = `${application}/${part}_${partition}`
  const read: StoreRows[] = []
  for (const { name, databases } of processes) {
    const database = await databases.open(path)
    const rows = new Map(
      [...database.range(store)].map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]),
    )
    const position = database.position(store)
    await database.close()
    const place = `${path} ${store} of ${name}`
    read.push({ place, application, store, partition, lastStableOffset, position, rows, changelog })
  }
  return read
}

/** Those whose last stable offset is below the high watermark. */
export async function openPartitions(log: Log): Promise<string[]> {
  // Where a group's offsets are a transaction may hang too, and nobody would get to know them.
  const all = [...(await log.metadata()), ...(await log.metadata(['__consumer_offsets']))]
  const places = all.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const [stable, latest] = await Promise.all([log.listOffsets(places, 'stable'), log.listOffsets(places, 'latest')])
  return places.flatMap(({ topic, partition }, index) =>
    stable[index] === latest[index]
      ? []
      : [`${topic}-${partition}: stable to ${stable[index]}, written to ${latest[index]}`],
  )
}
