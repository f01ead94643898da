import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AssignorMember, MemberAssignment, TopicPartition } from '../../../connectors/kafka/index.ts'
import type { Topology } from '../../../topology/index.ts'
import type { HeldTask, MemberData } from '../../../topology/runtime/task-assignment-data.ts'
import {
  decodeMemberData,
  decodeStandbys,
  encodeMemberData,
  encodeStandbys,
} from '../../../topology/runtime/task-assignment-data.ts'
import { taskAssignor, tasksOf } from '../../../topology/runtime/task-assignor.ts'

interface Shape {
  readonly parts: readonly { readonly stateful: boolean; readonly topics: readonly number[] }[]
}

/** A topology of these parts; each reads as many topics as given, with those partition counts. */
function programOf({ parts }: Shape): { topology: Topology; counts: Map<string, number>; topics: string[] } {
  const counts = new Map<string, number>()
  const subTopologies = parts.map(({ stateful, topics }, index) => ({
    name: `part${index}`,
    nodes: [],
    stores: stateful ? [{ name: `store${index}`, kind: 'state', logged: true }] : [],
    sources: topics.map((partitions, n) => {
      counts.set(`topic${index}-${n}`, partitions)
      return { kind: 'source', name: `source${index}-${n}`, topic: `topic${index}-${n}` }
    }),
  }))
  const topology = { name: 'app', nodes: [], stores: [], repartitions: [], partNames: new Map(), subTopologies }
  return { topology: topology as unknown as Topology, counts, topics: [...counts.keys()] }
}

interface Worker {
  readonly id: string
  readonly process: string
  owned: readonly TopicPartition[]
  held: readonly HeldTask[]
}

const end = 1_000_000n

/** A group whose members do at once what they are told: what is assigned is held, a standby has caught up. */
class Group {
  readonly program
  readonly #replicas: number
  readonly workers: Worker[] = []
  /** How far a standby gets until the next rebalance. */
  reached = end

  constructor(shape: Shape, replicas = 0) {
    this.program = programOf(shape)
    this.#replicas = replicas
  }

  get tasks() {
    return tasksOf(this.program.topology, this.program.counts)
  }

  join(id: string, process = id): void {
    this.workers.push({ id, process, owned: [], held: [] })
  }

  leave(id: string): void {
    this.workers.splice(this.workers.findIndex((worker) => worker.id === id), 1) // prettier-ignore
  }

  assign(): ReadonlyMap<string, MemberAssignment> {
    const options = { topology: this.program.topology, standbyReplicas: this.#replicas, acceptableRecoveryLag: 10_000 }
    const members: AssignorMember[] = this.workers.map(({ id, process, owned, held }) => ({
      memberId: id,
      instanceId: null,
      topics: this.program.topics,
      owned,
      userData: encodeMemberData({ processId: process, held }),
    }))
    return taskAssignor(options).assign(members, this.program.counts)
  }

  /** Assigns once and does it. Returns the active tasks of each member. */
  step(): Map<string, string[]> {
    const assignment = this.assign()
    const active = new Map<string, string[]>()
    for (const worker of this.workers) {
      const given = assignment.get(worker.id)
      const tasks = this.activeOf(given)
      active.set(worker.id, tasks.map(({ id }) => id)) // prettier-ignore
      worker.owned = given?.partitions ?? []
      const standbys = decodeStandbys(given?.userData ?? Buffer.alloc(0)) ?? []
      const left = worker.held.filter(
        ({ part, partition }) => !tasks.some((task) => task.part === part && task.partition === partition),
      )
      worker.held = [
        ...left.map((held): HeldTask => ({ ...held, role: 'left' })).filter(({ part, partition }) => !standbys.some((one) => one.part === part && one.partition === partition)), // prettier-ignore
        ...tasks.map(({ part, partition }): HeldTask => ({ part, partition, role: 'active', position: end })),
        ...standbys.map(({ part, partition }): HeldTask => ({ part, partition, role: 'standby', position: this.reached })), // prettier-ignore
      ]
    }
    return active
  }

  settle(): Map<string, string[]> {
    for (let rounds = 0; rounds < 200; rounds++) {
      const before = this.printed()
      const active = this.step()
      if (this.printed() === before) return active
    }
    throw new Error('the group does not come to rest')
  }

  printed(): string {
    const lines = [...this.assign()].map(([member, { partitions, userData }]) => [
      member,
      partitions,
      userData.toString('hex'),
    ])
    return JSON.stringify(lines)
  }

  activeOf(given: MemberAssignment | undefined) {
    const names = new Set(given?.partitions.map(({ topic, partition }) => `${topic}-${partition}`))
    return this.tasks.filter(({ inputs }) => inputs.some(({ topic, partition }) => names.has(`${topic}-${partition}`)))
  }
}

const shapes = fc.record({
  parts: fc.array(
    fc.record({ stateful: fc.boolean(), topics: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }) }), // prettier-ignore
    { minLength: 1, maxLength: 4 },
  ),
})
const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts)

