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
  CrashPoint,
  GroupMetadata,
  Log,
  OffsetAndMetadata,
  PartitionAppended,
  ProducerSession,
} from '../../connectors/kafka/index.ts'
import type { Clock } from '../clock.ts'
import type { Collector } from './collector.ts'
import { invariant } from './invariant.ts'
import type { RuntimeSettings } from './settings.ts'

export class Transaction {
  readonly #log: Log
  readonly #transactionalId: string
  readonly #timeoutMs: number
  readonly #crash: CrashPoint
  readonly #clock: Clock
  #begunAt = 0
  #endedAt = 0
  #session: ProducerSession | null = null
  #opening: Promise<void> | null = null

  constructor(
    log: Log,
    transactionalId: string,
    settings: Pick<RuntimeSettings, 'transactionTimeoutMs'>,
    clock: Clock,
    crash: CrashPoint,
  ) {
    this.#log = log
    this.#crash = crash
    this.#clock = clock
    this.#transactionalId = transactionalId
    this.#timeoutMs = settings.transactionTimeoutMs
  }

  /** True when the last transaction stood open so long that the log may have ended it. */
  get mayHaveTimedOut(): boolean {
    return this.#endedAt - this.#begunAt >= this.#timeoutMs
  }

  /** Opens the session, unless it is open: fences the one before and ends what it left open. */
  async open(): Promise<void> {
    if (this.#session !== null) return
    this.#opening ??= this.#open().finally(() => (this.#opening = null))
    await this.#opening
  }

  async #open(): Promise<void> {
    this.#crash('C18')
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
    this.#begunAt = this.#clock.now()
    try {
      return await this.#commit(collector, group, offsets)
    } finally {
      this.#endedAt = this.#clock.now()
    }
  }

  async #commit(
    collector: Collector,
    group: GroupMetadata,
    offsets: readonly OffsetAndMetadata[],
  ): Promise<ReadonlyMap<string, bigint>> {
    const session = this.#session
    invariant(session !== null, 'a commit needs an open producer session')
    const crash = this.#crash
    session.begin()
    const rounds = collector.take()
    const ends = new Map<string, bigint>()
    for (const round of rounds) {
      const counts = round.map(({ records }) => records.count)
      const appended = session.append(round)
      if (round.some(({ topic }) => isChangelog(topic))) crash('C04')
      if (round.some(({ topic }) => !isChangelog(topic))) crash('C05')
      note(await appended, counts, ends)
    }
    crash('C06')
    const sent = session.sendOffsets(group, offsets)
    crash('C07')
    await sent
    crash('C08')
    const ended = session.end('commit')
    crash('C09')
    await ended
    return ends
  }
}

const isChangelog = (topic: string): boolean => topic.endsWith('-changelog')

function note(appended: readonly PartitionAppended[], counts: readonly number[], ends: Map<string, bigint>): void {
  appended.forEach(({ topic, partition, baseOffset }, index) => {
    ends.set(`${topic}-${partition}`, baseOffset + BigInt(counts[index] ?? 0))
  })
}
