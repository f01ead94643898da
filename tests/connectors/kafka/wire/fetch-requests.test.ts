/** Reading from two leaders of which one is silent, or alone. The leaders are ours, and answer when they are told to (KF1-KF3). */

import { beforeEach, describe, expect, test } from 'vitest'
import type { FetchedPartition } from '../../../../connectors/kafka/index.ts'
import { LogError } from '../../../../connectors/kafka/index.ts'
import type { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import type { Connections, Route } from '../../../../connectors/kafka/wire/connections.ts'
import { FetchRequests } from '../../../../connectors/kafka/wire/fetch-requests.ts'
import { HandClock, settle } from '../hand-clock.ts'

const maxWaitMs = 500
const timeoutMs = 30_000
const leaders = ['a', 'b'].map((host) => ({ host, port: 1 }))
const topics = new Map([['t', { name: 't', id: 'id of t', internal: false, leaders: [0, 1] }]])
const places = [0, 1].map((partition) => ({ topic: 't', partition, offset: 0n, maxBytes: 1000 }))
const somebodyElseLeads = 6

let clock: HandClock
let asked: string[]
/** What a leader does with a question, by its host. */
let leader: Record<string, (route: Route) => Promise<number>>

beforeEach(() => {
  clock = new HandClock()
  asked = []
  leader = { a: empty, b: silent }
})

const later = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))
const empty = (): Promise<number> => later(maxWaitMs).then(() => 0)
const silent = ({ timeoutMs: boundMs }: Route): Promise<never> =>
  later(boundMs).then(() => Promise.reject(new LogError('TIMEOUT', 'no answer', 'retry')))

function opened(of = places): { fetch: (signal?: AbortSignal) => Promise<readonly FetchedPartition[]> } {
  const cluster = {
    led: async () => ({
      nodes: new Map(of.map((place) => [leaders[place.partition]!, [place]])),
      unknown: [],
      leaderless: [],
      topics,
    }),
    forget: () => undefined,
  }
  const call = async (route: Route): Promise<unknown> => {
    asked.push(route.to.host)
    const errorCode = await leader[route.to.host]!(route)
    const partition = leaders.indexOf(route.to)
    const ends = { highWatermark: 0n, lastStableOffset: 0n, logStartOffset: 0n }
    return {
      errorCode: 0,
      partitions: [{ topicId: 'id of t', partition, errorCode, records: null, aborted: [], ...ends }],
    }
  }
  const requests = new FetchRequests({
    cluster: cluster as unknown as Cluster,
    connections: { call } as unknown as Connections,
    clock,
    timeoutMs,
    notice: () => undefined,
  })
  return {
    fetch: (signal) =>
      requests.fetch({ partitions: of, isolation: 'read_committed', maxWaitMs, ...(signal && { signal }) }),
  }
}

/** @returns how long it took, and what was fetched */
async function timed(fetch: Promise<readonly FetchedPartition[]>): Promise<{ ms: number; partitions: number[] }> {
  const startedAt = clock.now()
  let ended: { ms: number; partitions: number[] } | null = null
  void fetch.then((answer) => {
    ended = { ms: clock.now() - startedAt, partitions: answer.map(({ partition }) => partition).sort() }
  })
  await settle()
  for (let turned = 0; ended === null && turned < 60_000; turned += 10) await clock.advance(10)
  expect(ended, 'it ends').not.toBeNull()
  return ended!
}

describe('a leader that is silent (KF3)', () => {
  test('is not waited for by those who read from another', async () => {
    const { fetch } = opened()
    const { ms, partitions } = await timed(fetch())
    expect(partitions).toEqual([0])
    expect(ms).toBeGreaterThanOrEqual(maxWaitMs)
    expect(ms).toBeLessThan(2 * maxWaitMs)
  })

  test('stays asked: the next fetch does not ask it again, and gets its answer', async () => {
    const { fetch } = opened()
    const answered = Promise.withResolvers<number>()
    leader['b'] = () => answered.promise
    await timed(fetch())
    await timed(fetch())
    expect(asked.toSorted()).toEqual(['a', 'a', 'b'])
    answered.resolve(0)
    expect((await timed(fetch())).partitions).toEqual([0, 1])
    expect((await timed(fetch())).ms).toBeGreaterThanOrEqual(maxWaitMs)
    expect(asked.filter((host) => host === 'b')).toHaveLength(2)
  })

  test('is given more time when it alone is asked, and its end is no trouble of who reads (KF1)', async () => {
    const { fetch } = opened([places[1]!])
    const { ms, partitions } = await timed(fetch())
    expect(partitions).toEqual([])
    expect(ms).toBeGreaterThan(4 * maxWaitMs)
    expect(ms).toBeLessThan(timeoutMs / 2)
    while (asked.length === 1) expect((await timed(fetch())).partitions).toEqual([])
    leader['b'] = empty
    for (let fetches = 0; fetches < 10; fetches++) await timed(fetch())
    expect((await timed(fetch())).partitions).toEqual([1])
  })
})

describe('a fetch in vain', () => {
  test('does not turn round at once (KF2)', async () => {
    const { fetch } = opened()
    leader = { a: () => Promise.resolve(somebodyElseLeads), b: () => Promise.resolve(somebodyElseLeads) }
    expect(await timed(fetch())).toEqual({ ms: 100, partitions: [] })
  })

  test('that has waited already does not wait on (KF2)', async () => {
    const { fetch } = opened()
    leader['b'] = () => Promise.resolve(somebodyElseLeads)
    expect(await timed(fetch())).toEqual({ ms: maxWaitMs, partitions: [0] })
  })

  test('ends when its reader goes away, and leaves no timer', async () => {
    const { fetch } = opened()
    leader = { a: () => new Promise(() => undefined), b: () => new Promise(() => undefined) }
    const gone = new AbortController()
    const fetched = fetch(gone.signal)
    await settle()
    gone.abort()
    expect(await fetched).toEqual([])
    expect(clock.pending).toBe(0)
  })
})