function ownersOf(active: ReadonlyMap<string, readonly string[]>): Map<string, string> {
  return new Map([...active].flatMap(([member, tasks]) => tasks.map((task) => [task, member] as const)))
}

const movedBetween = (before: Map<string, string>, after: Map<string, string>): string[] =>
  [...after].filter(([task, member]) => before.get(task) !== member).map(([task]) => task)

describe('sharing out tasks', () => {
  test('every task has exactly one active member, its inputs together (TA1)', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 6 }), (shape, workers) => {
        const group = new Group(shape)
        for (let n = 0; n < workers; n++) group.join(`w${n}`)
        const assignment = group.assign()
        const partitions = [...assignment.values()].flatMap(({ partitions: list }) => list.map(({ topic, partition }) => `${topic}-${partition}`)) // prettier-ignore
        const all = group.tasks.flatMap(({ inputs }) => inputs.map(({ topic, partition }) => `${topic}-${partition}`))
        expect(partitions.sort()).toEqual(all.sort())
        for (const { id, inputs } of group.tasks) {
          const holders = [...assignment.values()].filter((given) => group.activeOf(given).some((task) => task.id === id)) // prettier-ignore
          expect(holders).toHaveLength(1)
          expect(inputs.length).toBeGreaterThan(0)
        }
      }),
    )
  })

  test('tasks with state and tasks without are each spread to within one (TA2)', () => {
    fc.assert(
      fc.property(shapes, fc.array(fc.constantFrom('join', 'leave'), { maxLength: 6 }), (shape, changes) => {
        const group = new Group(shape)
        group.join('w0')
        let joined = 1
        let active = group.settle()
        for (const change of changes) {
          if (change === 'join') group.join(`w${joined++}`)
          else if (group.workers.length > 1) group.leave(group.workers[0]?.id ?? '')
          active = group.settle()
        }
        const stateful = new Set(group.tasks.filter((task) => task.stateful).map(({ id }) => id))
        const counts = [...active.values()].map((tasks) => tasks.filter((task) => stateful.has(task)).length)
        expect(spread(counts)).toBeLessThanOrEqual(1)
        expect(spread([...active.values()].map((tasks, index) => tasks.length - (counts[index] ?? 0)))).toBeLessThanOrEqual(1) // prettier-ignore
        expect(spread([...active.values()].map((tasks) => tasks.length))).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('nothing moves when nothing changed (TA3)', () => {
    fc.assert(
      fc.property(
        shapes,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 2 }),
        (shape, workers, replicas) => {
          const group = new Group(shape, replicas)
          for (let n = 0; n < workers; n++) group.join(`w${n}`, `p${n >> 1}`)
          group.settle()
          const first = [...group.assign()].map(([member, { partitions, userData }]) => [member, partitions, userData.toString('hex')]) // prettier-ignore
          group.step()
          const second = [...group.assign()].map(([member, { partitions, userData }]) => [member, partitions, userData.toString('hex')]) // prettier-ignore
          expect(second).toEqual(first)
        },
      ),
    )
  })

  test('when a member joins, tasks with state move only to it, and no more than its share (TA3)', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 5 }), (shape, workers) => {
        const group = new Group({ parts: shape.parts.map((part) => ({ ...part, stateful: true })) })
        for (let n = 0; n < workers; n++) group.join(`w${n}`)
        const before = ownersOf(group.settle())
        group.join('new')
        const after = group.settle()
        const moved = movedBetween(before, ownersOf(after))
        expect(moved.sort()).toEqual([...(after.get('new') ?? [])].sort())
        expect(moved.length).toBeLessThanOrEqual(Math.ceil(group.tasks.length / (workers + 1)))
      }),
    )
  })

  test('when a member leaves, only its tasks move (TA3)', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 2, max: 6 }), (shape, workers) => {
        const group = new Group({ parts: shape.parts.map((part) => ({ ...part, stateful: true })) })
        for (let n = 0; n < workers; n++) group.join(`w${n}`)
        const before = group.settle()
        group.leave('w0')
        const moved = movedBetween(ownersOf(before), ownersOf(group.settle()))
        expect(moved.sort()).toEqual([...(before.get('w0') ?? [])].sort())
      }),
    )
  })

  test('one who does not read all topics of a task does not get it (TA1)', () => {
    const { topology, counts, topics } = programOf({ parts: [{ stateful: false, topics: [4] }, { stateful: false, topics: [4, 4] }] }) // prettier-ignore
    const member = { instanceId: null, owned: [], userData: Buffer.alloc(0) }
    const assigned = taskAssignor({ topology, standbyReplicas: 0, acceptableRecoveryLag: 0 }).assign(
      [
        { ...member, memberId: 'old', topics: topics.slice(0, 2) },
        { ...member, memberId: 'new', topics },
      ],
      counts,
    )
    expect(new Set(assigned.get('old')?.partitions.map(({ topic }) => topic))).toEqual(new Set(['topic0-0']))
    expect(assigned.get('new')?.partitions.filter(({ topic }) => topic !== 'topic0-0')).toHaveLength(8)
  })
})

