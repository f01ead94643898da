/** The group coordinator, request by request: states, generations, errors and timers as Kafka has them (GC1-GC6). */

import { beforeEach, describe, expect, test } from 'vitest'
import type { JoinGroupRequest, JoinGroupResponse, LogError } from '../../../connectors/kafka/index.ts'
import { GroupCluster } from './group-cluster.ts'
import { HandClock, settle } from './hand-clock.ts'

const GROUP = 'g'
const SESSION_MS = 10_000
const REBALANCE_MS = 30_000

let clock: HandClock
let cluster: GroupCluster

beforeEach(() => {
  clock = new HandClock()
  cluster = new GroupCluster(clock)
})

const bytes = (text: string): Buffer => Buffer.from(text)

const joinRequest = (memberId: string, rest: Partial<JoinGroupRequest> = {}): JoinGroupRequest => ({
  groupId: GROUP,
  memberId,
  instanceId: null,
  sessionTimeoutMs: SESSION_MS,
  rebalanceTimeoutMs: REBALANCE_MS,
  protocolType: 'consumer',
  protocols: [{ name: 'p', metadata: bytes('m') }],
  ...rest,
})

/** An answer to come, looked at without waiting for it. */
function watch<T>(answer: Promise<T>): { value?: T; code?: string; settled: boolean } {
  const seen: { value?: T; code?: string; settled: boolean } = { settled: false }
  answer.then(
    (value) => Object.assign(seen, { value, settled: true }),
    (error: unknown) => Object.assign(seen, { code: (error as LogError).code, settled: true }),
  )
  return seen
}

const join = (memberId: string, rest: Partial<JoinGroupRequest> = {}) =>
  watch(cluster.coordinator.joinGroup(joinRequest(memberId, rest)) as Promise<JoinGroupResponse>)

async function newId(rest: Partial<JoinGroupRequest> = {}): Promise<string> {
  const { memberId } = await cluster.coordinator.joinGroup(joinRequest('', rest))
  return memberId
}

const identity = (memberId: string, generationId: number, instanceId: string | null = null) => ({
  groupId: GROUP,
  memberId,
  generationId,
  instanceId,
})

const sync = (
  memberId: string,
  generationId: number,
  shares: Record<string, string> = {},
  instanceId: string | null = null,
) => {
  const assignments = Object.entries(shares).map(([id, share]) => ({ memberId: id, assignment: bytes(share) }))
  return watch(cluster.coordinator.syncGroup({ ...identity(memberId, generationId, instanceId), assignments }))
}

const beat = async (memberId: string, generationId: number, instanceId: string | null = null) =>
  codeOf(cluster.coordinator.heartbeat(identity(memberId, generationId, instanceId)))

const leave = async (memberId: string, instanceId: string | null = null) =>
  codeOf(cluster.coordinator.leaveGroup({ groupId: GROUP, memberId, instanceId }))

const commit = (
  memberId: string,
  generationId: number,
  kind: 'plain' | 'transactional',
  instance: string | null = null,
) =>
  codeOf(
    (async () =>
      cluster.coordinator.check({ groupId: GROUP, generationId, memberId, groupInstanceId: instance }, kind))(),
  )

const codeOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'ok',
    (error: unknown) => (error as LogError).code,
  )

const state = (): string => cluster.coordinator.describe([GROUP], [])[0]!.state

/** A stable group of dynamic members, generation 1; the first leads. */
async function stable(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i++) ids.push(await newId())
  for (const id of ids) join(id)
  await clock.advance(0)
  const shares = Object.fromEntries(ids.map((id, i) => [id, `share ${i}`]))
  for (const id of ids) sync(id, 1, id === ids[0] ? shares : {})
  await settle()
  expect(state()).toBe('Stable')
  return ids
}

