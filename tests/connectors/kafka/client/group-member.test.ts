/** A member of a group, over the coordinator: what its listener hears, what it may commit, and what faults do to it (GM1-GM9). */

import { beforeEach, describe, expect, test } from 'vitest'
import { joinGroup } from '../../../../connectors/kafka/client/group-member.ts'
import { LogError } from '../../../../connectors/kafka/index.ts'
import type {
  Broker,
  GroupOptions,
  GroupSession,
  JoinGroupRequest,
  RebalanceListener,
} from '../../../../connectors/kafka/index.ts'
import { Client, GroupCluster } from '../group-cluster.ts'
import { HandClock, settle } from '../hand-clock.ts'

const GROUP = 'g'
const SESSION_MS = 10_000

let clock: HandClock
let cluster: GroupCluster

beforeEach(() => {
  clock = new HandClock()
  cluster = new GroupCluster(clock)
  cluster.topics.set('t', 4)
})

interface Started {
  readonly session: GroupSession
  readonly client: Client
  readonly calls: string[]
  readonly held: Set<string>
  readonly userData: string[]
  /** Requests that were sent, by name; a hook may answer in the broker's place. */
  readonly sent: string[]
  hook: ((request: string, asked: unknown) => Promise<void>) | null
  /** What each kind of call waits for. */
  readonly gates: Map<string, Promise<void>>
}

function start(options: Partial<GroupOptions> = {}): Started {
  const client = new Client(clock)
  const started = { client, calls: [], held: new Set(), userData: [], sent: [], hook: null, gates: new Map() } as Omit<
    Started,
    'session'
  >
  const listener = listenerOf(started)
  const broker = hooked(cluster.requests as Broker, started)
  const notice = (line: string): void => void cluster.notices.push(line)
  const base = { groupId: GROUP, topics: ['t'], instanceId: null, sessionTimeoutMs: SESSION_MS, listener }
  const session = joinGroup({ broker, clock: client, notice }, { ...base, rebalanceTimeoutMs: 20_000, ...options })
  return Object.assign(started, { session })
}

function listenerOf(started: Omit<Started, 'session'>): RebalanceListener {
  const { calls, held, gates } = started
  let running = 0
  const call = async (name: string, text: string, end: () => void = () => undefined): Promise<void> => {
    expect(++running, 'GM5: calls do not overlap').toBe(1)
    calls.push(text)
    await gates.get(name)
    end()
    running--
  }
  const names = (partitions: readonly { partition: number }[]): string[] =>
    partitions.map(({ partition }) => `${partition}`)
  return {
    joining: () => call('joining', 'joining'),
    assigned: (added, userData) => {
      names(added).forEach((partition) => held.add(partition))
      started.userData.push(String(userData))
      return call('assigned', `assigned ${names(added)}`)
    },
    revoked: (partitions) =>
      call('revoked', `revoked ${names(partitions)}`, () => names(partitions).forEach((one) => held.delete(one))),
    lost: () => {
      held.clear()
      return call('lost', 'lost')
    },
    failed: (error) => void calls.push(`failed ${error.code}`),
  }
}

function hooked(broker: Broker, started: Omit<Started, 'session'>): Broker {
  const names = ['joinGroup', 'syncGroup', 'heartbeat', 'leaveGroup', 'metadata'] as const
  const methods = names.map((name) => [
    name,
    async (request: never): Promise<unknown> => {
      started.sent.push(name)
      await started.hook?.(name, request)
      const answer = await broker[name](request)
      return new Promise((resolve) => started.client.enter(() => resolve(answer)))
    },
  ])
  return Object.fromEntries(methods) as Broker
}

const sorted = ({ held }: Started): string => [...held].sort().join()

function check(session: GroupSession): string {
  try {
    cluster.coordinator.check(session.metadata())
    return 'ok'
  } catch (error) {
    return (error as LogError).code
  }
}

const refuse = (code: ConstructorParameters<typeof LogError>[0], then: 'retry' | 'stop' = 'stop'): Promise<never> =>
  Promise.reject(new LogError(code, 'as the test wants it', then))

