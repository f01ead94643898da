import { describe, expect, it } from 'vitest'
import type { TopicPartition } from '../../../connectors/kafka/index.ts'
import type { Reader } from '../../../deploy/warp/stillness.ts'
import { isStill } from '../../../deploy/warp/stillness.ts'

/** Reads one partition. */
class Application implements Reader {
  isQuiet = true
  position: bigint
  readonly #place: TopicPartition

  constructor(topic: string, position: bigint, partition = 0) {
    this.#place = { topic, partition }
    this.position = position
  }

  places(): ReturnType<Reader['places']> {
    return [{ ...this.#place, position: this.position }]
  }
}

const nothing = (): void => undefined

describe('stillness', () => {
  const world = () => {
    const first = new Application('a', 5n)
    const second = new Application('b', 7n)
    const sink = new Application('a', 5n)
    const ends = new Map([
      ['a', 5n],
      ['b', 7n],
    ])
    const asked: (readonly TopicPartition[])[] = []
    const state = { practising: false, rows: 0, onRelay: nothing, onLog: nothing, afterLog: nothing, relayAsked: 0 }
    const look = (): Promise<boolean> =>
      isStill({
        readers: [first, second, sink],
        log: {
          listOffsets: async (partitions, which) => {
            expect(which).toBe('latest')
            state.onLog()
            asked.push(partitions)
            const answer = partitions.map(({ topic }) => ends.get(topic) ?? 0n)
            await Promise.resolve()
            state.afterLog()
            return answer
          },
        },
        practising: () => state.practising,
        relayed: async () => {
          state.relayAsked++
          await Promise.resolve()
          state.onRelay()
          return state.rows === 0
        },
      })
    return { first, second, sink, ends, asked, state, look }
  }

  it('is when all are quiet and have read everything, asked of the log in one request (WP1)', async () => {
    const { look, asked } = world()
    expect(await look()).toBe(true)
    expect(asked).toEqual([
      [
        { topic: 'a', partition: 0 },
        { topic: 'b', partition: 0 },
      ],
    ])
  })

  it('is not while anybody works, and then neither the database nor the log is asked (WP1)', async () => {
    const { look, asked, state, first, second, sink } = world()
    for (const reader of [first, second, sink]) {
      reader.isQuiet = false
      expect(await look()).toBe(false)
      reader.isQuiet = true
    }
    state.practising = true
    expect(await look()).toBe(false)
    expect(asked).toEqual([])
    expect(state.relayAsked).toBe(0)
  })

  it('is not while a row of the outbox is not in the log, and then the log is not asked (WP1)', async () => {
    const { look, asked, state } = world()
    state.rows = 1
    expect(await look()).toBe(false)
    expect(asked).toEqual([])
  })

  it('is not while any has something left to read, be it the sinks alone (WP1)', async () => {
    const { look, ends, first, second, sink } = world()
    ends.set('b', 8n)
    expect(await look()).toBe(false)
    second.position = 8n
    expect(await look()).toBe(true)
    ends.set('a', 6n)
    first.position = 6n
    expect(await look()).toBe(false)
    sink.position = 6n
    expect(await look()).toBe(true)
  })

  it('is not when somebody moved meanwhile, though all are quiet again (WP4)', async () => {
    const { look, state, ends, second } = world()
    // Reads what came, and writes to the first, whose end was asked already.
    state.afterLog = () => {
      second.position = 9n
      ends.set('a', 6n)
    }
    expect(await look()).toBe(false)
    state.afterLog = nothing
    ends.set('b', 9n)
    expect(await look()).toBe(false)
  })

  it('is not when somebody began to work, or the sandbox did, while the database or the log was asked (WP4)', async () => {
    const { look, state, second } = world()
    for (const when of ['onRelay', 'onLog', 'afterLog'] as const) {
      state[when] = () => (second.isQuiet = false)
      expect(await look(), when).toBe(false)
      second.isQuiet = true
      state[when] = () => (state.practising = true)
      expect(await look(), when).toBe(false)
      state.practising = false
      state[when] = nothing
    }
    expect(await look()).toBe(true)
  })

  it('is not when a task came or went meanwhile (WP4)', async () => {
    const { look, state, second } = world()
    const places = second.places.bind(second)
    state.afterLog = () => (second.places = () => [])
    expect(await look()).toBe(false)
    second.places = places
    state.afterLog = () => (second.places = () => [...places(), { topic: 'b', partition: 1, position: 0n }])
    expect(await look()).toBe(false)
  })
})
