/** A group coordinator behind a network that loses, delays and doubles; each client has its own clock, which can stand still. */

import { LogError } from '../../../connectors/kafka/index.ts'
import type { Broker, TopicMetadata } from '../../../connectors/kafka/index.ts'
import { GroupCoordinator } from '../../../connectors/kafka/embedded/groups/group-coordinator.ts'
import { seededRandom } from './hand-clock.ts'

export interface TestClock {
  now(): number
  after(delayMs: number, call: () => void): () => void
}

export type GroupRequests = Pick<Broker, 'metadata' | 'joinGroup' | 'syncGroup' | 'heartbeat' | 'leaveGroup'>

/** What may happen to a request; probabilities from 0 to 1, delays in ms. */
export interface Faults {
  readonly lostRequest: number
  readonly lostAnswer: number
  readonly doubled: number
  readonly delayMs: number
  readonly timeoutMs: number
}

export const NO_FAULTS: Faults = { lostRequest: 0, lostAnswer: 0, doubled: 0, delayMs: 0, timeoutMs: 5_000 }

export class GroupCluster {
  readonly coordinator: GroupCoordinator
  readonly topics = new Map<string, number>()
  readonly notices: string[] = []

  constructor(clock: TestClock, options: { initialRebalanceDelayMs?: number; minSessionTimeoutMs?: number } = {}) {
    this.coordinator = new GroupCoordinator({
      clock,
      random: seededRandom('members'),
      notice: (line) => this.notices.push(line),
      ...options,
    })
  }

  get requests(): GroupRequests {
    return {
      metadata: async (names = [...this.topics.keys()]) =>
        names.flatMap((name): TopicMetadata[] => {
          const partitions = this.topics.get(name)
          return partitions === undefined ? [] : [{ name, topicId: name, partitions, config: {} }]
        }),
      joinGroup: (request) => this.coordinator.joinGroup(request),
      syncGroup: (request) => this.coordinator.syncGroup(request),
      heartbeat: (request) => this.coordinator.heartbeat(request),
      leaveGroup: (request) => this.coordinator.leaveGroup(request),
    }
  }

  /** The requests of one client with a network between. */
  through(client: Client, faults: () => Faults, chance: () => number): Broker {
    const send = <T>(ask: () => Promise<T>): Promise<T> => deliver(ask, client, faults(), chance)
    const { requests } = this
    const broker: GroupRequests = {
      metadata: (names) => send(() => requests.metadata(names)),
      joinGroup: (request) => send(() => requests.joinGroup(request)),
      syncGroup: (request) => send(() => requests.syncGroup(request)),
      heartbeat: (request) => send(() => requests.heartbeat(request)),
      leaveGroup: (request) => send(() => requests.leaveGroup(request)),
    }
    return broker as Broker
  }
}

/** A process: what comes due or comes in while it stands still waits, and comes all at once in any order. */
export class Client implements TestClock {
  readonly #clock: TestClock
  readonly #held: (() => void)[] = []
  #state: 'running' | 'stalled' | 'dead' = 'running'

  constructor(clock: TestClock) {
    this.#clock = clock
  }

  get network(): TestClock {
    return this.#clock
  }

  now(): number {
    return this.#clock.now()
  }

  after(delayMs: number, call: () => void): () => void {
    let cancelled = false
    const cancel = this.#clock.after(delayMs, () => this.enter(() => void (cancelled || call())))
    return () => {
      cancelled = true
      cancel()
    }
  }

  enter(call: () => void): void {
    if (this.#state === 'running') call()
    else if (this.#state === 'stalled') this.#held.push(call)
  }

  stall(): void {
    if (this.#state === 'running') this.#state = 'stalled'
  }

  resume(chance: () => number): void {
    if (this.#state !== 'stalled') return
    this.#state = 'running'
    const held = this.#held.splice(0)
    while (held.length > 0) held.splice(Math.floor(chance() * held.length), 1)[0]!()
  }

  kill(): void {
    this.#state = 'dead'
  }

  get isAlive(): boolean {
    return this.#state !== 'dead'
  }
}

function deliver<T>(ask: () => Promise<T>, client: Client, faults: Faults, chance: () => number): Promise<T> {
  const { network } = client
  const later = (call: () => void): void => void network.after(Math.floor(chance() * faults.delayMs), call)
  return new Promise<T>((resolve, reject) => {
    const lost = (): void => reject(new LogError('TIMEOUT', 'no answer', 'retry'))
    network.after(faults.timeoutMs, () => client.enter(lost))
    const answer = (call: () => void): void => {
      if (chance() >= faults.lostAnswer) later(() => client.enter(call))
    }
    const arrive = (): void =>
      void ask().then(
        (value) => answer(() => resolve(value)),
        (error: unknown) => answer(() => reject(error as Error)),
      )
    if (chance() >= faults.lostRequest) later(arrive)
    if (chance() < faults.doubled) later(() => later(() => void ask().catch(() => undefined)))
  })
}
