/** The API's part in a process, as far as it writes: identity's decisions, clients' events, and events that come again. */

import type { Header, Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, partitionFor } from '../../../connectors/kafka/index.ts'
import type { Clock } from '../../../topology/index.ts'
import type { Codecs } from './codecs.ts'
import type { Door } from './door.ts'
import type { FirstLight } from './first-light.ts'
import type { Command } from './people.ts'
import type { Reach } from './providers.ts'

export interface DeskOptions {
  readonly world: FirstLight
  readonly door: Door
  readonly log: Log
  readonly clock: Clock
  readonly codecs: Codecs
  readonly reach: Reach
  readonly everyMs: number
  /** There are new rows in the outbox. */
  readonly nudge: () => void
}

/** Marks a record that repeats an event which is in the log by another way. */
export const againHeader: Header = { key: 'again', value: Buffer.from('1') }

export class Desk {
  readonly #options: DeskOptions
  #producer: ProducerSession | null = null
  #stopped = false
  #cancel: () => void = () => undefined
  #turn: Promise<void> = Promise.resolve()
  #partitions = 0

  constructor(options: DeskOptions) {
    this.#options = options
  }

  start(): void {
    this.#next()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#turn
    await this.#options.door.close()
    await this.#forget()
  }

  #next(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(this.#options.everyMs, () => {
      this.#turn = this.#serve()
        .catch(() => undefined)
        .then(() => this.#next())
      // A dead process's clock takes no more timers.
      this.#turn.catch(() => undefined)
    })
  }

  async #serve(): Promise<void> {
    const { world, door, clock, reach, nudge } = this.#options
    if (await reach('identity', () => world.people.write(clock.now()))) nudge()
    await door.serve()
    const commands = await reach('people', () => world.people.take())
    if (commands.length === 0) return
    try {
      await this.#send(commands)
    } catch (error) {
      await this.#forget()
      await reach('people', () => world.people.failed(commands))
      throw error
    }
    await reach('people', () => world.people.sent(commands))
  }

  async #send(commands: readonly Command[]): Promise<void> {
    const { log, codecs } = this.#options
    await codecs.keyRing.load(commands.map(({ event }) => event.tenant_id))
    if (this.#partitions === 0) this.#partitions = (await log.metadata([commands[0]!.topic.name]))[0]?.partitions ?? 1
    this.#producer ??= await log.openProducer({ transactionalId: null, transactionTimeoutMs: 10_000 })
    const builders = new Map<string, { topic: string; partition: number; records: RecordBatchBuilder }>()
    for (const { topic, key, event } of commands) {
      const keyBytes = Buffer.from(key)
      const partition = partitionFor(keyBytes, this.#partitions)
      const place = `${topic.name}-${partition}`
      const into = builders.get(place) ?? { topic: topic.name, partition, records: new RecordBatchBuilder() }
      builders.set(place, into)
      const value = codecs.codec(topic).serialize(event, keyBytes)
      into.records.append(event.timestamp, keyBytes, value, [againHeader])
    }
    await this.#producer.append([...builders.values()])
  }

  /** What became of the last request is not known: the next one goes out under a new session. */
  async #forget(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.close().catch(() => undefined)
  }
}
