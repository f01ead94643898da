/** What operators see: all tenants' records without what is said about persons; and that nobody else sees anything. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operatorEndpoints } from '../../../api/index.ts'
import type { BlockedKeyView, PlatformView, UserPrincipal } from '../../../api/index.ts'
import { openMemoryLog, partitionFor, RecordBatchBuilder } from '../../../connectors/kafka/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import type { AnyEvent, EventSerde } from '../../../schemas/index.ts'
import { authEvents, eventCodec } from '../../../schemas/index.ts'
import type { Serde } from '../../../topology/index.ts'
import { keyRingOf, memoryRegistry } from '../../schemas/fixtures.ts'
import type { TestServer } from '../http/world.ts'
import {
  call,
  organizationOf,
  person,
  serve,
  systemClock,
  systemRandom,
  tenantA,
  tenantB,
  tokenOf,
} from '../http/world.ts'

const operator = person(tenantA)
const namesake = person(tenantA, { userId: '0a000000-0000-4000-8000-000000000101', role: 'member' })
const stranger = person(tenantB)
const emails = new Map([
  [operator.userId, 'Ops@Lifecycle.test'],
  [namesake.userId, 'colleague@lifecycle.test'],
  [stranger.userId, 'eve@b.example'],
])
const start = 1_767_225_600_000

let log: Log
let server: TestServer
const redriven: unknown[] = []
const notices: string[] = []
const blocked: BlockedKeyView = {
  application: 'research',
  task: 'main_0',
  key: `${tenantB}|${organizationOf(tenantB)}`,
  count: 2,
  bytes: 20,
  reason: 'bad_frame',
  message: 'not in Confluent framing',
  topic: 'auth_events',
  partition: 0,
  offset: '7',
  since: new Date(start).toISOString(),
}
const platform: PlatformView = {
  topology: () => Promise.resolve({ applications: [], projections: [], topics: [] }),
  blocked: () => Promise.resolve({ blocked: [blocked], tasks: 3, tasks_in_all: 24 }),
  redrive: (application, key, skipFirst) => {
    if (application !== blocked.application || key !== blocked.key) return Promise.resolve(null)
    redriven.push(skipFirst)
    return Promise.resolve(skipFirst ? 0 : 2)
  },
}

const get = (path: string, as: UserPrincipal = operator) => call(`${server.url}/api/v1${path}`, { token: tokenOf(as) })
const post = (path: string, body: unknown, as: UserPrincipal = operator) =>
  call(`${server.url}/api/v1${path}`, { token: tokenOf(as), body })

beforeAll(async () => {
  log = openMemoryLog({ clock: systemClock, random: systemRandom })
  const names = ['auth_events', 'auth_events.dlq', 'research-sessions-changelog']
  await log.createTopics(names.map((name) => ({ name, partitions: 1, config: {} })))
  const keyRing = keyRingOf(tenantA, tenantB)
  await keyRing.load([tenantA, tenantB])
  const codec = await eventCodec(authEvents, { registry: memoryRegistry(), keyRing })
  await write(codec as unknown as EventSerde<never>)
  const endpoints = operatorEndpoints({
    log,
    codec: () => codec as unknown as Required<Serde<AnyEvent>>,
    platform,
    notice: (line) => notices.push(line),
    operators: {
      named: new Set(['ops@lifecycle.test']),
      emailOf: ({ userId }) => Promise.resolve(emails.get(userId)!),
    },
  })
  server = await serve(endpoints)
})
afterAll(async () => {
  await server.close()
  await log.close()
})

/** 20 sign-ups, the tenants in turn, an hour apart; an aborted one at the end; a bad record; a dead letter; state. */
async function write(codec: EventSerde<never>): Promise<void> {
  const signUp = (n: number, tenant: string): Buffer =>
    codec.serialize(
      {
        ...authEvents.events.signup_requested.example,
        email: `person-${String(n)}@${tenant === tenantA ? 'a' : 'b'}.example`,
        event_id: `e${String(n)}`,
        event_type: 'signup_requested',
        event_version: 1,
        timestamp: start + n * 3_600_000,
        tenant_id: tenant,
        organization_id: organizationOf(tenant),
        correlation_id: 'c',
        causation_id: '',
        source: 'identity',
        actor: { type: 'user', id: 'u' },
      } as never,
      Buffer.from(`${tenant}|${organizationOf(tenant)}`),
    )
  const keyOf = (tenant: string): Buffer => Buffer.from(`${tenant}|${organizationOf(tenant)}`)
  expect(partitionFor(keyOf(tenantA), 1)).toBe(0)
  const producer = await log.openProducer({ transactionalId: 'test', transactionTimeoutMs: 10_000 })
  const inTransaction = async (topic: string, fill: (records: RecordBatchBuilder) => void, end: 'commit' | 'abort') => {
    const records = new RecordBatchBuilder()
    fill(records)
    producer.begin()
    await producer.append([{ topic, partition: 0, records }])
    await producer.end(end)
  }
  const pair = [tenantA, tenantB]
  await inTransaction(
    'auth_events',
    (records) => {
      for (let n = 0; n < 20; n++)
        records.append(start + n * 3_600_000, keyOf(pair[n % 2]!), signUp(n, pair[n % 2]!), [
          { key: 'traceparent', value: Buffer.from('00-1') },
        ])
    },
    'commit',
  )
  await inTransaction(
    'auth_events',
    (records) => records.append(start, keyOf(tenantA), signUp(99, tenantA), []),
    'abort',
  )
  await inTransaction(
    'auth_events',
    (records) => records.append(start + 1e9, keyOf(tenantB), Buffer.from('rubbish'), []),
    'commit',
  )
  const header = (key: string, value: string) => ({ key: `dlq-${key}`, value: Buffer.from(value) })
  const why = [
    header('topic', 'auth_events'),
    header('partition', '0'),
    header('offset', '22'),
    header('application', 'research'),
    header('reason', 'bad_frame'),
    header('message', 'not a frame'),
    header('at', String(start)),
  ]
  await inTransaction(
    'auth_events.dlq',
    (records) => records.append(start, keyOf(tenantB), Buffer.from('rubbish'), why),
    'commit',
  )
  await inTransaction(
    'research-sessions-changelog',
    (records) => records.append(start, keyOf(tenantB), Buffer.from('state of b'), []),
    'commit',
  )
  await producer.close()
}

