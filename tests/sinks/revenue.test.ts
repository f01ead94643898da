/** The figures of recurring revenue, over generated histories of many customers. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { counts, monthlyRevenue, monthlyShare, unusedPart } from '../../processors/billing/mrr.ts'
import type { CustomerMonth } from '../../sinks/index.ts'
import { movementOf, revenueMonth } from '../../sinks/index.ts'

/** What a customer counts at the end of each month; the first entry is before the first month. */
const history = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })), {
  minLength: 2,
  maxLength: 14,
})

const monthsOf = (ends: readonly number[]): CustomerMonth[] =>
  ends.slice(1).map((ending, n) => ({
    starting: ends[n] ?? 0,
    ending,
    knownBefore: ends.slice(0, n + 1).some((amount) => amount > 0),
    involuntary: ending % 2 === 0,
  }))

const world = fc.array(history, { minLength: 1, maxLength: 20 }).map((customers) => {
  const length = Math.min(...customers.map((each) => each.length)) - 1
  const months = customers.map((ends) => monthsOf([0, ...ends]))
  return Array.from({ length }, (_, n) => months.flatMap((each) => each[n] ?? []))
})

describe('months', () => {
  test('RV1: the identity holds in every month, and each month begins as the one before ended (5.4.5)', () => {
    fc.assert(
      fc.property(world, (months) => {
        let before = 0
        for (const customers of months) {
          const month = revenueMonth(customers)
          const { starting, reactivation, expansion, contraction, churn, ending } = month
          expect(starting).toBe(before)
          expect(ending).toBe(starting + month.new + reactivation + expansion - contraction - churn)
          before = ending
        }
      }),
      { numRuns: 500 },
    )
  })

  test('RV3: retention and churn stay in their bounds, and fit each other (5.4.6)', () => {
    fc.assert(
      fc.property(world, (months) => {
        for (const customers of months) {
          const month = revenueMonth(customers)
          if (month.starting === 0) expect([month.nrr, month.grr, month.logo_churn]).toEqual([null, null, null])
          else {
            expect(month.grr).toBeLessThanOrEqual(1)
            expect(month.grr).toBeGreaterThanOrEqual(0)
            expect(month.nrr).toBeGreaterThanOrEqual(month.grr ?? Number.NaN)
            expect(month.logo_churn).toBeGreaterThanOrEqual(0)
            expect(month.logo_churn).toBeLessThanOrEqual(1)
          }
          expect(month.involuntary_churn).toBeLessThanOrEqual(month.churn)
          if (month.contraction + month.churn === 0) expect(month.quick_ratio).toBeNull()
          else expect(month.quick_ratio).toBeGreaterThanOrEqual(0)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('RV2: new once in a life, a reactivation only of one who had left (5.4.5)', () => {
    fc.assert(
      fc.property(history, (ends) => {
        const kinds = monthsOf([0, ...ends]).map((month) => movementOf(month)?.kind ?? 'none')
        expect(kinds.filter((kind) => kind === 'new').length).toBeLessThanOrEqual(1)
        kinds.forEach((kind, n) => {
          if (kind === 'reactivation') expect(kinds.slice(0, n)).toContain('churn')
        })
      }),
      { numRuns: 500 },
    )
  })

  test('a month by hand (5.4.5, 5.4.6)', () => {
    const of = (starting: number, ending: number, knownBefore = starting > 0, involuntary = false): CustomerMonth => ({
      starting,
      ending,
      knownBefore,
      involuntary,
    })
    expect(
      revenueMonth([
        of(0, 50),
        of(0, 30, true),
        of(100, 140),
        of(100, 75),
        of(60, 0, true, true),
        of(40, 0),
        of(100, 100),
      ]),
    ).toEqual({
      starting: 400,
      new: 50,
      reactivation: 30,
      expansion: 40,
      contraction: 25,
      churn: 100,
      ending: 395,
      involuntary_churn: 60,
      customers_starting: 5,
      customers_lost: 2,
      nrr: 0.7875,
      grr: 0.6875,
      logo_churn: 0.4,
      quick_ratio: 0.96,
    })
  })
})

describe('a subscription', () => {
  const item = (
    unit_amount: number | null,
    quantity: number,
    interval: string,
    interval_count = 1,
    metered = false,
  ) => ({
    unit_amount,
    quantity,
    interval,
    interval_count,
    metered,
  })
  test.each([
    ['by the month', [item(2_000, 40, 'month')], null, 80_000],
    ['by the year: a twelfth', [item(1_200_000, 1, 'year')], null, 100_000],
    ['by the quarter', [item(90_000, 1, 'month', 3)], null, 30_000],
    ['several parts', [item(2_000, 40, 'month'), item(12_000, 1, 'year')], null, 81_000],
    ['metered parts do not count', [item(2_000, 40, 'month'), item(10, 500, 'month', 1, true)], null, 80_000],
    ['what is charged once does not count', [item(50_000, 1, 'once')], null, 0],
    ['tiered prices are not flat', [item(null, 3, 'month')], null, 0],
    ['per cent off', [item(2_000, 40, 'month')], { percent: 25, amount: 0 }, 60_000],
    ['an amount off', [item(2_000, 40, 'month')], { percent: 0, amount: 5_000 }, 75_000],
    ['never below nothing', [item(100, 1, 'month')], { percent: 0, amount: 5_000 }, 0],
    ['rounded half up', [item(100_006, 1, 'year')], null, 8_334],
  ])('monthly revenue: %s (5.4.4)', (_, items, discount, expected) => {
    expect(monthlyRevenue(items, discount)).toBe(expected)
  })

  test('counts while it is active or past due (5.4.4)', () => {
    const statuses = [
      'incomplete',
      'incomplete_expired',
      'trialing',
      'active',
      'past_due',
      'unpaid',
      'canceled',
      'paused',
    ]
    expect(statuses.filter(counts)).toEqual(['active', 'past_due'])
  })

  test("a contract's share of a month", () => {
    expect(monthlyShare({ amount: 120_000, interval: 'year' })).toBe(10_000)
    expect(monthlyShare({ amount: 120_000, interval: 'month' })).toBe(120_000)
  })
})

describe('what is given back', () => {
  const dayMs = 24 * 60 * 60 * 1000
  const period = { start: 0, end: 30 * dayMs }
  test.each([
    ['before it began: all', -1, 300],
    ['as it began: all', 0, 300],
    ['a moment later: the day has begun', 1, 290],
    ['at the end of the first day', dayMs, 290],
    ['after twelve days', 12 * dayMs, 180],
    ['a moment before the end', 30 * dayMs - 1, 0],
    ['after the end', 99 * dayMs, 0],
  ])('the unused part: %s (5.4.8)', (_, now, expected) => {
    expect(unusedPart(300, period, now)).toBe(expected)
  })

  test('never more than the amount, never less than nothing, and less as time goes by (5.4.8)', () => {
    const amounts = fc.integer({ min: 0, max: 2 ** 52 })
    const times = fc.integer({ min: -10 * dayMs, max: 40 * dayMs })
    fc.assert(
      fc.property(amounts, times, fc.nat(10 * dayMs), (amount, now, later) => {
        const first = unusedPart(amount, period, now)
        const second = unusedPart(amount, period, now + later)
        expect(first).toBeLessThanOrEqual(amount)
        expect(second).toBeGreaterThanOrEqual(0)
        expect(second).toBeLessThanOrEqual(first)
      }),
    )
  })
})
