/**
 * One request, one set of events, however often and wherever it is sent (Idempotency-Key). Invariants:
 *
 * K1 The reservation, with the event ids, is durable before the first record is appended.
 * K2 A key whose end is not known is taken over in this order: fence its owner, claim the row, look in the log from the
 *    recorded offsets on; only when the events are not there are they written, under the recorded ids. The owner is a
 *    session, not a process: one that was replaced, and lives on, may hold keys under our own transactional id.
 * K3 A process that was fenced never appends what it had reserved before (G4 of group-commit.ts): K2 looks once.
 * K4 A key belongs to a tenant and to one body; another body under it is refused, whatever became of the first.
 */

import { strict as assert } from 'node:assert'
import type { Log, PlacedRecord } from '../../connectors/kafka/index.ts'
import type { Clock } from '../../topology/clock.ts'
import { ApiProblem } from '../http/problem.ts'
import { findEvents, placeText } from './find-events.ts'
import type { GroupCommit, Term } from './group-commit.ts'
import { isFencedBy, parseOwner } from './owner.ts'
import type { EndOffsets, RequestKey, Reservation, Reservations } from './reservations.ts'
import type { IngestSettings } from './settings.ts'
import { logUnavailable } from './trouble.ts'

export interface Receipt {
  readonly eventIds: readonly string[]
  /** `topic-partition@offset`, in the order of the ids. */
  readonly positions: readonly string[]
}

/** A request under its key: what it is, and its records under given event ids. */
export interface KeyedRequest extends RequestKey {
  readonly bodyHash: Buffer
  /** Kept so much longer than other keys, in ms. */
  readonly keptLongerMs?: number
  newEventIds(): readonly string[]
  encode(eventIds: readonly string[]): Promise<readonly PlacedRecord[]>
}

export interface IdempotentAppendOptions {
  readonly log: Log
  readonly commits: GroupCommit
  readonly reservations: Reservations
  /** Real time, also where business time is warped. */
  readonly clock: Clock
  readonly settings: Pick<IngestSettings, 'transactionalId' | 'transactionTimeoutMs' | 'takeoverAfterMs'>
}

interface Running {
  readonly bodyHash: Buffer
  readonly receipt: Promise<Receipt>
}

const pollMs = 25

/** @throws ApiProblem 422 `idempotency_key_reused`, 503 */
export type IdempotentAppend = (request: KeyedRequest) => Promise<Receipt>

export function idempotentAppend(options: IdempotentAppendOptions): IdempotentAppend {
  const { log, commits, reservations, clock, settings } = options
  const me = settings.transactionalId
  /** Requests of this process under way: a key that is pending, ours and not here was left by an earlier life. */
  const running = new Map<string, Running>()

  async function begin(request: KeyedRequest): Promise<Receipt> {
    const eventIds = request.newEventIds()
    // Everything that can refuse the request comes before the reservation.
    const records = await request.encode(eventIds)
    const term = await commits.term()
    const reservation = {
      ...keyOf(request),
      eventIds,
      endOffsets: await endsOf(log, records),
      owner: term.owner,
      attempt: 0,
      positions: null,
    }
    if (!(await reservations.reserve(reservation, clock.now() + (request.keptLongerMs ?? 0)))) return join(request)
    return write(reservation, records, term)
  }

  async function write(reservation: Reservation, records: readonly PlacedRecord[], term: Term): Promise<Receipt> {
    const { eventIds } = reservation
    let positions: readonly string[]
    try {
      positions = await commits.append(records, term)
    } catch (error) {
      if (!isUnknown(error)) await reservations.release(reservation, term.owner).catch(() => undefined)
      throw error
    }
    return finish(reservation, term, { eventIds, positions })
  }

  /** The events are in the log: should the note fail, a retry finds them there and gives the same answer. */
  async function finish(key: RequestKey, { owner }: Term, receipt: Receipt): Promise<Receipt> {
    await reservations.finish(key, owner, receipt.positions).catch(() => undefined)
    return receipt
  }

  /** Somebody holds the key: the answer is theirs, when they live to give it. */
  async function join(request: KeyedRequest): Promise<Receipt> {
    const takeoverAt = clock.now() + settings.takeoverAfterMs
    for (;;) {
      const held = await reservations.find(request)
      if (held === null) return begin(request)
      if (!held.bodyHash.equals(request.bodyHash)) throw keyReused()
      if (held.positions !== null) return { eventIds: held.eventIds, positions: held.positions }
      if (parseOwner(held.owner).transactionalId === me || clock.now() >= takeoverAt) {
        const receipt = await takeOver(request, held)
        if (receipt !== null) return receipt
      }
      await new Promise<void>((resolve) => clock.after(pollMs, resolve))
    }
  }

  /** K2. Null when somebody was faster. */
  async function takeOver(request: KeyedRequest, held: Reservation): Promise<Receipt | null> {
    const term = await fenceOwner(held)
    if (!(await reservations.claim(held, term.owner))) return null
    const found = await findEvents(log, held.endOffsets, held.eventIds, clock)
    if (found.size === 0) return write(held, await request.encode(held.eventIds), term)
    assert(found.size === held.eventIds.length, 'a request is one transaction: its events are there or not, together')
    return finish(held, term, { eventIds: held.eventIds, positions: held.eventIds.map((id) => found.get(id)!) })
  }

  /** @returns the term to write under, once the session that holds the key can write no more */
  async function fenceOwner({ owner: text }: Reservation): Promise<Term> {
    const term = await commits.term()
    const owner = parseOwner(text)
    if (owner.transactionalId !== me) {
      await fence(log, owner.transactionalId, settings.transactionTimeoutMs)
      return term
    }
    // Our own: we do not write for it now, else the request would be running here. Else it is of a life before this one, or
    // of one that goes on beside us: opening our session has ended it, or opening another will.
    return text === term.owner || isFencedBy(owner, parseOwner(term.owner)) ? term : commits.renew(term)
  }

  return async (request) => {
    const name = `${request.tenantId} ${request.key}`
    const other = running.get(name)
    if (other !== undefined) {
      if (!other.bodyHash.equals(request.bodyHash)) throw keyReused()
      return other.receipt
    }
    const receipt = begin(request)
    running.set(name, { bodyHash: request.bodyHash, receipt })
    try {
      return await receipt
    } finally {
      running.delete(name)
    }
  }
}

const keyOf = ({ tenantId, key, bodyHash }: KeyedRequest) => ({ tenantId, key, bodyHash })

/** Ends whatever this transactional id has open; its process learns of it at its next append. */
async function fence(log: Log, transactionalId: string, transactionTimeoutMs: number): Promise<void> {
  try {
    const session = await log.openProducer({ transactionalId, transactionTimeoutMs })
    await session.close()
  } catch {
    throw logUnavailable()
  }
}

async function endsOf(log: Log, records: readonly PlacedRecord[]): Promise<EndOffsets> {
  const partitions = new Map(
    records.map(({ topic, partition }) => [placeText({ topic, partition }), { topic, partition }]),
  )
  try {
    const offsets = await log.listOffsets([...partitions.values()], 'latest')
    return new Map([...partitions.keys()].map((place, index) => [place, offsets[index]!]))
  } catch {
    throw logUnavailable()
  }
}

const isUnknown = (error: unknown): boolean => error instanceof ApiProblem && error.code === 'outcome_unknown'

const keyReused = (): ApiProblem =>
  new ApiProblem(422, 'idempotency_key_reused', 'This Idempotency-Key was used for another request body.')
