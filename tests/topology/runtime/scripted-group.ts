/**
 * A group of several members whose rebalances a test plays by hand, over the memory log: cooperative, with generations that
 * the log checks when offsets are committed. The members' own assignor decides.
 */

import type {
  FetchedPartition,
  GroupMetadata,
  GroupOptions,
  GroupSession,
  Log,
  ProducerSession,
  TopicPartition,
} from '../../../connectors/kafka/index.ts'
import { LogError } from '../../../connectors/kafka/index.ts'
import { override } from './harness.ts'

interface Member {
  readonly id: string
  readonly options: GroupOptions
  owned: TopicPartition[]
  generation: number
  /** Out of the group, whether it knows or not. */
  out: boolean
}

const name = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

export class ScriptedGroup {
  readonly #inner: Log
  readonly log: Log
  readonly members: Member[] = []
  #generation = 0
  #ids = 0
  #running: Promise<void> = Promise.resolve()
  /** Called inside every transactional offset commit, before it is checked. */
  onCommit: () => void = () => undefined
  /** Changes what a fetch answers. */
  onFetch: (answer: readonly FetchedPartition[]) => readonly FetchedPartition[] = (answer) => answer

  constructor(inner: Log) {
    this.#inner = inner
    this.log = override(inner, {
      fetch: async (request) => this.onFetch(await inner.fetch(request)),
      joinGroup: (options) => Promise.resolve(this.#join(options)),
      openProducer: async (options) => this.#checked(await inner.openProducer(options)),
    })
  }

  /** Another rebalance, after those that run. */
  rebalance(): Promise<void> {
    this.#running = this.#running.then(() => this.#rebalance())
    return this.#running
  }

  /** As the session timeout does: the member is out and does not know. */
  async expel(member: Member | undefined): Promise<void> {
    if (member === undefined) throw new Error('no such member')
    member.out = true
    member.owned = []
    await this.rebalance()
  }

  /** The member's next heartbeat: it hears that it is out, and joins again. */
  async tell(member: Member | undefined): Promise<void> {
    if (member === undefined) throw new Error('no such member')
    await member.options.listener.lost()
    this.members.splice(this.members.indexOf(member), 1)
    this.members.push({ ...member, out: false, generation: -1, owned: [] })
    await this.rebalance()
  }

  #join(options: GroupOptions): GroupSession {
    const id = `m${this.#ids++}`
    this.members.push({ id, options, owned: [], generation: -1, out: false })
    const current = (): Member | undefined => this.members.find((member) => member.id === id)
    setImmediate(() => void this.rebalance())
    return {
      metadata: (): GroupMetadata => {
        const generationId = current()?.generation ?? -1
        if (generationId < 0) throw new LogError('UNKNOWN_MEMBER_ID', `${id} is no member`, 'stop')
        return { groupId: options.groupId, generationId, memberId: id, groupInstanceId: null }
      },
      polled: () => undefined,
      rejoin: () => void this.rebalance(),
      leave: async () => {
        const member = current()
        if (member === undefined) return
        this.members.splice(this.members.indexOf(member), 1)
        await this.rebalance()
      },
    }
  }

  #live(): Member[] {
    return this.members.filter(({ out }) => !out)
  }

  async #rebalance(): Promise<void> {
    for (let revoking = true; revoking;) {
      const members = this.#live()
      await Promise.all(members.map(async ({ options }) => options.listener.joining?.()))
      this.#generation++
      const wanted = await this.#assign(members)
      for (const member of members) member.generation = this.#generation
      const given = await Promise.all(members.map((member) => this.#give(member, members, wanted)))
      revoking = given.some(Boolean)
    }
  }

  async #assign(members: readonly Member[]) {
    const [leader] = members
    if (leader?.options.assignor === undefined) return new Map()
    const topics = new Set(members.flatMap(({ options }) => options.topics))
    const known = await this.#inner.metadata([...topics])
    return leader.options.assignor.assign(
      members.map(({ id, owned, options }) => ({
        memberId: id,
        instanceId: null,
        topics: options.topics,
        owned,
        userData: options.userData?.() ?? Buffer.alloc(0),
      })),
      new Map(known.map((topic) => [topic.name, topic.partitions])),
    )
  }

  /** True when the member gave something up: the group comes together once more. */
  async #give(
    member: Member,
    members: readonly Member[],
    wanted: ReadonlyMap<string, { partitions: readonly TopicPartition[]; userData: Buffer }>,
  ): Promise<boolean> {
    const { partitions = [], userData = Buffer.alloc(0) } = wanted.get(member.id) ?? {}
    const target = new Set(partitions.map(name))
    const revoked = member.owned.filter((partition) => !target.has(name(partition)))
    if (revoked.length > 0) {
      await member.options.listener.revoked(revoked)
      member.owned = member.owned.filter((partition) => target.has(name(partition)))
      return true
    }
    const taken = new Set(members.flatMap(({ owned }) => owned.map(name)))
    const added = partitions.filter((partition) => !taken.has(name(partition)))
    member.owned = [...member.owned, ...added]
    await member.options.listener.assigned(added, userData)
    return false
  }

  #checked(session: ProducerSession): ProducerSession {
    return override(session, {
      sendOffsets: async (group, offsets) => {
        this.onCommit()
        const member = this.#live().find(({ id }) => id === group.memberId)
        if (member === undefined) throw new LogError('UNKNOWN_MEMBER_ID', `${group.memberId} is no member`, 'stop')
        if (member.generation !== group.generationId)
          throw new LogError('ILLEGAL_GENERATION', `generation ${group.generationId} is over`, 'stop')
        const outside = { groupId: group.groupId, generationId: -1, memberId: '', groupInstanceId: null }
        await session.sendOffsets(outside, offsets)
      },
    })
  }
}
