/**
 * Random lives of a group: members come, leave, die, stall, lose and repeat their requests, and their listeners are slow. At no
 * moment two of them hold a partition and could commit on it (GM1); when it is quiet again every partition has one owner.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinGroup } from '../../../../connectors/kafka/client/group-member.ts'
import { LogError } from '../../../../connectors/kafka/index.ts'
import type {
  GroupMetadata,
  GroupSession,
  RebalanceListener,
  TopicPartition,
} from '../../../../connectors/kafka/index.ts'
import { Client, GroupCluster, NO_FAULTS } from '../group-cluster.ts'
import type { Faults } from '../group-cluster.ts'
import { seeded } from '../../../../deploy/chaos/seeded.ts'

const TOPICS = new Map([
  ['a', 5],
  ['b', 3],
])
const PARTITIONS = 8
const SESSION_MS = 6_000
const REBALANCE_MS = 9_000
const LIFE_MS = 150_000
const QUIET_MS = 120_000
const MOST_MEMBERS = 5

/** Like the hand clock, with one turn of the event loop for each call: these lives have thousands. */
class QuickClock {
  #now = 1_000_000
  #number = 0
  readonly #waiting: { readonly at: number; readonly number: number; readonly call: () => void }[] = []

  now = (): number => this.#now

  after = (delayMs: number, call: () => void): (() => void) => {
    const entry = { at: this.#now + delayMs, number: this.#number++, call }
    const place = this.#waiting.findIndex(({ at }) => at > entry.at)
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, entry)
    return () => {
      const index = this.#waiting.indexOf(entry)
      if (index >= 0) this.#waiting.splice(index, 1)
    }
  }

  async advance(ms: number, look: () => void): Promise<void> {
    const until = this.#now + ms
    while (this.#waiting.length > 0 && this.#waiting[0]!.at <= until) {
      const { at, call } = this.#waiting.shift()!
      this.#now = at
      call()
      await new Promise((resolve) => setImmediate(resolve))
      look()
    }
    this.#now = until
  }
}

class Life {
  readonly clock = new QuickClock()
  readonly cluster = new GroupCluster(this.clock)
  readonly members: Player[] = []
  readonly chance: () => number
  readonly counts = new Map<string, number>()
  faults: Faults = NO_FAULTS

  constructor(seed: number) {
    this.chance = seeded(seed)
    for (const [topic, partitions] of TOPICS) this.cluster.topics.set(topic, partitions)
  }

  readonly upTo = (most: number): number => Math.floor(this.chance() * most)

  saw(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  get living(): readonly Player[] {
    return this.members.filter(({ client, left }) => client.isAlive && !left)
  }

  /** One of two must not be able to commit. */
  readonly look = (): void => {
    const owners = new Map<string, Player>()
    for (const member of this.members) {
      if (!member.client.isAlive || !this.mayCommit(member)) continue
      for (const partition of member.held) {
        const other = owners.get(partition)
        if (other !== undefined) {
          throw new Error(`GM1: ${partition} is held by ${other.name} and ${member.name}\n${this.#story()}`)
        }
        owners.set(partition, member)
      }
    }
  }

  /** The strictest reading: with what it was told last, whatever it would do now. */
  mayCommit({ metadata }: Player): boolean {
    if (metadata === null) return false
    try {
      this.cluster.coordinator.check(metadata)
      return true
    } catch (error) {
      if (error instanceof LogError) return false
      throw error
    }
  }

  #story(): string {
    return this.members.map(({ name, calls }) => `${name}: ${calls.slice(-8).join('; ')}`).join('\n')
  }

  async run(): Promise<void> {
    this.#join(null)
    this.faults = {
      lostRequest: this.chance() < 0.5 ? 0 : 0.05,
      lostAnswer: this.chance() < 0.5 ? 0 : 0.05,
      doubled: this.chance() < 0.5 ? 0 : 0.1,
      delayMs: [1, 50, 2_000][this.upTo(3)]!,
      timeoutMs: [1_000, 5_000, 20_000][this.upTo(3)]!,
    }
    const end = this.clock.now() + LIFE_MS
    while (this.clock.now() < end) {
      this.#act()
      await this.clock.advance(this.upTo(8_000), this.look)
    }
    this.faults = NO_FAULTS
    for (const { client } of this.members) client.resume(this.chance)
    // What is still under way may fence a static member: its own first join, delivered twice.
    await this.clock.advance(QUIET_MS, this.look)
    if (this.living.length === 0) this.#join(null)
    await this.clock.advance(QUIET_MS, this.look)
  }

