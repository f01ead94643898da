/** Groups: we see those of others, members and offsets, and their tools see ours. */

import { describe, expect, test } from 'vitest'
import type { GroupSession, Log, TopicPartition } from '../../connectors/kafka/index.ts'
import { batchOf, written } from './records.ts'
import type { World } from './world.ts'

const partitionCount = 3
const ten = Array.from({ length: 10 }, (_, index) => written(`k${index}`, `v${index}`))

const placesOf = (topic: string): TopicPartition[] =>
  Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))

async function filled({ newTopic, log }: World): Promise<string> {
  const topic = await newTopic(partitionCount)
  const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  await producer.append(placesOf(topic).map((place) => ({ ...place, records: batchOf(ten) })))
  await producer.close()
  return topic
}

const committed = async (log: Log, group: string, topic: string): Promise<(string | null)[]> =>
  (await log.committedOffsets(group, placesOf(topic))).map((one) => one && `${one.offset} ${one.metadata}`)

const described = async (log: Log, group: string) => (await log.describeGroups([group]))[0]!

export function groupsSeen(world: () => World): void {
  describe('groups', () => {
    test('of the Java consumer: its members and offsets are seen by us', async () => {
      const { peer, log } = world()
      const topic = await filled(world())
      const [group, a, b] = ['group', 'member', 'member'].map(world().name) as [string, string, string]
      const config = { 'group.id': group, 'auto.offset.reset': 'earliest', 'enable.auto.commit': 'false' }
      const join = (name: string, more: object = {}) =>
        peer.ask<number[]>('join', { name, topic, config: { ...config, ...more } })
      expect(await join(a, { 'group.instance.id': 'instance-a' })).toEqual([0, 1, 2])
      const offsets = [
        [0, 4, 'at four'],
        [1, 10, ''],
      ]
      await peer.ask('commit', { name: a, topic, offsets })
      const { state, members } = await described(log, group)
      expect(state).toBe('Stable')
      expect(members).toHaveLength(1)
      expect(members[0]).toMatchObject({ instanceId: 'instance-a', assigned: placesOf(topic) })
      expect(await committed(log, group, topic)).toEqual(['4 at four', '10 ', null])
      expect((await log.describeGroups()).map(({ groupId }) => groupId)).toContain(group)
      await peer.ask('leave', { name: a })
      // A static member that only closes keeps its place.
      expect((await described(log, group)).members).toHaveLength(1)
      const dynamic = world().name('group')
      await join(b, { 'group.id': dynamic })
      expect(await described(log, dynamic)).toMatchObject({ state: 'Stable', members: [{ instanceId: null }] })
      await peer.ask('leave', { name: b })
      expect(await described(log, dynamic)).toMatchObject({ state: 'Empty', members: [] })
    })

    test('of the Java consumer by the protocol of KIP-848: its offsets are seen by us, its members are not', async () => {
      const { peer, log } = world()
      const topic = await filled(world())
      const [group, name] = [world().name('group'), world().name('member')]
      const config = { 'group.id': group, 'group.protocol': 'consumer', 'auto.offset.reset': 'earliest' }
      expect(await peer.ask<number[]>('join', { name, topic, config })).toEqual([0, 1, 2])
      await peer.ask('commit', { name, topic, offsets: [[2, 7, 'seven']] })
      expect(await committed(log, group, topic)).toEqual([null, null, '7 seven'])
      expect(await described(log, group)).toMatchObject({ state: 'Dead', members: [] })
      await peer.ask('leave', { name })
    })

    test('of kafkajs: its member and its offsets are seen by us', async () => {
      const { kafkaJs, log } = world()
      const topic = await filled(world())
      const group = world().name('group')
      const consumer = kafkaJs.consumer({ groupId: group })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      let seen = 0
      await consumer.run({
        eachMessage: () => {
          seen++
          return Promise.resolve()
        },
        autoCommitThreshold: 1,
      })
      await expect.poll(() => seen, { timeout: 15_000 }).toBe(30)
      await expect.poll(() => committed(log, group, topic), { timeout: 10_000 }).toEqual(['10 ', '10 ', '10 '])
      const { state, members } = await described(log, group)
      expect(state).toBe('Stable')
      expect(members.flatMap(({ assigned }) => assigned).sort((a, b) => a.partition - b.partition)).toEqual(
        placesOf(topic),
      )
      await consumer.disconnect()
      expect(await described(log, group)).toMatchObject({ state: 'Empty', members: [] })
    })

    test("ours is seen by Kafka's tools: members, assignment, offsets of a transaction, lag", async () => {
      const { log, peer, kafka } = world()
      const topic = await filled(world())
      const group = world().name('group')
      const session = await joined(log, group, topic)
      const producer = await log.openProducer({ transactionalId: group, transactionTimeoutMs: 60_000 })
      const send = async (partition: number, offset: bigint, outcome: 'commit' | 'abort'): Promise<void> => {
        producer.begin()
        await producer.sendOffsets(session.metadata(), [{ topic, partition, offset, metadata: 'ours' }])
        await producer.end(outcome)
      }
      await send(0, 4n, 'commit')
      await send(0, 9n, 'abort')
      await send(1, 10n, 'commit')
      const describeGroup = (...words: string[]) =>
        peer.tool(
          'consumer.group.ConsumerGroupCommand',
          ...['--bootstrap-server', kafka.bootstrap, '--describe', '--group', group, ...words],
        )
      const { memberId } = session.metadata()
      const columns = (lines: readonly string[]): string[][] => lines.slice(1).map((line) => line.trim().split(/\s+/))
      // group, topic, partition, leader epoch, current offset, end offset, lag, member
      const rows = columns(await describeGroup('--offsets', '--verbose'))
        .map(([id, of, partition, , current, end, lag, member]) => [id, of, partition, current, end, lag, member])
        .sort((a, b) => Number(a[2]) - Number(b[2]))
      expect(rows).toEqual([
        [group, topic, '0', '4', '10', '6', memberId],
        [group, topic, '1', '10', '10', '0', memberId],
        [group, topic, '2', '-', '10', '-', memberId],
      ])
      expect(await offsetsByKafkaJs(world(), group, topic)).toEqual(['4 ours', '10 ours', '-1 '])
      const members = (await describeGroup('--members', '--verbose')).join('\n')
      expect(members).toContain(memberId)
      expect(members).toMatch(new RegExp(`${topic}(:|\\()0,1,2`))
      expect((await describeGroup('--state')).join('\n')).toMatch(/Stable\s+1/)
      await session.leave()
      await producer.close()
      expect((await describeGroup('--state')).join('\n')).toMatch(/Empty\s+0/)
    })
  })
}

/** The tools do not show metadata. */
async function offsetsByKafkaJs({ kafkaJs }: World, groupId: string, topic: string): Promise<string[]> {
  const admin = kafkaJs.admin()
  await admin.connect()
  const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  const rows = [...fetched!.partitions].sort((a, b) => a.partition - b.partition)
  return rows.map(({ offset, metadata }) => `${offset} ${metadata ?? ''}`)
}

async function joined(log: Log, groupId: string, topic: string): Promise<GroupSession> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const nothing = (): Promise<void> => Promise.resolve()
  const session = await log.joinGroup({
    groupId,
    topics: [topic],
    instanceId: null,
    sessionTimeoutMs: 30_000,
    listener: {
      revoked: nothing,
      lost: nothing,
      assigned(added) {
        if (added.length === partitionCount) resolve()
        return Promise.resolve()
      },
    },
  })
  await promise
  return session
}
