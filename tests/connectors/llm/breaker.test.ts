import { expect, test } from 'vitest'
import { Breaker, breakerDefaults } from '../../../connectors/llm/breaker.ts'

let now = 1_000_000
const fresh = (): Breaker => new Breaker(breakerDefaults, () => now)
const run = (breaker: Breaker, how: 'answered' | 'failed' | 'undecided', times: number): void => {
  for (let n = 0; n < times; n++) {
    const asked = breaker.ask()
    if (asked.admitted) asked.end(how)
  }
}
const isOpen = (breaker: Breaker): boolean => {
  const asked = breaker.ask()
  if (asked.admitted) asked.end('undecided')
  return !asked.admitted
}

test('B1: half of twenty calls open it, not half of nineteen, and not less than half', () => {
  const nineteen = fresh()
  run(nineteen, 'failed', 19)
  expect(isOpen(nineteen)).toBe(false)
  run(nineteen, 'failed', 1)
  expect(isOpen(nineteen)).toBe(true)
  const less = fresh()
  run(less, 'answered', 11)
  run(less, 'failed', 9)
  expect(isOpen(less)).toBe(false)
  const half = fresh()
  run(half, 'answered', 10)
  run(half, 'failed', 10)
  expect(isOpen(half)).toBe(true)
})

test('B1: what is older than a minute no longer counts', () => {
  const breaker = fresh()
  run(breaker, 'failed', 19)
  now += 61_000
  run(breaker, 'failed', 1)
  expect(isOpen(breaker)).toBe(false)
  now += 30_000
  run(breaker, 'failed', 19)
  expect(isOpen(breaker)).toBe(true)
})

test('calls that the caller gave up count neither way', () => {
  const breaker = fresh()
  run(breaker, 'undecided', 100)
  run(breaker, 'failed', 19)
  expect(isOpen(breaker)).toBe(false)
})

test('B2: open for 30 s, then one probe at a time', () => {
  const breaker = fresh()
  run(breaker, 'failed', 20)
  expect(breaker.ask()).toEqual({ admitted: false, waitMs: 30_000 })
  now += 29_999
  expect(breaker.ask()).toEqual({ admitted: false, waitMs: 1 })
  now += 1
  const probe = breaker.ask()
  expect(probe.admitted).toBe(true)
  expect(breaker.ask()).toMatchObject({ admitted: false, waitMs: 3_000 })
})

test('B3: a good probe closes it and forgets, a bad one opens it again, one given up decides nothing', () => {
  const breaker = fresh()
  run(breaker, 'failed', 20)
  now += 30_000
  run(breaker, 'undecided', 1)
  run(breaker, 'failed', 1)
  expect(breaker.ask()).toEqual({ admitted: false, waitMs: 30_000 })
  const good = fresh()
  run(good, 'failed', 20)
  now += 30_000
  run(good, 'answered', 1)
  run(good, 'failed', 19)
  expect(isOpen(good)).toBe(false)
})

test('a call that began before it opened does not decide about the probe', () => {
  const breaker = fresh()
  const early = breaker.ask()
  run(breaker, 'failed', 20)
  if (early.admitted) early.end('answered')
  expect(isOpen(breaker)).toBe(true)
})
