/**
 * The generator: a process of its own that sends what the program makes up, through its own producer, and remembers what
 * was acknowledged (I1). Transactions may be aborted on purpose (I3).
 */

import type { Log, PartitionAppend, ProducerSession } from '../../connectors/kafka/index.ts'
import { RecordBatchBuilder, partitionFor } from '../../connectors/kafka/index.ts'
import type { Fed, Feed, FeedRecord, Program } from './program.ts'
import type { Life } from './process.ts'
import type { Chance } from './random.ts'

export interface FeederOptions {
  readonly program: Program
  readonly chance: Chance
  readonly wanted: number
  /** Mean time between bursts, in ms. */
  readonly everyMs: number
  readonly partitionsOf: (topic: string) => number
  readonly transactional: boolean
  /** Share of the transactions that are aborted. */
  readonly aborts: number
  /** Share of the transactions that stay open for a while. */
  readonly lingers: number
}

const transactionTimeoutMs = 5000
/** Mean time of that, in ms. */
const lingerMs = 500

/** What was fed in all lives of the generator. */
export class Feeder implements Feed {
  readonly fed: Fed[] = []
  readonly #options: FeederOptions
  /** Not sent yet. */
  readonly #queue: Fed[] = []
  #working = false
  #wake: (() => void) | null = null

  constructor(options: FeederOptions) {
    this.#options = options
  }

  get sent(): number {
    return this.fed.length
  }

  get isDone(): boolean {
    return this.sent >= this.#options.wanted && this.#queue.length === 0 && !this.#working
  }

  send(records: readonly FeedRecord[]): void {
    for (const record of records) {
      const fed: Fed = { record, outcome: 'waiting', ackedAt: 0 }
      this.fed.push(fed)
      this.#queue.push(fed)
    }
    this.#wake?.()
  }

  /** One life of the generator. What its last life left unanswered stays unknown. */
  run(life: Life, log: Log): void {
    for (const fed of this.fed) if (fed.outcome === 'waiting' && !this.#queue.includes(fed)) fed.outcome = 'unknown'
    this.#working = false
    this.#make(life)
    void this.#work(life, log)
  }

  #make(life: Life): void {
    const { program, chance, wanted, everyMs } = this.#options
    life.after(chance.exponential(everyMs), () => {
      if (this.sent >= wanted) return
      program.generate(this, life.now(), chance)
      this.#make(life)
    })
  }

  async #work(life: Life, log: Log): Promise<void> {
    for (let session: ProducerSession | null = null; ;) {
      if (this.#queue.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = null
        continue
      }
      session ??= await this.#open(life, log)
      if (session === null) continue
      const burst = this.#queue.splice(0, 1 + this.#options.chance.below(20))
      this.#working = true
      const ok = await this.#deliver(life, session, burst)
      this.#working = false
      if (ok) continue
      void session.close().catch(() => undefined)
      session = null
    }
  }

  async #open(life: Life, log: Log): Promise<ProducerSession | null> {
    const transactionalId = this.#options.transactional ? 'feeder' : null
    try {
      return await log.openProducer({ transactionalId, transactionTimeoutMs })
    } catch {
      await new Promise<void>((resolve) => void life.after(100, resolve))
      return null
    }
  }

  /** False when the session is of no more use. */
  async #deliver(life: Life, session: ProducerSession, burst: readonly Fed[]): Promise<boolean> {
    const { transactional, aborts, lingers, chance } = this.#options
    const abort = transactional && chance.chance(aborts)
    const settle = (outcome: Fed['outcome']): void => {
      for (const fed of burst) {
        fed.outcome = outcome
        fed.ackedAt = life.scheduler.nowMs
      }
    }
    try {
      if (transactional) session.begin()
      await session.append(this.#batches(burst))
      if (transactional && chance.chance(lingers)) await this.#linger(life)
      if (transactional) await session.end(abort ? 'abort' : 'commit')
      settle(abort ? 'aborted' : 'acked')
      return true
    } catch {
      settle('unknown')
      return false
    }
  }

  /** What was sent stays undecided for a while: readers must not pass it. */
  #linger(life: Life): Promise<void> {
    return new Promise((resolve) => void life.after(this.#options.chance.exponential(lingerMs), resolve))
  }

  #batches(burst: readonly Fed[]): PartitionAppend[] {
    const batches = new Map<string, PartitionAppend>()
    for (const { record } of burst) {
      const { topic } = record
      const key = Buffer.from(record.key)
      const partition = partitionFor(key, this.#options.partitionsOf(topic))
      const place = `${topic}-${partition}`
      let batch = batches.get(place)
      if (batch === undefined) batches.set(place, (batch = { topic, partition, records: new RecordBatchBuilder() }))
      batch.records.append(record.timestamp, key, Buffer.from(record.value))
    }
    return [...batches.values()]
  }
}