describe('rebalances', () => {
  test('a member alone gets everything; the session is there before the listener hears of it', async () => {
    const one = start()
    expect(() => one.session.metadata()).toThrow('not a member')
    expect(one.calls).toEqual([])
    await clock.advance(0)
    expect(one.calls).toEqual(['assigned 0,1,2,3'])
    expect(one.session.metadata()).toMatchObject({ groupId: GROUP, generationId: 1, groupInstanceId: null })
    expect(check(one.session)).toBe('ok')
    await clock.advance(10 * SESSION_MS)
    expect(one.calls).toHaveLength(1)
  })

  test('GM1, GM3: a second member gets what the first has given up, and nothing before', async () => {
    const one = start()
    await clock.advance(0)
    let giveUp = (): void => undefined
    one.gates.set('revoked', new Promise((resolve) => (giveUp = resolve)))
    const two = start()
    await clock.advance(SESSION_MS / 2)
    expect(one.calls.slice(1)).toEqual(['joining', 'revoked 2,3'])
    expect(check(one.session)).toBe('ok')
    expect(two.calls).toEqual(['assigned '])
    giveUp()
    await clock.advance(SESSION_MS / 2)
    expect(one.calls.slice(3)).toEqual(['joining', 'assigned '])
    expect(two.calls).toEqual(['assigned ', 'joining', 'assigned 2,3'])
    expect([sorted(one), sorted(two)]).toEqual(['0,1', '2,3'])
    expect(one.session.metadata().generationId).toBe(two.session.metadata().generationId)
    const [group] = cluster.coordinator.describe([GROUP], [])
    expect(group!.members.map(({ assigned }) => assigned.length)).toEqual([2, 2])
  })

  test('GM3: a member that is asked to join again sends nothing before its listener is ready', async () => {
    const one = start()
    await clock.advance(0)
    let ready = (): void => undefined
    one.gates.set('joining', new Promise((resolve) => (ready = resolve)))
    start()
    await clock.advance(4_000)
    one.sent.length = 0
    await clock.advance(10_000)
    expect(one.calls.at(-1)).toBe('joining')
    expect(one.sent).not.toContain('joinGroup')
    expect(one.sent).toContain('heartbeat')
    ready()
    await settle()
    expect(one.sent).toContain('joinGroup')
  })

  test('many members share evenly, and when they leave the rest have it all', async () => {
    cluster.topics.set('t', 12)
    const all = Array.from({ length: 5 }, () => start())
    await clock.advance(30_000)
    expect(all.map(({ held }) => held.size).sort()).toEqual([2, 2, 2, 3, 3])
    expect(new Set(all.flatMap(({ held }) => [...held])).size).toBe(12)
    await Promise.all(all.slice(1).map(({ session }) => session.leave()))
    await clock.advance(30_000)
    expect(all[0]!.held.size).toBe(12)
  })

  test('GM5: after leave the listener hears nothing, and the others take over at once', async () => {
    const [one, two] = [start(), start()]
    await clock.advance(30_000)
    const heard = one.calls.length
    await one.session.leave()
    expect(() => one.session.metadata()).toThrow('not a member')
    await clock.advance(SESSION_MS / 3)
    expect(sorted(two)).toBe('0,1,2,3')
    await clock.advance(60_000)
    expect(one.calls).toHaveLength(heard)
    await one.session.leave()
    await two.session.leave()
    expect(clock.pending).toBe(0)
  })

  test('a member that vanishes holds its place until its session is over', async () => {
    const [one, two] = [start(), start()]
    await clock.advance(30_000)
    one.client.kill()
    await clock.advance(SESSION_MS - 4_000)
    expect(two.held.size).toBe(2)
    await clock.advance(8_000)
    expect(sorted(two)).toBe('0,1,2,3')
  })

  test('rejoin asks what the member says of itself, and gives it to the assignor', async () => {
    const seen: string[][] = []
    let lag = 'far'
    const assignor = {
      name: 'mine',
      assign: (members: readonly { memberId: string; userData: Buffer }[]) => {
        seen.push(members.map(({ userData }) => String(userData)))
        return new Map(
          members.map(({ memberId }) => [memberId, { partitions: [], userData: Buffer.from(`for ${lag}`) }]),
        )
      },
    }
    const userData = (): Buffer => Buffer.from(lag)
    const one = start({ assignor, userData })
    const two = start({ assignor, userData: () => Buffer.from('two') })
    await clock.advance(10_000)
    lag = 'near'
    two.session.rejoin()
    await clock.advance(10_000)
    expect(seen.at(-1)).toEqual(['near', 'two'])
    expect(one.userData.at(-1)).toBe('for near')
    expect(two.calls.slice(-2)).toEqual(['joining', 'assigned '])
  })

  test('an assignor that gives a partition twice, or fails, ends the session; the others go on', async () => {
    const assign = (): never => {
      throw new Error('no idea')
    }
    const one = start({ assignor: { name: 'mine', assign } })
    await clock.advance(0)
    expect(one.calls).toEqual(['failed INVALID_REQUEST'])
    expect(cluster.coordinator.describe([GROUP], [])[0]!.state).toBe('Empty')
  })

  test('the leader sees that a topic came or grew', async () => {
    const one = start({ topics: ['t', 'later'] })
    const two = start()
    await clock.advance(20_000)
    cluster.topics.set('later', 1)
    cluster.topics.set('t', 6)
    await clock.advance(60_000)
    expect(one.held.size + two.held.size).toBe(7)
    const heard = one.calls.length
    await clock.advance(120_000)
    expect(one.calls).toHaveLength(heard)
  })
})