describe('who', () => {
  const paths = [
    '/operator/topology',
    '/operator/topics',
    '/operator/topics/auth_events/records',
    '/operator/dead-letters',
    '/operator/blocked',
  ]

  test('named accounts, by their address in any case', async () => {
    for (const path of paths) expect((await get(path)).status, path).toBe(200)
    expect((await get('/operator/access')).body).toEqual({ operator: true })
  })

  test('nobody else, not even of the same organization; all in the same words', async () => {
    for (const as of [namesake, stranger]) {
      for (const path of [...paths, '/operator/topics/none/records']) {
        const { status, body } = await get(path, as)
        expect([status, body.code, body.detail]).toEqual([
          403,
          'not_an_operator',
          'This is for operators: the accounts that CONSOLE_OPERATORS names.',
        ])
      }
      expect((await post('/operator/redrive', { application: 'research', key: blocked.key }, as)).status).toBe(403)
      expect((await get('/operator/access', as)).body).toEqual({ operator: false })
    }
    expect(redriven).toEqual([])
  })
})

test('an agent with the address of an operator is none: a supervisor typed it, and no mailbox has proved it', async () => {
  for (const tenant of [tenantA, tenantB]) {
    const agent = person(tenant, { userId: operator.userId, userType: 'agent', role: 'supervisor' })
    expect((await get('/operator/topology', agent)).body.code).toBe('not_an_operator')
    expect((await get('/operator/access', agent)).body).toEqual({ operator: false })
  }
})