describe('joining', () => {
  test('a dynamic member gets its id first, and the group waits for it until its session is over', async () => {
    const [one, two] = [await newId(), await newId()]
    expect(one).not.toBe(two)
    expect(one.startsWith(`${GROUP}-`)).toBe(true)
    const first = join(one)
    await clock.advance(0)
    expect(first.value).toMatchObject({ generationId: 1, leaderId: one, memberId: one, protocolName: 'p' })
    sync(one, 1, { [one]: 'x' })
    const again = join(one)
    await clock.advance(SESSION_MS - 1)
    expect(again.settled).toBe(false)
    await clock.advance(1)
    expect(again.value).toMatchObject({ generationId: 2 })
    expect(await codeOf(cluster.coordinator.joinGroup(joinRequest(two)))).toBe('UNKNOWN_MEMBER_ID')
  })

  test('GC1: a generation begins when all have joined; the leader alone hears of the others', async () => {
    const [one, two] = await stable(2)
    const first = join(one!)
    await settle()
    expect(first.settled).toBe(false)
    expect(state()).toBe('PreparingRebalance')
    expect(await beat(two!, 1)).toBe('REBALANCE_IN_PROGRESS')
    const second = join(two!, { protocols: [{ name: 'p', metadata: bytes('new') }] })
    await settle()
    expect(first.value!.members.map(({ memberId, metadata }) => [memberId, String(metadata)])).toEqual([
      [one, 'm'],
      [two, 'new'],
    ])
    expect(second.value).toMatchObject({ generationId: 2, leaderId: one, members: [], skipAssignment: false })
    expect(state()).toBe('CompletingRebalance')
  })

  test('GC1: who has not joined again in time is removed, and leads no more', async () => {
    const [one, two, three] = await stable(3)
    const second = join(two!, { protocols: [{ name: 'p', metadata: bytes('new') }] })
    for (let at = 0; at < REBALANCE_MS; at += 5_000) {
      expect(second.settled).toBe(false)
      expect(await beat(one!, 1)).toBe('REBALANCE_IN_PROGRESS')
      expect(await beat(three!, 1)).toBe('REBALANCE_IN_PROGRESS')
      await clock.advance(5_000)
    }
    expect(second.value).toMatchObject({ generationId: 2, leaderId: two })
    expect(second.value!.members).toHaveLength(1)
    expect(await beat(one!, 2)).toBe('UNKNOWN_MEMBER_ID')
    expect(await codeOf(cluster.coordinator.joinGroup(joinRequest(three!)))).toBe('UNKNOWN_MEMBER_ID')
  })

  test('an empty group gives its first members time, again for each that comes, up to the rebalance timeout', async () => {
    cluster = new GroupCluster(clock, { initialRebalanceDelayMs: 3_000 })
    const first = join(await newId())
    await clock.advance(2_000)
    const second = join(await newId())
    await clock.advance(3_999)
    expect(first.settled).toBe(false)
    await clock.advance(1)
    expect(first.value!.members).toHaveLength(2)
    expect(second.value!.generationId).toBe(1)
  })

  test('GC5: a join in CompletingRebalance that says nothing new is answered with the generation there is', async () => {
    const [one, two] = [await newId(), await newId()]
    join(one)
    join(two)
    await clock.advance(0)
    const [again, leaderAgain] = [join(two), join(one)]
    await settle()
    expect(again.value).toMatchObject({ generationId: 1, members: [] })
    expect(leaderAgain.value!.members).toHaveLength(2)
    const waiting = sync(two, 1)
    const changed = join(two, { protocols: [{ name: 'p', metadata: bytes('new') }] })
    await settle()
    expect(waiting.code).toBe('REBALANCE_IN_PROGRESS')
    expect(changed.settled).toBe(false)
    expect(state()).toBe('PreparingRebalance')
  })

  test('GC5: in a stable group a follower that says nothing new changes nothing, a leader that joins rebalances', async () => {
    const [one, two] = await stable(2)
    const follower = join(two!)
    await settle()
    expect(follower.value).toMatchObject({ generationId: 1, leaderId: one })
    const share = sync(two!, 1)
    await settle()
    expect(String(share.value)).toBe('share 1')
    expect(state()).toBe('Stable')
    join(one!)
    await settle()
    expect(state()).toBe('PreparingRebalance')
  })

  test('GC5: a join delivered twice is one member, and both deliveries hear the same', async () => {
    const id = await newId()
    const [first, second] = [join(id), join(id)]
    await clock.advance(0)
    expect(first.value!.members).toHaveLength(1)
    expect(second.value).toEqual(first.value)
    expect(await codeOf(cluster.coordinator.joinGroup(joinRequest('stranger')))).toBe('UNKNOWN_MEMBER_ID')
  })

  test('protocols: all must speak it, the most voted one is taken, and its type is one', async () => {
    const speaks = (...names: string[]) => ({ protocols: names.map((name) => ({ name, metadata: bytes(name) })) })
    const ids = [await newId(speaks('b', 'a')), await newId(speaks('a', 'c', 'b')), await newId(speaks('a', 'b'))]
    const first = join(ids[0]!, speaks('b', 'a'))
    join(ids[1]!, speaks('a', 'c', 'b'))
    join(ids[2]!, speaks('a', 'b'))
    await clock.advance(0)
    expect(first.value!.protocolName).toBe('a')
    expect(first.value!.members.map(({ metadata }) => String(metadata))).toEqual(['a', 'a', 'a'])
    for (const wrong of [speaks('c'), { protocolType: 'connect' }, { protocols: [] }]) {
      expect(await codeOf(cluster.coordinator.joinGroup(joinRequest('', wrong)))).toBe('INCONSISTENT_GROUP_PROTOCOL')
    }
  })

  test('what is refused before anything else', async () => {
    cluster = new GroupCluster(clock, { minSessionTimeoutMs: 6_000 })
    const refused = (rest: Partial<JoinGroupRequest>) => codeOf(cluster.coordinator.joinGroup(joinRequest('', rest)))
    expect(await refused({ groupId: '' })).toBe('INVALID_GROUP_ID')
    expect(await refused({ sessionTimeoutMs: 5_999 })).toBe('INVALID_SESSION_TIMEOUT')
    expect(await refused({ sessionTimeoutMs: 1_800_001 })).toBe('INVALID_SESSION_TIMEOUT')
    expect(await refused({ protocolType: '' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
    expect(await beat('x', 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(await leave('x')).toBe('UNKNOWN_MEMBER_ID')
  })
})

describe('syncing', () => {
  test('GC2: followers wait for the leader; each gets its share, one that was forgotten none, late ones the same', async () => {
    const ids = [await newId(), await newId(), await newId()]
    for (const id of ids) join(id)
    await clock.advance(0)
    const early = sync(ids[1]!, 1)
    const twice = sync(ids[1]!, 1)
    await settle()
    expect(early.settled).toBe(false)
    const leader = sync(ids[0]!, 1, { [ids[0]!]: 'zero', [ids[1]!]: 'one' })
    await settle()
    expect([leader, early, twice].map(({ value }) => String(value))).toEqual(['zero', 'one', 'one'])
    const other = sync(ids[0]!, 1, { [ids[0]!]: 'else' })
    const late = sync(ids[2]!, 1)
    await settle()
    expect(String(other.value)).toBe('zero')
    expect(late.value).toHaveLength(0)
  })

  test('errors: generation, member, rebalance', async () => {
    const [one] = await stable(2)
    const [wrong, stranger] = [sync(one!, 2), sync('x', 1)]
    join(one!)
    const during = sync(one!, 1)
    await settle()
    expect([wrong.code, stranger.code, during.code]).toEqual([
      'ILLEGAL_GENERATION',
      'UNKNOWN_MEMBER_ID',
      'REBALANCE_IN_PROGRESS',
    ])
  })

  test('GC3: who joined and does not sync within the rebalance timeout is removed', async () => {
    const patient = { sessionTimeoutMs: 1_000_000 }
    const ids = [await newId(patient), await newId(patient)]
    for (const id of ids) join(id, patient)
    await clock.advance(0)
    sync(ids[0]!, 1, {})
    await clock.advance(REBALANCE_MS - 1)
    expect(state()).toBe('Stable')
    expect(await beat(ids[1]!, 1)).toBe('ok')
    await clock.advance(1)
    expect(await beat(ids[1]!, 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(await beat(ids[0]!, 1)).toBe('REBALANCE_IN_PROGRESS')
  })
})

describe('sessions', () => {
  test('GC3: heartbeats keep a member; silent for its session timeout it goes, and the others rebalance', async () => {
    const [one, two] = await stable(2)
    for (let i = 0; i < 5; i++) {
      await clock.advance(SESSION_MS - 1)
      expect(await beat(one!, 1)).toBe(i === 0 ? 'ok' : 'REBALANCE_IN_PROGRESS')
      if (i === 0) expect(await beat(two!, 1)).toBe('ok')
      if (i === 0) await clock.advance(1)
      if (i === 0) expect(await beat(one!, 1)).toBe('ok')
    }
    expect(await beat(two!, 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(cluster.notices).toEqual([expect.stringContaining(two!)])
    const alone = join(one!)
    await settle()
    expect(alone.value).toMatchObject({ generationId: 2 })
  })

  test('GC3: a plain commit counts as a sign of life, a transactional one does not', async () => {
    const [one, two] = await stable(2)
    await clock.advance(SESSION_MS - 1)
    expect(await commit(one!, 1, 'plain')).toBe('ok')
    expect(await commit(two!, 1, 'transactional')).toBe('ok')
    await clock.advance(1)
    expect(await commit(one!, 1, 'plain')).toBe('ok')
    expect(await commit(two!, 1, 'transactional')).toBe('UNKNOWN_MEMBER_ID')
  })

  test('GC3: joins and syncs that wait keep their members', async () => {
    const long = { rebalanceTimeoutMs: 100_000 }
    const [one, two] = [await newId(long), await newId(long)]
    join(one, long)
    join(two, long)
    await clock.advance(0)
    const waiting = sync(two, 1)
    for (let at = 0; at < 50_000; at += 5_000) {
      expect(await beat(one, 1)).toBe('ok')
      await clock.advance(5_000)
    }
    sync(one, 1, { [two]: 'share' })
    await settle()
    expect(String(waiting.value)).toBe('share')
    await clock.advance(SESSION_MS - 1)
    expect(await beat(two, 1)).toBe('ok')
  })

  test('a group whose members are gone is empty, with one more generation', async () => {
    await stable(2)
    await clock.advance(SESSION_MS + REBALANCE_MS)
    expect(state()).toBe('Empty')
    const next = join(await newId())
    await clock.advance(0)
    expect(next.value).toMatchObject({ generationId: 3 })
  })
})

describe('leaving', () => {
  test('the others rebalance; a second leave finds nobody; a pending id may leave', async () => {
    const [one, two] = await stable(2)
    expect(await leave(two!)).toBe('ok')
    expect(await leave(two!)).toBe('UNKNOWN_MEMBER_ID')
    const again = join(one!)
    await settle()
    expect(again.value!.generationId).toBe(2)
    const pending = await newId()
    sync(one!, 2, {})
    await settle()
    expect(await leave(pending)).toBe('ok')
    expect(await beat(one!, 2)).toBe('REBALANCE_IN_PROGRESS')
  })

  test('a join that waits is told that its member left', async () => {
    const [one, two] = await stable(2)
    const waiting = join(one!)
    expect(await leave(one!)).toBe('ok')
    await settle()
    expect(waiting.code).toBe('UNKNOWN_MEMBER_ID')
    const alone = join(two!)
    await settle()
    expect(alone.value).toMatchObject({ generationId: 2, leaderId: two })
  })
})

describe('static members', () => {
  const instance = (instanceId: string, rest: Partial<JoinGroupRequest> = {}) => ({ instanceId, ...rest })

  /** Instances i0 (leader), i1, …, generation 1. */
  async function stableStatic(count: number): Promise<string[]> {
    const joined = Array.from({ length: count }, (_, i) => join('', instance(`i${i}`)))
    await clock.advance(0)
    const ids = joined.map(({ value }) => value!.memberId)
    const shares = Object.fromEntries(ids.map((id, i) => [id, `share ${i}`]))
    ids.forEach((id, i) => sync(id, 1, i === 0 ? shares : {}, `i${i}`))
    await settle()
    expect(state()).toBe('Stable')
    return ids
  }

  test('GC4: an instance that comes back takes its place without a rebalance, and the id before is fenced', async () => {
    const ids = await stableStatic(2)
    const back = join('', instance('i1', { protocols: [{ name: 'p', metadata: bytes('new') }] }))
    await settle()
    expect(back.value).toMatchObject({ generationId: 1, leaderId: ids[0], members: [], skipAssignment: false })
    expect(back.value!.memberId).not.toBe(ids[1])
    expect(state()).toBe('Stable')
    const again = sync(back.value!.memberId, 1, {}, 'i1')
    await settle()
    expect(String(again.value)).toBe('share 1')
    expect(await beat(ids[1]!, 1, 'i1')).toBe('FENCED_INSTANCE_ID')
    expect(await commit(ids[1]!, 1, 'transactional', 'i1')).toBe('FENCED_INSTANCE_ID')
    expect(await codeOf(cluster.coordinator.joinGroup(joinRequest(ids[1]!, instance('i1'))))).toBe('FENCED_INSTANCE_ID')
    const fenced = sync(ids[1]!, 1, {}, 'i1')
    await settle()
    expect(fenced.code).toBe('FENCED_INSTANCE_ID')
    expect(await leave(ids[1]!, 'i1')).toBe('FENCED_INSTANCE_ID')
    expect(await beat(back.value!.memberId, 1, 'i1')).toBe('ok')
  })

  test('GC4: a leader that comes back hears of the members, and must not share out anew (KIP-814)', async () => {
    await stableStatic(2)
    const back = join('', instance('i0'))
    await settle()
    expect(back.value).toMatchObject({ generationId: 1, leaderId: back.value!.memberId, skipAssignment: true })
    expect(back.value!.members).toHaveLength(2)
    const mine = sync(back.value!.memberId, 1, {}, 'i0')
    await settle()
    expect(String(mine.value)).toBe('share 0')
  })

  test('GC4: while the group rebalances the new one takes part in place of the old, which is fenced', async () => {
    const ids = await stableStatic(2)
    const waiting = join(ids[1]!, instance('i1', { protocols: [{ name: 'p', metadata: bytes('new') }] }))
    await settle()
    expect(state()).toBe('PreparingRebalance')
    const back = join('', instance('i1'))
    await settle()
    expect(waiting.code).toBe('FENCED_INSTANCE_ID')
    const leader = join(ids[0]!, instance('i0'))
    await settle()
    expect(leader.value!.members).toHaveLength(2)
    expect(back.value).toMatchObject({ generationId: 2 })
    const parked = sync(back.value!.memberId, 2, {}, 'i1')
    const third = join('', instance('i1'))
    await settle()
    expect(parked.code).toBe('FENCED_INSTANCE_ID')
    expect(third.settled).toBe(false)
    expect(state()).toBe('PreparingRebalance')
  })

  test('one that is late for a rebalance keeps its place until its session is over', async () => {
    const slow = { sessionTimeoutMs: 200_000 }
    const back = [join('', instance('i0', slow)), join('', instance('i1', slow))]
    await clock.advance(0)
    const [one, two] = back.map(({ value }) => value!.memberId)
    sync(one!, 1, { [one!]: '0', [two!]: '1' }, 'i0')
    sync(two!, 1, {}, 'i1')
    const again = join(one!, instance('i0', slow))
    await clock.advance(REBALANCE_MS)
    expect(again.value!.members).toHaveLength(2)
    expect(again.value!.generationId).toBe(2)
    expect(await beat(two!, 1, 'i1')).toBe('ILLEGAL_GENERATION')
    const late = join(two!, instance('i1', slow))
    await settle()
    expect(late.value).toMatchObject({ generationId: 2 })
    expect(await beat(two!, 2, 'i1')).toBe('ok')
    expect(await leave('', 'i1')).toBe('ok')
    expect(await leave('', 'i1')).toBe('UNKNOWN_MEMBER_ID')
    expect(await beat(two!, 2, 'i1')).toBe('UNKNOWN_MEMBER_ID')
  })
})

describe('commits', () => {
  test('GC6: member and generation are checked, ownership is not', async () => {
    const [one] = await stable(1)
    for (const kind of ['plain', 'transactional'] as const) {
      expect(await commit(one!, 1, kind)).toBe('ok')
      expect(await commit(one!, 0, kind)).toBe('ILLEGAL_GENERATION')
      expect(await commit(one!, -1, kind)).toBe('ILLEGAL_GENERATION')
      expect(await commit('x', 1, kind)).toBe('UNKNOWN_MEMBER_ID')
      expect(await commit(one!, 1, kind, 'i')).toBe('UNKNOWN_MEMBER_ID')
    }
  })

  test('GC6: outsiders commit to a group without members; into a living one only in a transaction', async () => {
    for (const kind of ['plain', 'transactional'] as const) {
      expect(await commit('', -1, kind)).toBe('ok')
      expect(await commit('', 3, kind)).toBe('ILLEGAL_GENERATION')
    }
    const [one] = await stable(1)
    expect(await commit('', -1, 'plain')).toBe('UNKNOWN_MEMBER_ID')
    expect(await commit('', -1, 'transactional')).toBe('ok')
    await leave(one!)
    expect(await commit('', -1, 'plain')).toBe('ok')
    expect(await commit(one!, 1, 'plain')).toBe('UNKNOWN_MEMBER_ID')
  })

  test('GC6: in CompletingRebalance plain commits are put off, transactional ones of the new generation are taken', async () => {
    const [one] = await stable(1)
    join(one!)
    await settle()
    expect(state()).toBe('CompletingRebalance')
    expect(await commit(one!, 2, 'plain')).toBe('REBALANCE_IN_PROGRESS')
    expect(await commit(one!, 2, 'transactional')).toBe('ok')
    expect(await commit(one!, 1, 'transactional')).toBe('ILLEGAL_GENERATION')
  })

  test('GC6: in PreparingRebalance the generation before is still the current one', async () => {
    const [one, two] = await stable(2)
    join(one!)
    await settle()
    expect(state()).toBe('PreparingRebalance')
    for (const id of [one!, two!]) expect(await commit(id, 1, 'plain')).toBe('ok')
  })
})

test('what is described: states, and who holds what while the group is stable', async () => {
  const describe = (ids?: string[]) => cluster.coordinator.describe(ids, ['only offsets'])
  expect(describe(['nobody'])).toEqual([{ groupId: 'nobody', state: 'Dead', members: [] }])
  const [one] = await stable(1)
  expect(describe().map(({ groupId, state }) => [groupId, state])).toEqual([
    [GROUP, 'Stable'],
    ['only offsets', 'Empty'],
  ])
  expect(describe([GROUP])[0]!.members).toEqual([{ memberId: one, instanceId: null, assigned: [] }])
})

test('after close what waited has failed, what is asked fails, and no timer is left', async () => {
  const [one, two] = await stable(2)
  const waiting = join(one!)
  cluster.coordinator.close()
  await settle()
  expect(waiting.code).toBe('CLOSED')
  expect(await beat(two!, 1)).toBe('CLOSED')
  expect(clock.pending).toBe(0)
})