describe('losing membership', () => {
  test('GM4: a member that hears nothing for its session timeout is lost by itself, and joins anew when it can', async () => {
    const one = start()
    await clock.advance(0)
    one.hook = () => refuse('TIMEOUT', 'retry')
    await clock.advance(SESSION_MS - 1)
    expect(one.session.metadata().generationId).toBe(1)
    await clock.advance(1)
    expect(() => one.session.metadata()).toThrow(LogError)
    expect(one.calls.slice(1)).toEqual(['lost'])
    expect(one.held.size).toBe(0)
    one.hook = null
    await clock.advance(1_000)
    expect(one.calls.slice(2)).toEqual(['assigned 0,1,2,3'])
  })

  test('GM4: answers that never come are no sign of life', async () => {
    const one = start()
    await clock.advance(0)
    one.hook = () => new Promise(() => undefined)
    await clock.advance(SESSION_MS)
    expect(one.calls.slice(1)).toEqual(['lost'])
  })

  test.each(['the timers first', 'the answers first'])(
    'GM4: after a stall the first thing a process sees is that it is out (%s)',
    async (order) => {
      const one = start()
      await clock.advance(0)
      const two = start()
      await clock.advance(20_000)
      expect(one.held.size).toBe(2)
      const before = one.session.metadata()
      await clock.advance(3_333)
      one.client.stall()
      await clock.advance(2 * SESSION_MS)
      expect(sorted(two)).toBe('0,1,2,3')
      expect(() => cluster.coordinator.check(before)).toThrow(LogError)
      const heard = one.calls.length
      if (order === 'the timers first') expect(() => one.session.metadata()).toThrow('not a member')
      one.client.resume(() => (order === 'the timers first' ? 0 : 0.999))
      expect(() => one.session.metadata()).toThrow('not a member')
      await settle()
      expect(one.calls[heard]).toBe('lost')
      await clock.advance(30_000)
      expect([one.held.size, two.held.size]).toEqual([2, 2])
    },
  )

  test('GM4: an assignment that comes after a stall is not believed before the group says that it still holds', async () => {
    const one = start()
    one.hook = async (request) => {
      if (request !== 'syncGroup') return
      one.hook = null
      one.client.stall()
    }
    await clock.advance(1.5 * SESSION_MS)
    expect(cluster.coordinator.describe([GROUP], [])[0]!.state).toBe('Empty')
    one.client.resume(() => 0)
    await settle()
    expect(one.calls).toEqual([])
    await clock.advance(1_000)
    expect(one.calls).toEqual(['assigned 0,1,2,3'])
    expect(check(one.session)).toBe('ok')
  })

  test('a heartbeat of a member that was removed means lost, and it joins under a new id', async () => {
    const one = start()
    await clock.advance(0)
    const { memberId } = one.session.metadata()
    await cluster.requests.leaveGroup({ groupId: GROUP, memberId, instanceId: null })
    await clock.advance(4_000)
    expect(one.calls.slice(1)).toEqual(['lost', 'assigned 0,1,2,3'])
    expect(one.session.metadata().memberId).not.toBe(memberId)
  })

  test('a heartbeat of an illegal generation means lost, and it joins under the id it has', async () => {
    const one = start()
    await clock.advance(0)
    const { memberId } = one.session.metadata()
    one.hook = (request) => (request === 'heartbeat' ? refuse('ILLEGAL_GENERATION') : Promise.resolve())
    await clock.advance(4_000)
    expect(one.calls.slice(1, 3)).toEqual(['lost', 'assigned 0,1,2,3'])
    expect(one.session.metadata().memberId).toBe(memberId)
  })

  test('GM4: lost waits for the call that runs, but nothing may be committed from the moment on', async () => {
    const one = start()
    await clock.advance(0)
    let settleNow = (): void => undefined
    one.gates.set('revoked', new Promise((resolve) => (settleNow = resolve)))
    start()
    await clock.advance(5_000)
    expect(one.calls.at(-1)).toBe('revoked 2,3')
    one.hook = () => refuse('TIMEOUT', 'retry')
    await clock.advance(SESSION_MS)
    expect(() => one.session.metadata()).toThrow(LogError)
    expect(one.calls.at(-1)).toBe('revoked 2,3')
    settleNow()
    await settle()
    expect(one.calls.at(-1)).toBe('lost')
  })

  test('a member that does not poll leaves, and comes back when it polls', async () => {
    const one = start({ maxPollIntervalMs: 15_000 })
    const two = start()
    await clock.advance(14_000)
    one.session.polled()
    await clock.advance(14_000)
    expect(one.held.size).toBe(2)
    await clock.advance(6_000)
    expect(one.calls.at(-1)).toBe('lost')
    await clock.advance(10_000)
    expect(sorted(two)).toBe('0,1,2,3')
    expect(one.calls.at(-1)).toBe('lost')
    one.session.polled()
    await clock.advance(14_000)
    expect(one.held.size).toBe(2)
  })

  test('what cannot pass ends the session: lost first, then failed', async () => {
    const one = start({ groupId: '' })
    await clock.advance(0)
    expect(one.calls).toEqual(['failed INVALID_GROUP_ID'])
    const two = start()
    await clock.advance(0)
    two.hook = () => refuse('CLOSED')
    two.session.rejoin()
    await clock.advance(0)
    expect(two.calls.slice(1)).toEqual(['joining', 'lost', 'failed CLOSED'])
    await clock.advance(60_000)
    expect(clock.pending).toBe(0)
  })

  test('a listener that fails is noticed, and the session goes on', async () => {
    const listener: RebalanceListener = {
      assigned: () => Promise.reject(new Error('broken')),
      revoked: () => Promise.resolve(),
      lost: () => Promise.resolve(),
    }
    const one = start({ listener })
    await clock.advance(60_000)
    expect(check(one.session)).toBe('ok')
    expect(cluster.notices.join()).toContain('broken')
  })
})