describe('topic browser', () => {
  const records = async (query: string, as = operator, topic = 'auth_events') =>
    (await get(`/operator/topics/${topic}/records${query}`, as)).body

  test('topics by kind, with their bounds', async () => {
    expect((await get('/operator/topics')).body.topics).toMatchObject([
      { name: 'auth_events', kind: 'event', partitions: [{ partition: 0, start: '0' }] },
      { name: 'auth_events.dlq', kind: 'dead_letter' },
      { name: 'research-sessions-changelog', kind: 'changelog' },
    ])
  })

  test('decoded; personal fields for the reader’s own tenant alone', async () => {
    const { records: page } = await records('?offset=0&limit=2')
    expect(page[0]).toMatchObject({
      offset: '0',
      timestamp: new Date(start).toISOString(),
      key: `${tenantA}|${organizationOf(tenantA)}`,
      kind: 'event',
      headers: [{ key: 'traceparent', value: '00-1' }],
      event: {
        envelope: { event_type: 'signup_requested', tenant_id: tenantA },
        payload: { email: 'person-0@a.example' },
      },
      hidden: [],
    })
    expect(page[1]).toMatchObject({
      event: { envelope: { tenant_id: tenantB } },
      hidden: ['email', 'first_name', 'last_name'],
    })
    expect(JSON.stringify(await records('?offset=0&limit=100'))).not.toContain('@b.example')
  })

  test('a page, and the next', async () => {
    const first = await records('?offset=3&limit=4')
    expect(first.records.map(({ offset }: { offset: string }) => offset)).toEqual(['3', '4', '5', '6'])
    expect(first.next_offset).toBe('7')
    expect((await records(`?offset=${String(first.next_offset)}&limit=1`)).records[0].offset).toBe('7')
  })

  test('what was aborted does not show, and markers are passed over', async () => {
    const { records: page, end } = await records('?offset=19')
    expect(page.map(({ offset }: { offset: string }) => offset)).toEqual(['19', '23'])
    expect(end).toBe('25')
  })

  test('the newest, when no place is asked for', async () => {
    const { records: page } = await records('?limit=2')
    expect(page.map(({ offset }: { offset: string }) => offset)).toEqual(['19', '23'])
  })

  test('from a time on', async () => {
    const at = new Date(start + 7.5 * 3_600_000).toISOString()
    expect((await records(`?at=${at}&limit=1`)).records[0].offset).toBe('8')
    expect((await records(`?at=${new Date(start - 1).toISOString()}&limit=1`)).records[0].offset).toBe('0')
    expect((await records(`?at=${new Date(start + 2e9).toISOString()}`)).records).toEqual([])
  })

  test('a record that is none says why; state stays closed', async () => {
    expect((await records('?offset=23')).records[0]).toMatchObject({
      kind: 'undecodable',
      event: null,
      why: expect.stringContaining('bad_frame'),
    })
    const state = await records('', operator, 'research-sessions-changelog')
    expect(state.records[0]).toMatchObject({ kind: 'internal', event: null, bytes: 10 })
    expect(JSON.stringify(state)).not.toContain('state of b')
  })

  test.each(['?partition=1', '?partition=-1', '?offset=x', '?at=yesterday', '?limit=101', '?nothing=1'])(
    '%s is refused',
    async (query) => {
      expect([400, 404]).toContain((await get(`/operator/topics/auth_events/records${query}`)).status)
    },
  )

  test('a topic that is not there', async () => {
    expect((await get('/operator/topics/none/records')).status).toBe(404)
  })
})

describe('dead letters', () => {
  test('where they stand and why, not what they hold', async () => {
    const { body } = await get('/operator/dead-letters')
    expect(body).toMatchObject({
      more: false,
      dead_letters: [
        {
          topic: 'auth_events',
          offset: '22',
          application: 'research',
          reason: 'bad_frame',
          at: new Date(start).toISOString(),
        },
      ],
    })
    expect(JSON.stringify(body)).not.toContain('rubbish')
  })

  test('blocked keys, and of how many of all tasks they are', async () => {
    expect((await get('/operator/blocked')).body).toEqual({ blocked: [blocked], tasks: 3, tasks_in_all: 24 })
  })

  test('processed again or skipped, with a line about who did it', async () => {
    const again = await post('/operator/redrive', { application: 'research', key: blocked.key })
    expect(again.body).toEqual({ application: 'research', key: blocked.key, left: 2 })
    await post('/operator/redrive', { application: 'research', key: blocked.key, skip_first: true })
    expect(redriven).toEqual([false, true])
    expect(notices).toEqual([
      `console: ops@lifecycle.test redrove research ${blocked.key}: 2 left`,
      `console: ops@lifecycle.test redrove research ${blocked.key}, the first one skipped: 0 left`,
    ])
    expect((await post('/operator/redrive', { application: 'research', key: 'other' })).status).toBe(404)
  })
})