describe('standbys', () => {
  test('stand on other processes, as many as wanted or as there are (TA5)', () => {
    fc.assert(
      fc.property(
        shapes,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 7 }),
        fc.integer({ min: 0, max: 3 }),
        (shape, processes, replicas) => {
          const group = new Group(shape, replicas)
          processes.forEach((process, n) => group.join(`w${n}`, `p${process}`))
          group.settle()
          const assignment = group.assign()
          const wanted = Math.min(replicas, new Set(processes).size - 1)
          for (const task of group.tasks) {
            const actives = group.workers.filter(({ id }) => group.activeOf(assignment.get(id)).some((one) => one.id === task.id)) // prettier-ignore
            const standbys = group.workers.filter(
              ({ id }) =>
              decodeStandbys(assignment.get(id)?.userData ?? Buffer.alloc(0))?.some(({ part, partition }) => part === task.part && partition === task.partition), // prettier-ignore
            )
            const used = [...actives, ...standbys].map(({ process }) => process)
            expect(new Set(used).size).toBe(used.length)
            expect(standbys).toHaveLength(task.stateful ? wanted : 0)
          }
        },
      ),
    )
  })

  test('who leaves is followed by those who have the state (TA3, TA4)', () => {
    const group = new Group({ parts: [{ stateful: true, topics: [9] }] }, 1)
    for (const id of ['a', 'b', 'c']) group.join(id)
    const before = group.settle()
    const standbyOf = new Map<string, string>(group.workers.flatMap(({ id, held }) => held.filter(({ role }) => role === 'standby').map(({ part, partition }) => [`${part}_${partition}`, id] as [string, string]))) // prettier-ignore
    group.leave('a')
    const after = ownersOf(group.step())
    for (const task of before.get('a') ?? []) expect(after.get(task)).toBe(standbyOf.get(String(task)))
  })
})