describe('unknown outcomes', () => {
  test.each(['joinGroup', 'syncGroup', 'heartbeat'] as const)('GM7: the answer to a %s is lost once', async (name) => {
    const one = start()
    let lose = true
    one.hook = async (request) => {
      if (request !== name || !lose) return
      lose = name === 'joinGroup' && one.sent.filter((each) => each === 'joinGroup').length < 2
      if (!lose) await refuse('TIMEOUT', 'retry')
    }
    await clock.advance(20_000)
    expect(one.calls).toEqual(['assigned 0,1,2,3'])
    expect(cluster.coordinator.describe([GROUP], [])[0]!.members).toHaveLength(1)
  })

  test('GM6: a generation that passed without the member means lost, not revoked', async () => {
    const patient = { sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 10_000, heartbeatIntervalMs: 2_000 }
    const one = start({ ...patient, instanceId: 'i0' })
    const two = start({ ...patient, instanceId: 'i1' })
    await clock.advance(60_000)
    expect([one.held.size, two.held.size]).toEqual([2, 2])
    const heard = two.calls.length
    let ready = (): void => undefined
    two.gates.set('joining', new Promise((resolve) => (ready = resolve)))
    two.hook = (request) =>
      request === 'heartbeat' && two.calls.at(-1) === 'joining' ? refuse('TIMEOUT') : Promise.resolve()
    one.session.rejoin()
    await clock.advance(30_000)
    ready()
    two.gates.clear()
    await clock.advance(30_000)
    expect(two.calls.slice(heard, heard + 2)).toEqual(['joining', 'lost'])
    expect(two.calls.slice(heard).join()).not.toContain('revoked')
    expect([one.held.size, two.held.size]).toEqual([2, 2])
  })

  test('GM6: an assignment made from an older join of this member means lost', async () => {
    const one = start()
    await clock.advance(0)
    const two = start()
    await clock.advance(20_000)
    // A late duplicate of the first join of `two`, which then owned nothing, overtakes what it says now.
    const heard = two.calls.length
    const { requests } = cluster
    const memberId = two.session.metadata().memberId
    const stale = {
      groupId: GROUP,
      memberId,
      instanceId: null,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 20_000,
      protocolType: 'consumer',
      protocols: [
        {
          name: 'sticky-partitions',
          metadata: Buffer.from(
            '0002' + '00000001' + '000174' + '00000004' + '00000001' + '00000000' + 'ffffffff',
            'hex',
          ),
        },
      ],
    }
    two.hook = async (request) => {
      if (request === 'joinGroup') clock.after(1, () => void requests.joinGroup(stale))
    }
    two.session.rejoin()
    await clock.advance(1)
    two.hook = null
    await clock.advance(30_000)
    expect(two.calls.slice(heard).filter((call) => call === 'lost')).toEqual(['lost'])
    expect([one.held.size, two.held.size]).toEqual([2, 2])
  })
})

