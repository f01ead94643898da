/**
 * The figures of recurring revenue: pure functions from what each customer counted at the two ends of a month. Money in
 * minor units of one currency.
 *
 * RV1  ending = starting + new + reactivation + expansion - contraction - churn, in every month.
 * RV2  A customer moves in one way a month, whatever happened within it.
 * RV3  Gross revenue retention is never above 1.
 */

/** One customer in one month. */
export interface CustomerMonth {
  readonly starting: number
  readonly ending: number
  /** It counted at some time before the month. */
  readonly knownBefore: boolean
  /** Where it left: because it did not pay. */
  readonly involuntary: boolean
}

export type MovementKind = 'new' | 'reactivation' | 'expansion' | 'contraction' | 'churn'

/** RV2; null for a customer that stays as it is. */
export function movementOf(of: CustomerMonth): { readonly kind: MovementKind; readonly amount: number } | null {
  const { starting, ending, knownBefore } = of
  if (starting === ending) return null
  if (starting === 0) return { kind: knownBefore ? 'reactivation' : 'new', amount: ending }
  if (ending === 0) return { kind: 'churn', amount: starting }
  return ending > starting
    ? { kind: 'expansion', amount: ending - starting }
    : { kind: 'contraction', amount: starting - ending }
}

export interface RevenueMonth {
  readonly starting: number
  readonly new: number
  readonly reactivation: number
  readonly expansion: number
  readonly contraction: number
  readonly churn: number
  readonly ending: number
  /** Of churn: those who did not pay. */
  readonly involuntary_churn: number
  readonly customers_starting: number
  readonly customers_lost: number
  /** Null where there is nothing to divide by. */
  readonly nrr: number | null
  readonly grr: number | null
  readonly logo_churn: number | null
  readonly quick_ratio: number | null
}

/** The month of all these customers together. */
export function revenueMonth(customers: readonly CustomerMonth[]): RevenueMonth {
  const sums = { new: 0, reactivation: 0, expansion: 0, contraction: 0, churn: 0 }
  let [starting, ending, involuntary_churn, customers_starting, customers_lost] = [0, 0, 0, 0, 0]
  for (const customer of customers) {
    starting += customer.starting
    ending += customer.ending
    if (customer.starting > 0) customers_starting += 1
    const movement = movementOf(customer)
    if (movement === null) continue
    sums[movement.kind] += movement.amount
    if (movement.kind !== 'churn') continue
    customers_lost += 1
    if (customer.involuntary) involuntary_churn += movement.amount
  }
  const { expansion, contraction, churn } = sums
  const counts = { customers_starting, customers_lost }
  return {
    starting,
    ...sums,
    ending,
    involuntary_churn,
    ...counts,
    nrr: ratio(starting + expansion - contraction - churn, starting),
    grr: ratio(starting - contraction - churn, starting),
    logo_churn: ratio(customers_lost, customers_starting),
    quick_ratio: ratio(sums.new + sums.reactivation + expansion, contraction + churn),
  }
}

/** Four decimals. */
const ratio = (part: number, whole: number): number | null =>
  whole === 0 ? null : Math.round((part / whole) * 10_000) / 10_000

/** What the figures mean, said beside them. */
export const revenueDefinitions = Object.freeze({
  mrr: 'Sum over active and past due subscriptions of unit amount × quantity ÷ months of the interval, less recurring discounts; without tax, one-off and metered parts; a trial counts from its payment on.',
  new: 'Customers that counted nothing at the start of the month and never before, and count at its end.',
  reactivation: 'Customers that counted nothing at the start of the month, but did before, and count at its end.',
  expansion: 'What customers count more at the end of the month than at its start.',
  contraction: 'What customers count less at the end of the month than at its start, and still count.',
  churn: 'What customers counted at the start of the month who count nothing at its end.',
  involuntary_churn: 'The part of churn of customers who did not pay.',
  identity: 'ending = starting + new + reactivation + expansion − contraction − churn',
  nrr: '(starting + expansion − contraction − churn) ÷ starting, of the customers present at the start',
  grr: '(starting − contraction − churn) ÷ starting, of the customers present at the start; at most 1',
  logo_churn: 'customers lost ÷ customers at the start',
  quick_ratio: '(new + reactivation + expansion) ÷ (contraction + churn)',
})