describe('a task waits for its state (TA4)', () => {
  const shape: Shape = { parts: [{ stateful: true, topics: [6] }] }

  test('it goes on where it is while a few warm-ups fill, then it moves, until all is balanced', () => {
    const group = new Group(shape)
    group.join('old')
    group.settle()
    group.join('new')
    group.reached = 5n
    const waiting = group.step()
    expect(waiting.get('old')).toHaveLength(6)
    const warm = (): HeldTask[] => group.workers[1]?.held.filter(({ role }) => role === 'standby') ?? []
    expect(warm()).toHaveLength(2)
    expect(group.step().get('new')).toEqual([])
    group.reached = end - 10_000n
    group.step()
    const first = warm().map(({ part, partition }) => `${part}_${partition}`)
    expect(group.step().get('new')).toEqual(first)
    expect(group.settle().get('new')).toHaveLength(3)
  })

  test('when its owner is gone it runs at once where most of its state is', () => {
    const group = new Group(shape)
    group.join('gone')
    group.settle()
    group.join('far')
    group.join('near')
    const held = (position: bigint): HeldTask[] =>
      Array.from({ length: 6 }, (_, partition) => ({ part: 'part0', partition, role: 'left', position }))
    for (const worker of group.workers) if (worker.id !== 'gone') worker.held = held(worker.id === 'near' ? 900_000n : 5n) // prettier-ignore
    group.leave('gone')
    expect(group.assign().get('near')?.partitions).toHaveLength(6)
    expect(decodeStandbys(group.assign().get('far')?.userData ?? Buffer.alloc(0))).toEqual([
      { part: 'part0', partition: 3, warmUp: true },
      { part: 'part0', partition: 4, warmUp: true },
    ])
  })

  test('workers of one process share its disk: no warm-up between them', () => {
    const group = new Group(shape)
    group.join('one', 'process')
    group.settle()
    group.join('two', 'process')
    expect(group.step().get('two')).toHaveLength(3)
  })
})

describe('what members tell each other', () => {
  const held = fc.record({
    part: fc.string(),
    partition: fc.integer({ min: 0, max: 0xffffffff }),
    role: fc.constantFrom<HeldTask['role']>('active', 'standby', 'left'),
    position: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
  })
  const data = fc.record({ processId: fc.string(), held: fc.array(held) })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(
        data,
        fc.array(fc.record({ part: fc.string(), partition: fc.nat(), warmUp: fc.boolean() })),
        (member, standbys) => {
          // prettier-ignore
          const whole: MemberData = { processId: wellFormed(member.processId), held: member.held.map((one) => ({ ...one, part: wellFormed(one.part) })) } // prettier-ignore
          expect(decodeMemberData(encodeMemberData(whole))).toEqual(whole)
          const places = standbys.map((one) => ({ ...one, part: wellFormed(one.part) }))
          expect(decodeStandbys(encodeStandbys(places))).toEqual(places)
        },
      ),
    )
  })

  test('cut short, too long or of another version it is nothing', () => {
    fc.assert(
      fc.property(data, (member) => {
        const bytes = encodeMemberData({ processId: wellFormed(member.processId), held: member.held.map((one) => ({ ...one, part: wellFormed(one.part) })) }) // prettier-ignore
        for (let length = 0; length < bytes.length; length++)
          expect(decodeMemberData(bytes.subarray(0, length))).toBeNull()
        expect(decodeMemberData(Buffer.concat([bytes, Buffer.of(0)]))).toBeNull()
        const other = Buffer.from(bytes)
        other.writeUInt16BE(2)
        expect(decodeMemberData(other)).toBeNull()
      }),
    )
  })

  test('any bytes are read without a throw; a count that cannot be true allocates nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const given = Buffer.concat([Buffer.of(0, 1), bytes])
        decodeMemberData(given)
        decodeStandbys(given)
      }),
    )
    expect(decodeStandbys(Buffer.from('0001ffffffff', 'hex'))).toBeNull()
    expect(decodeMemberData(Buffer.from('00010000ffffffff', 'hex'))).toBeNull()
  })

  test('a member whose data cannot be read counts as a process of its own that has nothing', () => {
    const group = new Group({ parts: [{ stateful: true, topics: [4] }] })
    group.join('a')
    group.join('b')
    const members = group.workers.map(({ id }) => ({ memberId: id, instanceId: null, topics: group.program.topics, owned: [], userData: Buffer.from('nonsense') })) // prettier-ignore
    const options = { topology: group.program.topology, standbyReplicas: 1, acceptableRecoveryLag: 0 }
    const given = taskAssignor(options).assign(members, group.program.counts)
    for (const id of ['a', 'b']) {
      expect(given.get(id)?.partitions).toHaveLength(2)
      expect(decodeStandbys(given.get(id)?.userData ?? Buffer.alloc(0))).toHaveLength(2)
    }
  })
})

/** Lone surrogates have no UTF-8. */
const wellFormed = (value: string): string => value.toWellFormed()
