/**
 * The commit of one application in one worker: all its tasks, one transaction.
 *
 *   begin -> append (outputs, changelog rows, dead letters) -> offsets -> end -> rows move down in the stores
 *
 * C1  Produce, then offsets, then end; never side by side.
 * C2  Stores take rows over only after the log has committed, with the changelog positions they stand for.
 * C3  After any failure the outcome counts as unknown: the session is thrown away, tasks go back to store and log.
 */

import type {
  GroupMetadata,
  Log,
  OffsetAndMetadata,
  PartitionAppend,
  ProducerSession,
} from '../../connectors/kafka/index.ts'
import type { Collector } from './collector.ts'
import { invariant } from './invariant.ts'

export class Transaction {
  readonly #log: Log
  readonly #transactionalId: string
  readonly #timeoutMs: number
  #session: ProducerSession | null = null

  constructor(log: Log, transactionalId: string, timeoutMs: number) {
    this.#log = log
    this.#transactionalId = transactionalId
    this.#timeoutMs = timeoutMs
  }

  /** Opens the session: fences the one before and ends what it left open. */
  async open(): Promise<void> {
    this.#session = await this.#log.openProducer({
      transactionalId: this.#transactionalId,
      transactionTimeoutMs: this.#timeoutMs,
    })
  }

  /** Throws the session away (C3). */
  async discard(): Promise<void> {
    const session = this.#session
    this.#session = null
    await session?.close().catch(() => undefined)
  }

  /** @returns the next offset of every partition that was appended to, by `topic-partition` */
  async commit(
    collector: Collector,
    group: GroupMetadata,
    offsets: readonly OffsetAndMetadata[],
  ): Promise<ReadonlyMap<string, bigint>> {
    const session = this.#session
    invariant(session !== null, 'a commit needs an open producer session')
    session.begin()
    const rounds = collector.take()
    const ends = new Map<string, bigint>()
    for (const round of rounds) await append(session, round, ends)
    await session.sendOffsets(group, offsets)
    await session.end('commit')
    return ends
  }
}

async function append(
  session: ProducerSession,
  round: readonly PartitionAppend[],
  ends: Map<string, bigint>,
): Promise<void> {
  const counts = round.map(({ records }) => BigInt(records.count))
  const appended = await session.append(round)
  appended.forEach(({ topic, partition, baseOffset }, index) => {
    ends.set(`${topic}-${partition}`, baseOffset + (counts[index] ?? 0n))
  })
}
