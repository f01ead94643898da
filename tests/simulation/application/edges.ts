/** The two databases as one process reaches them: answers get lost, and a process may die at any place of a commit. */

import type { LedRows, OutboxRows } from '../../../api/relay/index.ts'
import type { CrashPoint } from '../../../connectors/kafka/index.ts'
import type { CommitOutcome, MemoryTables, SinkBatch, TablePort } from '../../../sinks/index.ts'
import type { Clock } from '../../../topology/index.ts'
import type { FirstLight } from './first-light.ts'
import type { Reach } from './providers.ts'

export function tablesOf(tables: MemoryTables, reach: Reach, crash: CrashPoint): TablePort {
  return {
    claim: async (source, firstOffset) =>
      value(await reach('tables', () => tried(() => tables.claimNow(source, firstOffset)))),
    async commit(batch) {
      crash('C20')
      crash('C21')
      crash('C22')
      const outcome = await reach('tables', () => tables.commitNow(batch)).catch((doubt: unknown) =>
        lookUp(tables, reach, batch, doubt),
      )
      crash('C23')
      return outcome
    },
    reset: async (projection) => void (await reach('tables', () => void tables.reset(projection))),
    offsets: () => reach('tables', () => tables.offsetsNow()),
    erase: async (erased, tenantId) => void (await reach('tables', () => void tables.erase(erased, tenantId))),
  }
}

/** P3, as the tables in PostgreSQL do it. */
async function lookUp(tables: MemoryTables, reach: Reach, batch: SinkBatch, doubt: unknown): Promise<CommitOutcome> {
  const { claim, from, next } = batch
  const { sink, topic, partition } = claim.source
  const offsets = await reach('tables', () => tables.offsetsNow())
  const standing = offsets.find((at) => at.sink === sink && at.topic === topic && at.partition === partition)
  if (standing?.epoch !== claim.epoch) return { kind: 'fenced' }
  if (standing.nextOffset === next) return { kind: 'committed' }
  if (standing.nextOffset === from) throw doubt
  return { kind: 'moved', nextOffset: standing.nextOffset }
}

type Tried<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/** What is refused there is an answer, not a lost request. */
function tried<T>(work: () => T): Tried<T> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return { ok: false, error }
  }
}

function value<T>(result: Tried<T>): T {
  if (result.ok) return result.value
  throw result.error
}

/** A session that is silent for so long is ended by the server, and its lock with it; in ms. */
export const silentForMs = 3_000

export class OutboxServer {
  readonly #world: FirstLight
  #seenAt = 0

  constructor(world: FirstLight) {
    this.#world = world
  }

  /** As one process reaches it. */
  of(reach: Reach, clock: Clock): OutboxRows {
    return {
      lead: async (news) => {
        const rows = await reach('outbox', () => this.#lead(clock, news))
        return rows === null ? null : this.#far(rows, reach)
      },
      placeOf: async (id) => await reach('outbox', () => this.#world.outbox.placeOf(id)),
      hasUnsent: async () => await reach('outbox', () => this.#world.outbox.hasUnsent()),
    }
  }

  #lead(clock: Clock, news: () => void): Promise<LedRows | null> {
    if (this.#world.now() - this.#seenAt > silentForMs) this.#world.outbox.cut()
    const told = (): void => {
      try {
        clock.after(1, news)
      } catch {
        // Nobody is there any more.
      }
    }
    return this.#world.outbox.lead(told).then((led) => {
      if (led !== null) this.#seenAt = this.#world.now()
      return led
    })
  }

  #far(rows: LedRows, reach: Reach): LedRows {
    const send = async <T>(statement: () => Promise<T>): Promise<T> => {
      const answer = await reach('outbox', () => {
        this.#seenAt = this.#world.now()
        return {
          answer: statement().then(
            (told) => tried(() => told),
            (error: unknown) => ({ ok: false as const, error }),
          ),
        }
      })
      return value(await answer.answer)
    }
    return {
      waiting: (limit) => send(() => rows.waiting(limit)),
      stamped: () => send(() => rows.stamped()),
      lastBatch: () => send(() => rows.lastBatch()),
      stamp: (ids, batch) => send(() => rows.stamp(ids, batch)),
      markSent: (sent, at) => send(() => rows.markSent(sent, at)),
      markSentSomewhere: (ids, at) => send(() => rows.markSentSomewhere(ids, at)),
      unstamp: (ids) => send(() => rows.unstamp(ids)),
      setAside: (id, failure, at) => send(() => rows.setAside(id, failure, at)),
      forgetSent: (before) => send(() => rows.forgetSent(before)),
      // A connection is closed whether or not the other side hears of it at once.
      release: () => void reach('outbox', () => rows.release()).catch(() => rows.release()),
    }
  }
}
