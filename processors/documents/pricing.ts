/**
 * What a client pays, in whole minor units. Pure; every rule is in the settings.
 *
 *   month's list   = seats * amount of their tier + conversations, tier by tier
 *   net            = list - volume discount, band by band - what was negotiated - what a year at once takes off
 *
 * Invariants (property tests, tests/processors/pricing.test.ts)
 * 1. More seats or conversations never cost less: a tier is never paid beyond what the next one's first seat costs, and
 *    bands apply to their part only.
 * 2. No amount is negative or broken; a discount is rounded down, conversations are rounded half up, once, at their sum.
 * 3. Nothing overflows: products are made in BigInt.
 */

import type { PricingSettings } from './settings.ts'

export interface Figures {
  readonly seats: number
  /** A month. */
  readonly conversations: number
  readonly interval: 'month' | 'year'
  /** Negotiated, in basis points of what the volume discount leaves. */
  readonly discountBasisPoints: number
}

/** Of one interval. */
export interface Quote extends Figures {
  readonly plan: string
  readonly currency: string
  readonly list_amount: number
  readonly amount: number
  /** All discounts together, of the list amount; rounded up, so that nothing slips below a limit. */
  readonly discount_basis_points: number
  /** May be negative. */
  readonly margin_basis_points: number
}

const whole = 10_000

/** An amount line by line, each of one interval. */
export interface Breakdown {
  readonly months: number
  readonly seats: number
  readonly usage: number
  readonly volumeDiscount: number
  readonly negotiated: number
  readonly yearDiscount: number
}

export function breakdown(settings: PricingSettings, figures: Figures): Breakdown {
  const months = figures.interval === 'year' ? 12 : 1
  const seats = seatsAmount(settings, figures.seats)
  const usage = usageAmount(settings, figures.conversations)
  const volume = volumeDiscount(settings, seats + usage)
  const afterVolume = seats + usage - volume
  const monthNet = less(afterVolume, figures.discountBasisPoints)
  return {
    months,
    seats: seats * months,
    usage: usage * months,
    volumeDiscount: volume * months,
    negotiated: (afterVolume - monthNet) * months,
    yearDiscount: months === 12 ? monthNet * 12 - less(monthNet * 12, settings.yearBasisPoints) : 0,
  }
}

export function quote(settings: PricingSettings, figures: Figures): Quote {
  const parts = breakdown(settings, figures)
  const list_amount = parts.seats + parts.usage
  const amount = list_amount - parts.volumeDiscount - parts.negotiated - parts.yearDiscount
  const cost = costAmount(settings, figures) * parts.months
  const { seats, conversations, interval, discountBasisPoints } = figures
  return {
    ...{ seats, conversations, interval, discountBasisPoints },
    plan: planOf(settings, figures.seats),
    currency: settings.currency,
    list_amount,
    amount,
    discount_basis_points: list_amount === 0 ? 0 : whole - share(amount, list_amount),
    margin_basis_points: amount === 0 ? -whole : share(amount - cost, amount),
  }
}

/** Of a year, so that intervals compare. */
export const yearAmount = ({ amount, interval }: Pick<Quote, 'amount' | 'interval'>): number =>
  interval === 'year' ? amount : amount * 12

/** A month's seats: what their tier says, and never more than the first number of seats of a later tier costs. */
export function seatsAmount({ seatTiers }: PricingSettings, seats: number): number {
  const own = seatTiers.findIndex(({ upTo }) => upTo === null || seats <= upTo)
  const later = seatTiers.slice(own + 1).map(({ amount }, n) => ((seatTiers[own + n]?.upTo ?? 0) + 1) * amount)
  return Math.min(seats * (seatTiers[own]?.amount ?? 0), ...later)
}

