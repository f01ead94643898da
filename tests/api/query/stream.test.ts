/** Server-sent events: what is told to whom, and that nothing is lost or told twice between two connections. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isBehind, later, parseCursor } from '../../../api/query/stream-cursor.ts'
import { organizationOf, person, tenantA, tenantB, tokenOf } from '../http/world.ts'
import { insertAgents } from '../../contracts/agent-rows.ts'
import { eventRow } from './timeline-world.ts'
import type { World } from './world.ts'
import { fill, openWorld, ownerA, ownerB } from './world.ts'
import { queryDefaults } from '../../../api/index.ts'
import type { UserPrincipal } from '../../../api/index.ts'

let world: World
const agent = person(tenantA, { userType: 'agent', userId: '0d000000-0000-4000-8000-000000000001' })
const sink = 'timeline-client-events'

beforeAll(async () => {
  const stream = {
    ...queryDefaults.stream,
    lookMs: 20,
    beatMs: 200,
    longestMs: 3_000,
    page: 3,
    perUser: 2,
    perTenant: 3,
  }
  world = await openWorld({ settings: { stream } })
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
  for (const part of [0, 1])
    await world.insert('sink_offsets', {
      sink,
      topic: 'client_events',
      part,
      cluster_id: 'c',
      topic_id: 't',
      partitions: 2,
      next_offset: 0,
      epoch: 1,
    })
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  await world.owner.query('delete from lifecycle.timeline_client_events')
  await world.owner.query('update lifecycle.sink_offsets set next_offset = 0')
})

/** Writes a row and moves the sink behind it, as one batch does. */
async function happened(tenant: string, n: number, partition = 0): Promise<void> {
  const event = {
    topic: 'client_events',
    event_id: `${tenant.slice(0, 2)}-${String(partition)}-${String(n)}`,
    type: 'stage_changed',
    partition,
  }
  await world.insert('timeline_client_events', eventRow(tenant, n, event))
  await world.owner.query('update lifecycle.sink_offsets set next_offset = $1 where sink = $2 and part = $3', [
    n + 1,
    sink,
    partition,
  ])
}

interface Told {
  readonly event: string
  readonly id: string
  readonly data: { readonly event_id: string }
}

class Listening implements AsyncDisposable {
  readonly told: Told[] = []
  readonly status: number
  beats = 0
  isOver = false
  readonly #abort: AbortController
  readonly #done: Promise<void>

  private constructor(response: Response, abort: AbortController) {
    this.status = response.status
    this.#abort = abort
    this.#done = this.#read(response).catch(() => undefined)
  }

  static async open(as: UserPrincipal, query = '', lastEventId?: string): Promise<Listening> {
    const abort = new AbortController()
    const headers = {
      authorization: `Bearer ${tokenOf(as)}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    }
    return new Listening(
      await fetch(`${world.server.url}/api/v1/stream${query}`, { headers, signal: abort.signal }),
      abort,
    )
  }

  async #read(response: Response): Promise<void> {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        if (block.startsWith(':')) this.beats++
        else this.told.push(toldOf(block))
      }
    }
    this.isOver = true
  }

  get events(): string[] {
    return this.told.filter(({ event }) => event === 'event').map(({ data }) => data.event_id)
  }

  async until(what: (listening: Listening) => boolean): Promise<void> {
    for (const deadline = Date.now() + 5_000; !what(this); await new Promise((resolve) => setTimeout(resolve, 10)))
      if (Date.now() > deadline) throw new Error(`did not come; told was ${JSON.stringify(this.told)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#done
  }
}

function toldOf(block: string): Told {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2))) as Record<string, string>
  return { event: fields['event']!, id: fields['id']!, data: JSON.parse(fields['data']!) as Told['data'] }
}

const begun = ({ told }: Listening): boolean => told.some(({ event }) => event === 'start')

