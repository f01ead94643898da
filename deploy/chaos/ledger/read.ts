/** Reads what the ledger's directory holds: topics as a read_committed reader sees them, positions, rows of the stores. */

import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordCursor } from '../../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { changelogTopic, repartitionTopic } from '../../../topology/index.ts'
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
  /** `<application>/<part>_<partition> <store>` */
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
  readonly deadLetters: number
  /** Next offset by `<application> <topic>-<partition>`. */
  readonly committed: ReadonlyMap<string, bigint>
  readonly stores: readonly StoreRows[]
  /** Partitions whose last stable offset is below the high watermark. */
  readonly open: readonly string[]
}

export async function readLedger(log: Log, databases: StateDatabaseSupplier): Promise<LedgerData> {
  const moved = repartitionTopic('ledger', 'groups')
  const read = (topic: string): Promise<ReadTopic> => readTopic(log, topic)
  const metadata = await log.metadata()
  const dead = metadata.filter(({ name }) => name.endsWith('.dlq'))
  return {
    entries: await read(topics.entries),
    postings: await read(topics.postings),
    moved: await read(moved),
    groups: await read(topics.groups),
    checked: await read(topics.checked),
    deadLetters: (await Promise.all(dead.map(({ name }) => read(name)))).flat(2).length,
    committed: new Map([
      ...(await committedOf(log, 'ledger', [topics.entries, moved])),
      ...(await committedOf(log, 'audit', [topics.postings])),
    ]),
    stores: await readStores(log, databases),
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

async function readStores(log: Log, databases: StateDatabaseSupplier): Promise<StoreRows[]> {
  const read: StoreRows[] = []
  for (const topology of [ledgerProgram(), auditProgram(machineClock, () => 0)]) {
    for (const { name: part, stores } of topology.subTopologies) {
      const logged = stores.filter((store) => store.logged).map(({ name }) => name)
      const known = await log.metadata(logged.map((store) => changelogTopic(topology.name, store)))
      for (let partition = 0; partition < (known[0]?.partitions ?? 0); partition++) {
        const path = `${topology.name}/${part}_${partition}`
        const database = await databases.open(path)
        for (const store of logged) {
          const topic = changelogTopic(topology.name, store)
          const [lastStableOffset = 0n] = await log.listOffsets([{ topic, partition }], 'stable')
          read.push({
            ...{ place: `${path} ${store}`, application: topology.name, store, partition, lastStableOffset },
            position: database.position(store),
            rows: new Map(
              [...database.range(store)].map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]),
            ),
            changelog: await readPartition(log, topic, partition),
          })
        }
        await database.close()
      }
    }
  }
  return read
}

/** Those whose last stable offset is below the high watermark. */
export async function openPartitions(log: Log): Promise<string[]> {
  const places = (await log.metadata()).flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const [stable, latest] = await Promise.all([log.listOffsets(places, 'stable'), log.listOffsets(places, 'latest')])
  return places.flatMap(({ topic, partition }, index) =>
    stable[index] === latest[index]
      ? []
      : [`${topic}-${partition}: stable to ${stable[index]}, written to ${latest[index]}`],
  )
}
