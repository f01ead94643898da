/**
 * What a tenant's calls of a day have cost, so that a budget holds over all of them.
 *
 *   S1  What a call may cost is reserved before it is made, in one step with the check, so that calls side by side cannot
 *       exceed the limit together.
 *   S2  Settling replaces the reservation by the cost. A call that is never settled (its process died) counts as reserved:
 *       it may have been paid.
 *   S3  Tenants and days do not share.
 */

export interface Reservation {
  readonly tenantId: string
  /** UTC, `2026-11-26`. */
  readonly day: string
  readonly microdollars: number
}

export interface SpendLedger {
  /** False, and nothing is reserved, when the day's sum would be more than the limit. */
  reserve(reservation: Reservation, limitMicrodollars: number): Promise<boolean>
  settle(reservation: Reservation, costMicrodollars: number): Promise<void>
  /** Reserved and settled together. */
  spent(tenantId: string, day: string): Promise<number>
}

export interface Budget {
  readonly ledger: SpendLedger
  readonly tenantDailyMicrodollars: number
}

/**
 * Runs `ask` when the budget allows what is reserved. Its cost settles the reservation, which stands when the cost is null:
 * not known. An answer that was paid is not lost because the ledger is away: the reservation stands for it then too.
 */
export async function withinBudget<T>(
  budget: Budget | null,
  reservation: Reservation,
  ask: () => Promise<{ readonly result: T; readonly cost: number | null }>,
): Promise<T | 'over budget' | 'no ledger'> {
  if (budget === null) return (await ask()).result
  const { ledger, tenantDailyMicrodollars } = budget
  const fits = await ledger.reserve(reservation, tenantDailyMicrodollars).catch(() => null)
  if (fits === null) return 'no ledger'
  if (!fits) return 'over budget'
  let cost: number | null = 0
  try {
    const asked = await ask()
    cost = asked.cost
    return asked.result
  } finally {
    if (cost !== null) await ledger.settle(reservation, cost).catch(() => undefined)
  }
}

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** For a process alone: forgets with it. Keeps the newest days only. */
export function memoryLedger(options: { readonly days?: number } = {}): SpendLedger {
  const days = new Map<string, Map<string, number>>()
  const sums = (day: string): Map<string, number> => {
    const known = days.get(day)
    if (known !== undefined) return known
    const fresh = new Map<string, number>()
    days.set(day, fresh)
    for (const oldest of [...days.keys()].sort().slice(0, -(options.days ?? 3))) days.delete(oldest)
    return fresh
  }
  const add = ({ tenantId, day }: Reservation, microdollars: number): void => {
    const of = sums(day)
    of.set(tenantId, Math.max(0, (of.get(tenantId) ?? 0) + microdollars))
  }
  return {
    reserve(reservation, limitMicrodollars) {
      const { tenantId, day, microdollars } = reservation
      const fits = (sums(day).get(tenantId) ?? 0) + microdollars <= limitMicrodollars
      if (fits) add(reservation, microdollars)
      return Promise.resolve(fits)
    },
    settle(reservation, costMicrodollars) {
      add(reservation, costMicrodollars - reservation.microdollars)
      return Promise.resolve()
    },
    spent: (tenantId, day) => Promise.resolve(sums(day).get(tenantId) ?? 0),
  }
}
