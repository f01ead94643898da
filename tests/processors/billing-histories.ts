/** Whole histories of a subscription as the payment service tells them, in the order in which they happened. */

import fc from 'fast-check'
import type { InvoiceObject, StripeObject, SubscriptionObject } from '../../processors/billing/objects.ts'
import { charge, dayMs, invoice, seats, start, subscription } from '../../processors/billing/scenario-data.ts'

export interface Happened {
  readonly id: string
  readonly type: string
  readonly at: number
  readonly object: StripeObject
}

/** What happens in one month to the invoice and to the terms. */
export interface Month {
  readonly soft: number
  readonly hard: boolean
  readonly ends: 'paid' | 'paid by hand' | 'voided' | 'given up' | 'given up, then paid'
  readonly seats: number
  readonly refunded: readonly number[]
}

export const month: fc.Arbitrary<Month> = fc.record({
  soft: fc.nat(4),
  hard: fc.boolean(),
  ends: fc.constantFrom('paid', 'paid by hand', 'voided', 'given up', 'given up, then paid'),
  seats: fc.integer({ min: 1, max: 5 }).map((n) => n * 10),
  refunded: fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 2 }),
})

export const story = fc.record({
  months: fc.array(month, { minLength: 1, maxLength: 4 }),
  /** How often in a month the seats change and change back: versions that look alike. */
  wavers: fc.nat(2),
  /** All of a month's changes of seats within one second. */
  hurried: fc.boolean(),
  over: fc.constantFrom('runs on', 'ended', 'never paid'),
})
export type Story = typeof story extends fc.Arbitrary<infer T> ? T : never

/** Tells a story: what happens, a second apart or more, two things in one second now and then. */
export function told({ months, wavers, hurried, over }: Story): readonly Happened[] {
  const list: Happened[] = []
  let at = start
  let status = 'incomplete'
  let count = 40
  const happens = (type: string, object: StripeObject, after = 1_000): void => {
    at += after
    // An id says nothing of the order.
    list.push({ id: `evt_${Math.imul(list.length + 1, 0x9e37_79b1) >>> 0}`, type, at, object })
  }
  const changes = (
    more: Partial<SubscriptionObject>,
    previous: SubscriptionObject['previous'],
    after = 1_000,
  ): void => {
    status = more.status ?? status
    happens('customer.subscription.updated', subscription(status, { items: seats(count), ...more, previous }), after)
  }
  happens('customer.subscription.created', subscription('incomplete', { items: seats(count) }))
  if (over === 'never paid') {
    changes({ status: 'incomplete_expired', ended_at: at + dayMs }, { status: 'incomplete' }, dayMs)
    return list
  }
  months.forEach((each, n) => {
    invoiced(each, n, happens, () => at)
    if (status === 'incomplete') changes({ status: 'active' }, { status }, 0)
    if (each.ends === 'given up' && status === 'active') changes({ status: 'unpaid' }, { status })
    else if (each.ends !== 'given up' && status === 'unpaid') changes({ status: 'active' }, { status })
    at += 1_000
    const seatsTo = (next: number): void => {
      if (next === count) return
      const before = seats(count)
      count = next
      changes({}, { items: before }, hurried ? 0 : 1_000)
    }
    for (let turn = 0; turn < wavers; turn++) {
      seatsTo(count + 10)
      seatsTo(count - 10)
    }
    seatsTo(each.seats)
    at += 20 * dayMs
  })
  const ended = { items: seats(count), ended_at: at, cancel_reason: 'cancellation_requested' }
  if (over === 'ended') happens('customer.subscription.deleted', subscription('canceled', ended))
  return list
}

function invoiced(
  { soft, hard, ends, refunded }: Month,
  n: number,
  happens: (type: string, object: StripeObject, after?: number) => void,
  now: () => number,
): void {
  const id = `in_${n}`
  const made = now()
  const payment_intent = `pi_${n}`
  let known: Partial<InvoiceObject> = { id, period_start: made, period_end: made + 30 * dayMs, due_at: made + 1_000 }
  const tells = (type: string, status: string, more: Partial<InvoiceObject> = {}, after = 1_000): void => {
    known = { ...known, ...more }
    happens(type, invoice(status, { paid_at: null, voided_at: null, uncollectible_at: null, ...known }), after)
  }
  tells('invoice.created', 'draft', { finalized_at: null })
  tells('invoice.finalized', 'open', { finalized_at: now() }, 0)
  for (let attempt = 1; attempt <= soft; attempt++)
    tells('invoice.payment_failed', 'open', { attempt_count: attempt, next_payment_attempt: now() + dayMs }, dayMs / 4)
  if (hard) tells('invoice.payment_failed', 'open', { attempt_count: soft + 1, next_payment_attempt: null }, dayMs / 4)
  const failed = soft + Number(hard)
  const byHand = ends === 'paid by hand' && (!hard || soft === 0)
  const attempts = byHand ? Math.max(1, failed) : failed + 1
  if (ends === 'voided') return tells('invoice.voided', 'void', { voided_at: now() })
  if (ends.startsWith('given up')) tells('invoice.marked_uncollectible', 'uncollectible', { uncollectible_at: now() })
  if (ends === 'given up') return
  happens('invoice_payment.paid', { object: 'invoice_payment', invoice: id, payment_intent }, 0)
  tells('invoice.paid', 'paid', { attempt_count: attempts, amount_paid: 80_000, paid_at: now() }, 0)
  let total = 0
  for (const amount of refunded) {
    total += amount
    happens('charge.refunded', { ...charge(total, total - amount), id: `ch_${n}`, payment_intent })
  }
}
