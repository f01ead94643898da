/**
 * The door for events in one process: the production ingest over this process's log, and over reservations that are reached
 * as any database is. What was fenced and taken over is noted, for the checks.
 */

import type { Command, Ingest, Reservation, Reservations, ReviewSubjects, UserPrincipal } from '../../../api/index.ts'
import { createIngest, ingestDefaults } from '../../../api/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import type { RuntimeSettings } from '../../../topology/index.ts'
import { ApiProblem } from '../../../api/index.ts'
import { reviewEvents } from '../../../schemas/index.ts'
import { reviewQueueTable } from '../../../sinks/projections/review-queue.ts'
import type { Machine } from '../program.ts'
import type { ClientAnswer, Sending } from './clients.ts'
import type { Codecs } from './codecs.ts'
import type { FirstLight } from './first-light.ts'

export class Door {
  readonly #world: FirstLight
  readonly #machine: Machine
  readonly #ingest: Ingest
  readonly #visits = new Set<Promise<void>>()

  constructor(world: FirstLight, machine: Machine, codecs: Codecs, settings: Partial<RuntimeSettings>) {
    this.#world = world
    this.#machine = machine
    const { clock, random, crash, name } = machine
    this.#ingest = createIngest({
      log: noting(machine, world),
      codec: (topic) => codecs.codec({ name: topic }),
      keyRing: codecs.keyRing,
      reservations: reservationsOf(machine, world),
      reviewSubjects: subjectsOf(machine, world),
      clock,
      time: () => clock.now(),
      random,
      crash,
      settings: {
        ...ingestDefaults,
        transactionalId: `ingest-${name}`,
        transactionTimeoutMs: settings.transactionTimeoutMs ?? 5_000,
        takeoverAfterMs: world.takeoverAfterMs,
        closeGraceMs: 1_000,
      },
    })
  }

  /** Serves what clients send now, side by side; answers go out when they are there. */
  async serve(): Promise<void> {
    const sendings = await this.#machine.outside('client', () => this.#world.clients.take())
    for (const sending of sendings) {
      const visit: Promise<void> = this.#visit(sending).finally(() => this.#visits.delete(visit))
      visit.catch(() => undefined)
      this.#visits.add(visit)
    }
  }

  async close(): Promise<void> {
    await this.#ingest.close()
    await Promise.allSettled(this.#visits)
  }

  async #visit(sending: Sending): Promise<void> {
    const answer = await this.#answer(sending)
    // An answer that does not arrive is the client's trouble, and so is one to a client that has hung up.
    await this.#machine.outside('client', () => this.#world.clients.answered(sending, answer)).catch(() => undefined)
  }

  async #answer({ request: { principal, body, key } }: Sending): Promise<ClientAnswer> {
    try {
      const isAgents = principal.kind === 'user' && principal.userType === 'agent'
      const { eventIds, positions } = isAgents
        ? await this.#ingest.command({ draft: draftOf(principal, body), request: body }, key)
        : await this.#ingest.submit(principal, body, key)
      return { eventIds, positions }
    } catch (error) {
      if (error instanceof ApiProblem) return { refused: error.status, code: error.code }
      throw error
    }
  }
}

/** The same log; notes which sessions this life has opened. */
function noting({ log, life }: Machine, world: FirstLight): Log {
  const openProducer: Log['openProducer'] = async (options) => {
    const session = await log.openProducer(options)
    world.reservations.opened(life, options.transactionalId ?? '', session)
    return session
  }
  return new Proxy(log, {
    get(target, name) {
      if (name === 'openProducer') return openProducer
      const own = Reflect.get(target, name) as unknown
      return typeof own === 'function' ? (own.bind(target) as unknown) : own
    },
  })
}

/** As the review's own door makes it: in the tenant of the review. */
function draftOf({ tenantId, organizationId, userId: id }: UserPrincipal, body: unknown): Command['draft'] {
  const { type, payload } = body as { readonly type: string; readonly payload: Command['draft']['payload'] }
  return { topic: reviewEvents, type, payload, tenantId, organizationId, actor: { type: 'human_agent', id } }
}

/** The rows of the review queue, reached as any database is. */
function subjectsOf({ outside }: Machine, { tables }: FirstLight): ReviewSubjects {
  return ({ tenantId }, reviewIds) =>
    outside('tables', () => {
      const rows = tables.rows(reviewQueueTable).filter(({ key, values }) => {
        return key['tenant_id'] === tenantId && reviewIds.includes(String(key['review_id'])) && values != null
      })
      return new Map(rows.map(({ key, values }) => [String(key['review_id']), String(values?.['subject_type'])]))
    })
}

function reservationsOf({ outside, life }: Machine, world: FirstLight): Reservations {
  const reach = <T>(work: () => T): Promise<T> => outside('reservations', work)
  const { table } = world.reservations
  return {
    reserve: (reservation: Reservation, atMs) => reach(() => world.reservations.reserve(life, reservation, atMs)),
    find: (key) => reach(() => table.findNow(key)),
    finish: (key, owner, positions) => reach(() => table.finishNow(key, owner, positions)),
    release: (key, owner) => reach(() => table.releaseNow(key, owner)),
    claim: (held, to) => reach(() => world.reservations.claim(life, held, to)),
    sweep: (beforeMs) => reach(() => table.sweepNow(beforeMs)),
  }
}
