/** An outbox in a real database, a log in memory, and relays that can be killed between any two of their steps. */

import { randomBytes } from 'node:crypto'
import { createOutbox, draft } from '../../../api/auth/index.ts'
import type { Party } from '../../../api/auth/index.ts'
import { OutboxRelay, postgresOutbox } from '../../../api/relay/index.ts'
import type { RelayOptions } from '../../../api/relay/index.ts'
import { openMemoryLog, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { inTransaction, openPool } from '../../../connectors/postgres/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { authEvents, communicationEvents } from '../../../schemas/index.ts'
import type { AnyEvent } from '../../../schemas/index.ts'

export const clock = {
  now: () => Date.now(),
  after: (delayMs: number, call: () => void) => {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
}
const random = { bytes: (length: number) => randomBytes(length) }
const topics = [authEvents.name, communicationEvents.name]
const partitions = 3

const uuid = (letter: string, n: number): string => `${letter.repeat(8)}-0000-4000-8000-${String(n).padStart(12, '0')}`
/** Organization n of tenant a or b. */
export const party = (tenant: 'a' | 'b', n: number): Party => ({
  tenantId: uuid(tenant, 0),
  organizationId: uuid(tenant, n + 1),
  userId: uuid(tenant, n + 101),
})

export async function newLog(): Promise<Log> {
  const log = openMemoryLog({ clock, random })
  await log.createTopics(topics.map((name) => ({ name, partitions, config: {} })))
  return log
}

export interface LoggedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly event: AnyEvent
  readonly timestamp: number
}

/** Everything a read_committed reader sees. */
export async function recordsIn(log: Log): Promise<LoggedRecord[]> {
  const all: LoggedRecord[] = []
  for (const topic of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      const [end] = await log.listOffsets([{ topic, partition }], 'stable')
      for (let offset = 0n; offset < end!;) {
        const fetch = { topic, partition, offset, maxBytes: 1 << 20 }
        const [fetched] = await log.fetch({ partitions: [fetch], isolation: 'read_committed', maxWaitMs: 0 })
        const cursor = new RecordCursor(fetched!, offset, 'read_committed')
        while (cursor.next()) {
          const event = JSON.parse(cursor.value()!.toString()) as AnyEvent
          const key = cursor.key()!.toString()
          all.push({ topic, partition, offset: cursor.offset, key, event, timestamp: cursor.timestamp })
        }
        offset = cursor.nextOffset
      }
    }
  }
  return all
}

export interface RowState {
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly event: AnyEvent | null
  readonly batch: string | null
  readonly sent_at: Date | null
  readonly log_partition: number | null
  readonly log_offset: string | null
  readonly failed_at: Date | null
  readonly failure: string | null
}

export interface RelayWorld extends AsyncDisposable {
  readonly owner: Pool
  readonly superuser: Pool
  readonly relayPool: Pool
  /** Writes one transaction of events; returns them as they were put. */
  put(about: Party, count: number): Promise<AnyEvent[]>
  rows(): Promise<RowState[]>
  relay(log: Log, options?: Partial<RelayOptions>): OutboxRelay
  /** Starts a relay, waits until nothing is left to send, and stops it. */
  drain(log: Log): Promise<void>
  /** Ends the session that holds the lock. */
  cutLeader(): Promise<void>
  empty(): Promise<void>
}

