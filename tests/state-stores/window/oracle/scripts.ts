/**
 * Operation sequences for window stores: what Kafka Streams is asked (WindowOracle.java) and what ours is held to. Drawn
 * from fixed seeds; late, expired, repeated and deleted windows in each, and two tenants.
 */

import type { WindowOptions } from '../../../../state-stores/index.ts'

/** Keys and values are latin1 text. */
export type WindowOperation =
  | readonly ['put', key: string, windowStart: number, value: string | null]
  | readonly ['get', key: string, windowStart: number]
  | readonly ['fetch', key: string, from: number, to: number, reverse: boolean]
  | readonly ['fetchKeys', first: string | null, last: string | null, from: number, to: number, reverse: boolean]
  | readonly ['fetchAll', from: number, to: number, reverse: boolean]
  | readonly ['all', reverse: boolean]

export interface WindowScript extends WindowOptions {
  readonly ops: readonly WindowOperation[]
}

export type WindowAnswer = null | string | readonly (readonly [key: string, windowStart: number, value: string])[]

export interface WindowPlay {
  readonly answers: readonly WindowAnswer[]
  readonly dropped: number
  readonly changelog: readonly (readonly [keyHex: string, value: string | null])[]
}

export interface WindowRecording {
  readonly script: WindowScript
  readonly persistent: WindowPlay
  /** Only what is compared: answers are left out for duplicates. */
  readonly inMemory: Omit<WindowPlay, 'changelog'>
}

const OPERATIONS = 300

/** Keys that are prefixes of one another, and some whose continuation looks like a time. */
const KEYS = ['a|1', 'a|1\0', 'a|1\0\0\0\0\0\0\0\x01', 'a|2', 'a|\xff', 'b|1', 'b|2', 'b', '\xff', '\0']

interface Shape {
  readonly retentionMs: number
  readonly windowSizeMs: number
  /** Time of the first put. */
  readonly base: number
}

const SHAPES: readonly Shape[] = [
  { retentionMs: 1_000, windowSizeMs: 1_000, base: 0 },
  { retentionMs: 60_000, windowSizeMs: 10_000, base: 0 },
  { retentionMs: 90_000, windowSizeMs: 5_000, base: 1_700_000_000_000 },
  { retentionMs: 150_001, windowSizeMs: 7_000, base: 1_700_000_012_345 },
  { retentionMs: 600_000, windowSizeMs: 60_000, base: 1_700_000_000_000 },
]

export const windowScripts = (): readonly WindowScript[] =>
  [false, true].flatMap((retainDuplicates) =>
    SHAPES.map(({ retentionMs, windowSizeMs, base }, index) => ({
      retentionMs,
      windowSizeMs,
      retainDuplicates,
      ops: operations({ retentionMs, windowSizeMs, base }, retainDuplicates, index * 2 + Number(retainDuplicates) + 1),
    })),
  )

function operations(shape: Shape, retainDuplicates: boolean, seed: number): WindowOperation[] {
  const draw = drawer(seed)
  const { retentionMs, windowSizeMs, base } = shape
  let now = base
  const key = (): string => KEYS[draw(KEYS.length)] as string
  /** Most are near the newest, some around the edge of what is kept, a few far outside. */
  const time = (): number => {
    const edge = now - retentionMs + draw(5) - 2
    const back = [draw(windowSizeMs), draw(retentionMs), now - edge, draw(3 * retentionMs + 120_000)][draw(4)] as number
    return Math.max(0, now - back)
  }
  const windowed = (at: number): number => (draw(3) === 0 ? at : at - (at % windowSizeMs))
  const put = (): WindowOperation => {
    if (draw(3) === 0) now += [draw(windowSizeMs), windowSizeMs, draw(retentionMs), 1][draw(4)] as number
    const at = draw(2) === 0 ? windowed(now) : windowed(time())
    return ['put', key(), at, draw(6) === 0 ? null : `v${draw(1000)}`]
  }
  const span = (): [number, number] => {
    const [x, y] = [time(), time() + draw(2) * draw(retentionMs)]
    return draw(8) === 0 ? [Math.max(x, y), Math.min(x, y)] : [Math.min(x, y), Math.max(x, y)]
  }
  const bound = (): string | null => (draw(5) === 0 ? null : key())
  const read = (): WindowOperation => {
    const reverse = draw(2) === 0
    const which = draw(retainDuplicates ? 4 : 6)
    if (which === 0) return ['all', reverse]
    if (which === 1) return ['fetchAll', ...span(), reverse]
    if (which === 2) return ['fetchKeys', ...ordered(bound(), bound()), ...span(), reverse]
    if (which === 3) return ['fetch', key(), ...span(), reverse]
    return ['get', key(), windowed(time())]
  }
  return Array.from({ length: OPERATIONS }, () => (draw(4) < 3 ? put() : read()))
}

const ordered = (x: string | null, y: string | null): [string | null, string | null] =>
  x !== null && y !== null && x > y ? [y, x] : [x, y]

/** Whole numbers below a bound, alike in every run (mulberry32). */
function drawer(seed: number): (below: number) => number {
  let state = seed * 0x9e3779b9
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}
