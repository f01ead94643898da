/**
 * The monthly recurring revenue of a subscription, in minor units of its currency: what recurs, divided by the months of its
 * interval; without tax, without what is charged once, without metered parts. Only what is active or past due counts.
 */

export interface RecurringItem {
  /** Minor units of one; null where the price is not a flat one. */
  readonly unit_amount: number | null
  readonly quantity: number
  readonly interval: string
  readonly interval_count: number
  readonly metered: boolean
}

/** A discount that recurs: per cent of everything, and an amount of one month. */
export interface RecurringDiscount {
  readonly percent: number
  readonly amount: number
}

const monthsOf: Readonly<Record<string, number>> = { month: 1, year: 12, week: 12 / 52, day: 12 / 365 }

/** Whole minor units, rounded half up. @returns 0 for items that do not recur */
export function monthlyRevenue(items: readonly RecurringItem[], discount: RecurringDiscount | null = null): number {
  const gross = items.reduce((sum, item) => {
    const months = (monthsOf[item.interval] ?? 0) * item.interval_count
    if (item.metered || item.unit_amount === null || months <= 0) return sum
    return sum + (item.unit_amount * item.quantity) / months
  }, 0)
  const net = gross * (1 - (discount?.percent ?? 0) / 100) - (discount?.amount ?? 0)
  return Math.max(0, Math.floor(net + 0.5))
}

/** The monthly share of what a contract says. */
export const monthlyShare = (terms: { readonly amount: number; readonly interval: 'month' | 'year' }): number =>
  monthlyRevenue([
    { unit_amount: terms.amount, quantity: 1, interval: terms.interval, interval_count: 1, metered: false },
  ])

/** A subscription of this status counts. A trial does not, until it is paid. */
export const counts = (status: string): boolean => status === 'active' || status === 'past_due'

const dayMs = 24 * 60 * 60 * 1000

/**
 * What of an amount was paid for days that have not begun at `now`; a day that has begun is used. Whole minor units,
 * rounded down. All of it before the period begins, nothing after its end.
 */
export function unusedPart(
  amount: number,
  period: { readonly start: number; readonly end: number },
  now: number,
): number {
  const days = Math.max(1, Math.ceil((period.end - period.start) / dayMs))
  const used = Math.min(days, Math.max(0, Math.ceil((now - period.start) / dayMs)))
  return Number((BigInt(Math.max(0, amount)) * BigInt(days - used)) / BigInt(days))
}