export async function openRelayWorld(): Promise<RelayWorld> {
  const database = await scratchDatabase()
  const owner = openPool(database.ownerUrl, { applicationName: 'test', max: 4 })
  const superuser = openPool(database.superuserUrl, { applicationName: 'test', max: 1 })
  const auth = openPool(database.urls.auth, { applicationName: 'test', max: 4 })
  const relayPool = openPool(database.urls.relay, { applicationName: 'test', max: 6 })
  let serial = 0
  const world: RelayWorld = {
    owner,
    superuser,
    relayPool,
    async put(about, count) {
      const drafts = Array.from({ length: count }, () => {
        serial++
        return serial % 3 === 0
          ? draft(communicationEvents, 'message_requested', {
              contact_id: about.userId!,
              message_id: `m${serial}`,
              purpose: 'transactional',
              template: 'verify_email',
              dedupe_key: `d${serial}`,
            })
          : draft(authEvents, 'email_verified', { user_id: `u${serial}` })
      })
      const position = await inTransaction(auth, (client) =>
        createOutbox(() => clock.now(), random).put(client, about, drafts),
      )
      const { rows } = await owner.query<{ event: AnyEvent }>(
        `select event from auth.outbox where id <= $1 and event is not null order by id desc limit $2`,
        [position.slice('outbox:'.length), count],
      )
      return rows.map(({ event }) => event).reverse()
    },
    async rows() {
      return (await owner.query<RowState>('select * from auth.outbox order by id')).rows
    },
    relay: (log, options = {}) =>
      new OutboxRelay({
        rows: postgresOutbox(relayPool),
        log,
        clock,
        encode: (_, event) => Buffer.from(JSON.stringify(event)),
        ...options,
        settings: { lockRetryMs: 20, backoffMs: { first: 5, longest: 20 }, ...options.settings },
      }),
    async drain(log) {
      const relay = world.relay(log)
      relay.start()
      await until(async () => (await world.rows()).every((row) => row.sent_at !== null || row.failed_at !== null))
      await relay.stop()
    },
    async cutLeader() {
      const { rows } = await superuser.query<{ cut: boolean }>(
        `select pg_terminate_backend(pid) as cut from pg_locks where locktype = 'advisory' and granted
           and database = (select oid from pg_database where datname = current_database())`,
      )
      if (rows.length !== 1) throw new Error(`${rows.length} relays hold the lock`)
    },
    async empty() {
      await owner.query('truncate auth.outbox')
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([owner, superuser, auth, relayPool].map((pool) => pool.end()))
      await database.drop()
    },
  }
  return world
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await holds());) {
    if (Date.now() > end) throw new Error('waited 20 s for something that did not come')
    await new Promise((soon) => setTimeout(soon, 2))
  }
}

/** A machine that dies at its n-th step, before doing it or before hearing of it; from then on nothing works. */
export class Mortal {
  readonly #dieAt: number
  readonly #when: 'before' | 'after'
  #steps = 0
  dead = false

  constructor(dieAt: number, when: 'before' | 'after') {
    this.#dieAt = dieAt
    this.#when = when
  }

  get steps(): number {
    return this.#steps
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    const fatal = ++this.#steps === this.#dieAt
    if (this.dead || (fatal && this.#when === 'before')) this.die()
    const result = await work()
    // What was sent while dying may have arrived; the answer is not heard.
    if (this.dead || fatal) this.die()
    return result
  }

  die(): never {
    this.dead = true
    throw new Error('killed')
  }
}

/** The same log, seen from a mortal machine. Its producer is not closed by dying: the log has to fence it. */
export function logOf(log: Log, mortal: Mortal): Log {
  const producerOf = (producer: ProducerSession): ProducerSession => ({
    producerId: producer.producerId,
    epoch: producer.epoch,
    begin: () => (mortal.dead ? mortal.die() : producer.begin()),
    append: (batches) => mortal.step(() => producer.append(batches)),
    sendOffsets: (group, offsets) => mortal.step(() => producer.sendOffsets(group, offsets)),
    end: (outcome) => mortal.step(() => producer.end(outcome)),
    close: () => (mortal.dead ? Promise.reject(new Error('killed')) : producer.close()),
  })
  return new Proxy(log, {
    get(target, name) {
      if (name === 'openProducer') {
        return (options: Parameters<Log['openProducer']>[0]) =>
          mortal.step(async () => producerOf(await target.openProducer(options)))
      }
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) =>
        mortal.step(() => (value as (...args: unknown[]) => Promise<unknown>).apply(target, given))
    },
  })
}

/** The same pool, seen from a mortal machine. */
export function poolOf(pool: Pool, mortal: Mortal): Pool {
  const mortalConnect = async (): Promise<unknown> => {
    if (mortal.dead) mortal.die()
    const client = await pool.connect()
    return new Proxy(client, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (name === 'query') {
          return (...given: unknown[]) =>
            mortal.step(() => (value as (...args: unknown[]) => Promise<unknown>).apply(target, given))
        }
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
  return new Proxy(pool, {
    get: (target, name) => (name === 'connect' ? mortalConnect : (Reflect.get(target, name) as unknown)),
  })
}