test('SE1: each hears their own tenant, an agent those assigned, from when it is assigned until it is not', async () => {
  const assign = (tenant: string) =>
    world.owner.query(
      'insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at) values ($1, $2, $2, $3, now())',
      [tenant, agent.userId, 'owner'],
    )
  await insertAgents(world.owner, { [agent.userId]: [agent.userId] })
  // What tells the tests that the agent's stream has passed what came before.
  const tenantC = '0c000000-0000-4000-8000-000000000001'
  await assign(tenantC)
  await using a = await Listening.open(ownerA)
  await using b = await Listening.open(ownerB)
  await using c = await Listening.open(agent)
  await Promise.all([a.until(begun), b.until(begun), c.until(begun)])
  await happened(tenantA, 0)
  await happened(tenantB, 1)
  await happened(tenantC, 2)
  await a.until(({ events }) => events.length === 1)
  await b.until(({ events }) => events.length === 1)
  await c.until(({ events }) => events.length === 1)
  expect([a.events, b.events, c.events]).toEqual([['0a-0-0'], ['0b-0-1'], ['0c-0-2']])
  await assign(tenantB)
  await happened(tenantB, 3)
  await c.until(({ events }) => events.length === 2)
  await world.owner.query('delete from auth.client_assignments where tenant_id = $1', [tenantB])
  await happened(tenantB, 4)
  await happened(tenantC, 5)
  await c.until(({ events }) => events.includes('0c-0-5'))
  expect(c.events).toEqual(['0c-0-2', '0b-0-3', '0c-0-5'])
  await world.owner.query('delete from auth.client_assignments')
})

test('SE2: a reader that comes back with the last id is told what it missed, once, over partitions and pages', async () => {
  let lastId: string
  {
    await using first = await Listening.open(ownerA)
    await first.until(begun)
    for (const n of [0, 1]) await happened(tenantA, n)
    await happened(tenantA, 0, 1)
    await first.until(({ events }) => events.length === 3)
    lastId = first.told.find(({ data }) => data.event_id === '0a-0-1')!.id
  }
  for (const n of [2, 3, 4, 5, 6]) await happened(tenantA, n)
  for (const n of [1, 2]) await happened(tenantA, n, 1)
  await happened(tenantB, 7)
  await using second = await Listening.open(ownerA, '', lastId)
  await second.until(({ told }) => told.length >= 9)
  const missed = ['0a-0-2', '0a-0-3', '0a-0-4', '0a-0-5', '0a-0-6', '0a-1-1', '0a-1-2']
  expect(second.events.filter((id) => missed.includes(id))).toEqual(missed)
  // What was told after the id it came back with is told again, nothing before it.
  expect(new Set(second.events)).toEqual(new Set([...missed, ...second.events.filter((id) => id === '0a-1-0')]))
})

test('SE2: rows that a rebuild writes again are not told again', async () => {
  await using a = await Listening.open(ownerA)
  await a.until(begun)
  await happened(tenantA, 0)
  await a.until(({ events }) => events.length === 1)
  await world.owner.query('delete from lifecycle.timeline_client_events')
  await world.owner.query('update lifecycle.sink_offsets set next_offset = 0')
  await new Promise((resolve) => setTimeout(resolve, 100))
  await happened(tenantA, 0)
  await happened(tenantA, 1)
  await a.until(({ events }) => events.length === 2)
  expect(a.events).toEqual(['0a-0-0', '0a-0-1'])
})

test('SE3: signs of life while nothing happens, and an end after its time', async () => {
  await using a = await Listening.open(ownerA)
  await a.until(({ beats }) => beats >= 2)
  await a.until(({ isOver }) => isOver)
  expect(a.told.at(-1)).toMatchObject({ event: 'end', data: { reason: 'time' } })
})

test('SE3: one person has a few streams, no more', async () => {
  await using one = await Listening.open(ownerA)
  await using two = await Listening.open(ownerA)
  await Promise.all([one.until(begun), two.until(begun)])
  await using three = await Listening.open(ownerA)
  expect(three.status).toBe(429)
  await using other = await Listening.open(ownerB)
  expect(other.status).toBe(200)
})