/** A month's conversations, each at its tier's price; rounded half up at the end. */
export function usageAmount({ usageTiers }: PricingSettings, conversations: number): number {
  const thousandths = parts(usageTiers, conversations).reduce(
    (sum, { tier, part }) => sum + BigInt(part) * BigInt(tier.thousandths),
    0n,
  )
  return Number((thousandths + 500n) / 1000n)
}

/** Band by band, so that one more seat never lowers the sum. */
export function volumeDiscount({ volumeDiscount: bands }: PricingSettings, list: number): number {
  const sum = parts(bands, list).reduce((all, { tier, part }) => all + BigInt(part) * BigInt(tier.basisPoints), 0n)
  return Number(sum / BigInt(whole))
}

function costAmount({ cost }: PricingSettings, { seats, conversations }: Figures): number {
  const usage = BigInt(conversations) * BigInt(cost.conversationThousandths)
  return seats * cost.seat + Number((usage + 999n) / 1000n)
}

/** A quantity cut at the tiers' ends. */
function parts<T extends { readonly upTo: number | null }>(
  tiers: readonly T[],
  quantity: number,
): readonly { readonly tier: T; readonly part: number }[] {
  let from = 0
  return tiers.map((tier) => {
    const to = Math.min(quantity, tier.upTo ?? quantity)
    const part = Math.max(0, to - from)
    from = Math.max(from, to)
    return { tier, part }
  })
}

const less = (amount: number, basisPoints: number): number =>
  amount - Number((BigInt(amount) * BigInt(basisPoints)) / BigInt(whole))

/** Basis points, rounded down (towards minus infinity). */
function share(part: number, of: number): number {
  const scaled = BigInt(part) * BigInt(whole)
  const quotient = scaled / BigInt(of)
  return Number(scaled % BigInt(of) < 0n ? quotient - 1n : quotient)
}

const planOf = ({ plans }: PricingSettings, seats: number): string =>
  plans.findLast(({ fromSeats }) => seats >= fromSeats)?.name ?? plans[0]?.name ?? 'standard'

/** What research found out about how much there will be to do. */
export interface Volume {
  readonly conversations: number | null
  readonly employees: number | null
}

/** The figures of a first offer: what was found, else what the size of the company lets expect, else the least. */
export function expectedFigures(settings: PricingSettings, { conversations, employees }: Volume): Figures {
  const { conversationsPerSeat, employeesPerSeat, least, most } = settings.seats
  const wanted =
    conversations !== null
      ? Math.ceil(conversations / conversationsPerSeat)
      : employees !== null
        ? Math.ceil(employees / employeesPerSeat)
        : least
  const seats = Math.min(most, Math.max(least, wanted))
  const expected = conversations ?? seats * settings.conversationsPerSeatUnknown
  return { seats, conversations: expected, interval: 'month', discountBasisPoints: 0 }
}

/** Most that a person may ask for by name; beyond it is a slip of the pen. */
const mostConversations = 1_000_000_000

/**
 * Figures with what a person asked for laid over them.
 * @param inputs by name: seats, conversations, interval (month or year), discount_basis_points
 * @returns the figures, or one line that says which input cannot be
 */
export function changedFigures(
  settings: PricingSettings,
  known: Figures,
  inputs: Readonly<Record<string, string>>,
): Figures | string {
  const number = (name: string, least: number, most: number, otherwise: number): number | string => {
    const text = inputs[name]
    if (text === undefined) return otherwise
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : `${name} is a whole number from ${least} to ${most}`
  }
  const seats = number('seats', 1, settings.seats.most, known.seats)
  const conversations = number('conversations', 0, mostConversations, known.conversations)
  const discountBasisPoints = number('discount_basis_points', 0, whole, known.discountBasisPoints)
  const interval = inputs['interval'] ?? known.interval
  if (typeof seats === 'string') return seats
  if (typeof conversations === 'string') return conversations
  if (typeof discountBasisPoints === 'string') return discountBasisPoints
  if (interval !== 'month' && interval !== 'year') return 'interval is month or year'
  return { seats, conversations, interval, discountBasisPoints }
}
