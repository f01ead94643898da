/** Prices in whole minor units: the invariants of `processors/documents/pricing.ts`, over any figures and any tariff. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { documentsDefaults } from '../../processors/documents/index.ts'
import type { Figures } from '../../processors/documents/pricing.ts'
import {
  changedFigures,
  expectedFigures,
  quote,
  seatsAmount,
  usageAmount,
  volumeDiscount,
  yearAmount,
} from '../../processors/documents/pricing.ts'
import type { PricingSettings } from '../../processors/documents/settings.ts'

const defaults = documentsDefaults.pricing

const figures = fc.record<Figures>({
  seats: fc.integer({ min: 1, max: 100_000 }),
  conversations: fc.integer({ min: 0, max: 1_000_000_000 }),
  interval: fc.constantFrom('month', 'year'),
  discountBasisPoints: fc.integer({ min: 0, max: 10_000 }),
})

/** Ends of tiers, ascending, the last without end. */
const tiers = <T extends object>(value: fc.Arbitrary<T>, most: number) =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: most }), { minLength: 0, maxLength: 5 })
    .chain((ends) =>
      fc
        .array(value, { minLength: ends.length + 1, maxLength: ends.length + 1 })
        .map((values) =>
          values.map((one, n) => ({ ...one, upTo: [...ends.toSorted((a, b) => a - b), null][n] as number | null })),
        ),
    )

/** Any tariff, also one whose later tiers are dearer or free. */
const tariff: fc.Arbitrary<PricingSettings> = fc
  .record({
    seatTiers: tiers(fc.record({ amount: fc.integer({ min: 0, max: 1_000_000 }) }), 5_000),
    usageTiers: tiers(fc.record({ thousandths: fc.integer({ min: 0, max: 1_000_000 }) }), 1_000_000),
    volumeDiscount: tiers(fc.record({ basisPoints: fc.integer({ min: 0, max: 10_000 }) }), 100_000_000),
    yearBasisPoints: fc.integer({ min: 0, max: 10_000 }),
  })
  .map((some) => ({ ...defaults, ...some }))

const whole = (amount: number): boolean => Number.isSafeInteger(amount) && amount >= 0 && !Object.is(amount, -0)