test('SE3: many at once get no more places than one after the other, and what is refused later gives its place back', async () => {
  const many = await Promise.all(Array.from({ length: 12 }, () => Listening.open(ownerA)))
  expect(many.map(({ status }) => status).sort()).toEqual([200, 200, ...Array.from({ length: 10 }, () => 429)])
  await using other = await Listening.open(ownerB)
  expect(other.status).toBe(200)
  for (const each of many) await each[Symbol.asyncDispose]()
  const clumsy = person(tenantA, { userId: '0a000000-0000-4000-8000-000000000177' })
  for (let n = 0; n < 3; n++) {
    await using bad = await Listening.open(clumsy, '', 'not a cursor')
    expect(bad.status).toBe(400)
  }
  await using good = await Listening.open(clumsy)
  expect(good.status).toBe(200)
})

test('SE3: the people of one client have so many together, and leave the rest to others', async () => {
  const of = (tenant: string, n: number) => Listening.open(person(tenant, { userId: `${tenant.slice(0, -3)}3${n}0` }))
  const own = await Promise.all([1, 2, 3, 4, 5].map((n) => of(tenantA, n)))
  expect(own.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429])
  await using other = await of(tenantB, 1)
  expect(other.status).toBe(200)
  for (const each of own) await each[Symbol.asyncDispose]()
})

test('SE1: who is removed meanwhile hears nothing more, and the stream says so; another tenant hears on', async () => {
  await using a = await Listening.open(ownerA)
  await using b = await Listening.open(ownerB)
  await Promise.all([a.until(begun), b.until(begun)])
  await happened(tenantA, 0)
  await a.until(({ events }) => events.length === 1)
  world.removed.add(ownerA.userId)
  await happened(tenantA, 1)
  await happened(tenantB, 2)
  await a.until(({ isOver }) => isOver)
  await b.until(({ events }) => events.length === 1)
  world.removed.clear()
  expect(a.events).toEqual(['0a-0-0'])
  expect(a.told.at(-1)).toMatchObject({ event: 'end', data: { reason: 'access' } })
})

describe('what is refused', () => {
  test('another tenant’s organization, as if it did not exist', async () => {
    const ask = (organization: string) => Listening.open(ownerA, `?organization_id=${organization}`)
    await using foreign = await ask(organizationOf(tenantB))
    await using unknown = await ask('deadbeef-dead-4ead-8ead-deadbeefdead')
    await using own = await ask(organizationOf(tenantA))
    expect([foreign.status, unknown.status, own.status]).toEqual([404, 404, 200])
  })

  test.each([
    ['?topics=nothing_events', undefined],
    ['?topics=client_events,client_events', undefined],
    ['', 'not a cursor'],
    ['', 'review_events:0'],
    ['', `client_events:${'9'.repeat(19)}`],
  ])('%s, Last-Event-ID %s', async (query, lastEventId) => {
    await using answer = await Listening.open(ownerA, query, lastEventId)
    expect(answer.status).toBe(400)
  })

  test('what does not show in time', async () => {
    world.visible.answer = false
    await using answer = await Listening.open(ownerA, '?min_position=client_events-0@9')
    expect(answer.status).toBe(504)
    world.visible.answer = true
  })
})

test('SE2: cursors', () => {
  const cursor = parseCursor('client_events:41.7;review_events:', ['client_events', 'review_events'])
  expect(cursor).toEqual(
    new Map([
      ['client_events', [41n, 7n]],
      ['review_events', []],
    ]),
  )
  expect(isBehind([41n], [41n, 0n])).toBe(false)
  expect(isBehind([41n], [41n, 1n])).toBe(true)
  expect(later([5n], [3n, 2n])).toEqual([5n, 2n])
})