describe('static members', () => {
  test('one that is back before its session is over has what it had, and the others hear nothing', async () => {
    const [one, two] = [start({ instanceId: 'i0' }), start({ instanceId: 'i1' })]
    await clock.advance(30_000)
    const heard = one.calls.length
    const had = sorted(two)
    await two.session.leave()
    expect(two.sent).not.toContain('leaveGroup')
    two.client.kill()
    await clock.advance(2_000)
    const back = start({ instanceId: 'i1' })
    await clock.advance(60_000)
    expect(sorted(back)).toBe(had)
    expect(one.calls).toHaveLength(heard)
  })

  test('a leader that is back does not share out anew', async () => {
    const [one, two] = [start({ instanceId: 'i0' }), start({ instanceId: 'i1' })]
    await clock.advance(30_000)
    const [had, heard] = [sorted(one), two.calls.length]
    one.client.kill()
    const back = start({ instanceId: 'i0' })
    await clock.advance(60_000)
    expect(sorted(back)).toBe(had)
    expect(two.calls).toHaveLength(heard)
    cluster.topics.set('t', 6)
    await clock.advance(60_000)
    expect(back.held.size + two.held.size).toBe(6)
  })

  test('GM8, SO3: one that dies before it gave up what moves asks for the rebalance that is still to come', async () => {
    const one = start({ instanceId: 'i0' })
    await clock.advance(0)
    one.gates.set('revoked', new Promise(() => undefined))
    const two = start({ instanceId: 'i1' })
    await clock.advance(SESSION_MS / 2)
    expect(one.calls.at(-1)).toBe('revoked 2,3')
    one.client.kill()
    const back = start({ instanceId: 'i0' })
    await clock.advance(SESSION_MS)
    expect([sorted(back), sorted(two)]).toEqual(['0,1', '2,3'])
    expect(two.calls).not.toContain('lost')
  })

  test('one that gives up its place leaves its partitions to the others at once', async () => {
    const [one, two] = [start({ instanceId: 'i0' }), start({ instanceId: 'i1' })]
    await clock.advance(30_000)
    await two.session.leave('given up')
    await clock.advance(SESSION_MS / 2)
    expect(sorted(one)).toBe('0,1,2,3')
    expect(cluster.coordinator.describe([GROUP], [])[0]!.members).toHaveLength(1)
  })

  test('the one that was replaced is told: lost, then failed, and it does not come back', async () => {
    const one = start({ instanceId: 'i0' })
    await clock.advance(0)
    const two = start({ instanceId: 'i0' })
    await clock.advance(SESSION_MS)
    expect(one.calls.slice(1)).toEqual(['lost', 'failed FENCED_INSTANCE_ID'])
    expect(sorted(two)).toBe('0,1,2,3')
    expect(check(two.session)).toBe('ok')
    expect(() => one.session.metadata()).toThrow('not a member')
  })

  describe('whose first join got no answer and is handled late (GM9)', () => {
    /** A member whose first join is lost on its way, and what makes it arrive. */
    function startStray(): { one: Started; arrive: () => void } {
      const one = start({ instanceId: 'i0' })
      let lost: JoinGroupRequest | null = null
      one.hook = (request, asked) => {
        if (request !== 'joinGroup' || lost !== null) return Promise.resolve()
        lost = asked as JoinGroupRequest
        return refuse('TIMEOUT', 'retry')
      }
      const arrive = (): void => void cluster.requests.joinGroup(lost!).catch(() => undefined)
      return { one, arrive }
    }

    test('joins anew: it was fenced by itself', async () => {
      const { one, arrive } = startStray()
      await clock.advance(1_000)
      expect(sorted(one)).toBe('0,1,2,3')
      arrive()
      await clock.advance(SESSION_MS)
      expect(one.calls.slice(1)).toEqual(['lost', 'assigned 0,1,2,3'])
      expect(check(one.session)).toBe('ok')
    })

    test('also while the join that came after it waits', async () => {
      const { one, arrive } = startStray()
      const two = start()
      two.gates.set('joining', new Promise((resolve) => void clock.after(3_000, resolve)))
      await clock.advance(1_000)
      arrive()
      await clock.advance(3 * SESSION_MS)
      expect(one.calls.filter((call) => call.startsWith('failed'))).toEqual([])
      expect([one.held.size, two.held.size]).toEqual([2, 2])
      expect([check(one.session), check(two.session)]).toEqual(['ok', 'ok'])
    })

    test('is fenced by another the second time', async () => {
      const { one, arrive } = startStray()
      await clock.advance(1_000)
      arrive()
      await clock.advance(SESSION_MS / 2)
      const two = start({ instanceId: 'i0' })
      await clock.advance(SESSION_MS)
      expect(one.calls.at(-1)).toBe('failed FENCED_INSTANCE_ID')
      expect(sorted(two)).toBe('0,1,2,3')
    })

    test('is fenced by another when its join has had its time to arrive', async () => {
      const { one } = startStray()
      await clock.advance(SESSION_MS + 1_000)
      const two = start({ instanceId: 'i0' })
      await clock.advance(SESSION_MS)
      expect(one.calls.slice(1)).toEqual(['lost', 'failed FENCED_INSTANCE_ID'])
      expect(check(two.session)).toBe('ok')
    })
  })
})