  #act(): void {
    const one = this.living[this.upTo(this.living.length)]
    const dice = this.upTo(10)
    if (one === undefined || (dice < 3 && this.living.length < MOST_MEMBERS)) this.#join(this.#instance())
    else if (dice === 3) this.#leave(one)
    else if (dice === 4) this.#kill(one)
    else if (dice < 7) this.#stall(one)
    else if (dice === 7) one.session.rejoin()
  }

  /** Static members only one at a time for each instance. */
  #instance(): string | null {
    const instance = `i${this.upTo(4)}`
    return this.upTo(2) === 0 || this.living.some(({ instanceId }) => instanceId === instance) ? null : instance
  }

  #join(instanceId: string | null): void {
    this.saw(instanceId === null ? 'join' : 'static join')
    this.members.push(new Player(this, `m${this.members.length}`, instanceId))
  }

  #leave(one: Player): void {
    this.saw('leave')
    one.left = true
    one.held.clear()
    void one.session.leave()
  }

  #kill(one: Player): void {
    this.saw('kill')
    one.client.kill()
  }

  #stall(one: Player): void {
    this.saw('stall')
    one.client.stall()
    this.clock.after(this.upTo(3 * SESSION_MS), () => one.client.resume(this.chance))
  }
}

class Player {
  readonly name: string
  readonly instanceId: string | null
  readonly client: Client
  readonly session: GroupSession
  readonly held = new Set<string>()
  readonly calls: string[] = []
  left = false
  metadata: GroupMetadata | null = null
  readonly #life: Life

  constructor(life: Life, name: string, instanceId: string | null) {
    this.#life = life
    this.name = name
    this.instanceId = instanceId
    this.client = new Client(life.clock)
    const broker = life.cluster.through(this.client, () => life.faults, life.chance)
    this.session = joinGroup(
      { broker, clock: this.client, notice: () => undefined },
      {
        groupId: 'g',
        topics: [...TOPICS.keys()],
        instanceId,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        listener: this.#listener(),
      },
    )
  }

  #listener(): RebalanceListener {
    return {
      joining: () => this.#called('joining'),
      assigned: async (added) => {
        this.metadata = this.#asked()
        for (const name of added.map(nameOf)) this.held.add(name)
        await this.#called(`assigned ${added.map(nameOf)}`)
      },
      revoked: async (partitions) => {
        this.metadata = this.#asked()
        await this.#called(`revoked ${partitions.map(nameOf)}`)
        for (const name of partitions.map(nameOf)) this.held.delete(name)
      },
      lost: async () => {
        this.held.clear()
        await this.#called('lost')
      },
      failed: () => {
        this.left = true
      },
    }
  }

  #asked(): GroupMetadata | null {
    try {
      return this.session.metadata()
    } catch {
      return this.metadata
    }
  }

  /** Takes its time: sometimes longer than the group waits. */
  async #called(what: string): Promise<void> {
    const { chance, upTo, faults } = this.#life
    this.#life.saw(what.split(' ')[0]!)
    this.calls.push(`${this.client.now()} ${what}`)
    if (faults === NO_FAULTS || chance() < 0.3) return
    const ms = chance() < 0.1 ? upTo(2 * REBALANCE_MS) : upTo(500)
    await new Promise<void>((resolve) => this.client.after(ms, resolve))
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

test('GM1: random lives, and peace at the end', { timeout: 240_000 }, async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const life = new Life(seed)
      await life.run()
      for (const [what, times] of life.counts) seen.set(what, (seen.get(what) ?? 0) + times)
      const held = life.living.map((member) => [...member.held]).flat()
      expect(held.toSorted(), life.living.map(({ name, calls }) => `${name}: ${calls.slice(-6)}`).join('\n')).toEqual(
        [...TOPICS].flatMap(([topic, count]) => Array.from({ length: count }, (_, i) => `${topic}/${i}`)),
      )
      expect(held).toHaveLength(PARTITIONS)
      const sizes = life.living.map(({ held: mine }) => mine.size)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      for (const member of life.living)
        expect(life.mayCommit({ ...member, metadata: member.session.metadata() } as Player)).toBe(true)
    }),
    { numRuns: 100 },
  )
  for (const what of ['join', 'static join', 'leave', 'kill', 'stall', 'assigned', 'revoked', 'lost']) {
    expect(seen.get(what), what).toBeGreaterThan(20)
  }
})
