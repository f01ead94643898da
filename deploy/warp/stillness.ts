/**
 * Whether anybody works (WP1): what the process knows by itself first, and the log, in one request for all, only when that is quiet.
 *
 * WP4  Stillness is of one moment. Between the first look and the last nobody has moved: else one that was looked at early may
 *      have got, from one that was looked at late, what it has not read yet.
 */

import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'

type Place = TopicPartition & { readonly position: bigint }

/** An application, or the sinks. */
export interface Reader {
  /** True when nothing of it is in flight, due, or known to wait. Costs nothing. */
  readonly isQuiet: boolean
  /** The next offset of each partition it reads: everything before it is done. */
  places(): readonly Place[]
}

export interface StillnessOptions {
  readonly readers: readonly Reader[]
  readonly log: Pick<Log, 'listOffsets'>
  /** True while the sandbox answers, or does something. */
  readonly practising: () => boolean
  /** True when every row of the outbox is in the log. Asks the database. */
  readonly relayed: () => Promise<boolean>
}

/** @throws what the log or the database throws */
export async function isStill({ readers, log, practising, relayed }: StillnessOptions): Promise<boolean> {
  const isQuiet = (): boolean => !practising() && readers.every((reader) => reader.isQuiet)
  const places = (): Place[] => readers.flatMap((reader) => reader.places())
  if (!isQuiet()) return false
  const before = places()
  // Before the log is asked: what has left the outbox by then is found there.
  if (!(await relayed()) || !isQuiet()) return false
  const partitions = new Map(before.map(({ topic, partition }) => [`${topic}-${partition}`, { topic, partition }]))
  const ends = await log.listOffsets([...partitions.values()], 'latest')
  const endOf = new Map([...partitions.keys()].map((name, index) => [name, ends[index] ?? 0n]))
  const haveRead = before.every(
    ({ topic, partition, position }) => position >= (endOf.get(`${topic}-${partition}`) ?? 0n),
  )
  return haveRead && isQuiet() && areSame(before, places())
}

const areSame = (before: readonly Place[], after: readonly Place[]): boolean =>
  before.length === after.length &&
  before.every(({ topic, partition, position }, index) => {
    const now = after[index]!
    return now.topic === topic && now.partition === partition && now.position === position
  })