describe('any tariff, any figures', () => {
  test('amounts are whole, never negative and never above the list (5.3.3)', () => {
    fc.assert(
      fc.property(tariff, figures, (settings, asked) => {
        const offer = quote(settings, asked)
        expect(whole(offer.amount) && whole(offer.list_amount)).toBe(true)
        expect(offer.amount).toBeLessThanOrEqual(offer.list_amount)
        expect(whole(offer.discount_basis_points)).toBe(true)
        expect(offer.discount_basis_points).toBeLessThanOrEqual(10_000)
        expect(Number.isSafeInteger(offer.margin_basis_points)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('more never costs less: seats, conversations', () => {
    fc.assert(
      fc.property(tariff, figures, fc.integer({ min: 0, max: 2_000 }), (settings, asked, more) => {
        const { amount } = quote(settings, asked)
        const seats = quote(settings, { ...asked, seats: asked.seats + more })
        const conversations = quote(settings, { ...asked, conversations: asked.conversations + more })
        expect(seats.amount).toBeGreaterThanOrEqual(amount)
        expect(conversations.amount).toBeGreaterThanOrEqual(amount)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a larger negotiated discount never costs more, and a discount of everything is free', () => {
    fc.assert(
      fc.property(tariff, figures, fc.integer({ min: 0, max: 10_000 }), (settings, asked, other) => {
        const [low, high] = [other, asked.discountBasisPoints].toSorted((a, b) => a - b) as [number, number]
        const dear = quote(settings, { ...asked, discountBasisPoints: low })
        const cheap = quote(settings, { ...asked, discountBasisPoints: high })
        expect(cheap.amount).toBeLessThanOrEqual(dear.amount)
        expect(quote(settings, { ...asked, discountBasisPoints: 10_000 }).amount).toBe(0)
      }),
    )
  })

  test('the discount told is the exact one, rounded up: nothing slips below a limit', () => {
    fc.assert(
      fc.property(tariff, figures, (settings, asked) => {
        const { list_amount, amount, discount_basis_points } = quote(settings, asked)
        if (list_amount === 0) return
        const off = BigInt(list_amount - amount) * 10_000n
        const told = BigInt(discount_basis_points) * BigInt(list_amount)
        expect(told >= off && told - off < BigInt(list_amount)).toBe(true)
      }),
    )
  })

  test('conversations are priced each by its own tier, and rounded half up once (5.3.3)', () => {
    fc.assert(
      fc.property(tariff, fc.integer({ min: 0, max: 3_000 }), (settings, conversations) => {
        let thousandths = 0
        for (let nth = 1; nth <= conversations; nth++)
          thousandths += settings.usageTiers.find(({ upTo }) => upTo === null || nth <= upTo)!.thousandths
        expect(usageAmount(settings, conversations)).toBe(Math.floor((thousandths + 500) / 1_000))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the default tariff', () => {
  test('seats cost what their tier says, and never more than the first of the next one (5.3.3)', () => {
    const amounts = [1, 9, 10, 11, 42, 43, 50, 51, 200, 201].map((seats) => seatsAmount(defaults, seats))
    expect(amounts).toEqual([4_900, 44_100, 46_200, 46_200, 176_400, 180_600, 183_600, 183_600, 603_000, 603_000])
  })

  test('a tier begins where the one before ends: no step up is larger than one seat, one conversation', () => {
    for (const { upTo } of defaults.seatTiers.slice(0, -1)) {
      const step = seatsAmount(defaults, upTo! + 1) - seatsAmount(defaults, upTo!)
      expect(step).toBeGreaterThanOrEqual(0)
      expect(step).toBeLessThanOrEqual(4_900)
    }
    for (const { upTo } of defaults.usageTiers.slice(0, -1)) {
      const step = usageAmount(defaults, upTo! + 1) - usageAmount(defaults, upTo!)
      expect(step).toBeGreaterThanOrEqual(0)
      expect(step).toBeLessThanOrEqual(7)
    }
  })

  test('a discount band applies to its part of the list amount alone (5.3.3)', () => {
    expect([200_000, 200_020, 1_000_000, 5_000_000, 6_000_000].map((list) => volumeDiscount(defaults, list))).toEqual([
      0, 1, 40_000, 440_000, 590_000,
    ])
  })

  test('a whole offer, figure by figure (5.3.3)', () => {
    const asked: Figures = { seats: 40, conversations: 12_000, interval: 'year', discountBasisPoints: 500 }
    // seats 40 * 4,200; conversations 9,000 * 6 + 2,000 * 4.5; 5 % of what is above 200,000; then 5 %; then 10 % for a year
    expect(quote(defaults, asked)).toEqual({
      ...asked,
      plan: 'growth',
      currency: 'USD',
      list_amount: (168_000 + 63_000) * 12,
      amount: (231_000 - 1_550 - 11_472) * 12 - 261_573,
      discount_basis_points: 1_508,
      margin_basis_points: 6_635,
    })
  })

  test('a year counts as a year', () => {
    expect(yearAmount({ amount: 5, interval: 'month' })).toBe(60)
    expect(yearAmount({ amount: 5, interval: 'year' })).toBe(5)
  })
})

describe('figures', () => {
  test('a first offer follows the volume, else the people, else the least, within bounds', () => {
    const seatsOf = (conversations: number | null, employees: number | null) =>
      expectedFigures(defaults, { conversations, employees }).seats
    expect([seatsOf(4_001, 12), seatsOf(null, 121), seatsOf(null, null), seatsOf(1, null), seatsOf(1e9, null)]).toEqual(
      [11, 11, 3, 3, 100_000],
    )
  })

  test('what a person writes is taken whole or refused by name', () => {
    const known: Figures = { seats: 3, conversations: 600, interval: 'month', discountBasisPoints: 0 }
    expect(changedFigures(defaults, known, { seats: '40', interval: 'year', note: 'x' })).toEqual({
      ...known,
      seats: 40,
      interval: 'year',
    })
    for (const [name, text] of [
      ['seats', '0'],
      ['seats', '-1'],
      ['seats', '1e3'],
      ['seats', '100001'],
      ['seats', ''],
      ['conversations', '1000000001'],
      ['discount_basis_points', '10001'],
      ['interval', 'week'],
    ] as const)
      expect(changedFigures(defaults, known, { [name]: text })).toMatch(new RegExp(`^${name} is `))
  })
})
