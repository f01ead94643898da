/**
 * Of a webhook's object only the fields that decide travel: its state, its money, its times, and what it belongs to. Names,
 * addresses, cards and links stay behind. Times become ms; every text is bounded. The step's side of these words is
 * `processors/billing/objects.ts`.
 */

import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Json } from '../../schemas/index.ts'
import { billingEvents } from '../../schemas/index.ts'
import type { UnusableEvent, WebhookEvent } from './verifier.ts'

const id = z.string().min(1).max(255)
const reference = z.union([id, z.object({ id }).transform((object) => object.id)]).nullish()
const seconds = z.int().min(0).nullish()
const amount = z.int()
const metadata = z.record(z.string(), z.string().max(500)).nullish()
const itemsAtMost = 20

const price = z.object({
  unit_amount: amount.nullish(),
  unit_amount_decimal: z.string().max(40).nullish(),
  recurring: z
    .object({ interval: z.string().max(20), interval_count: z.int().min(1), usage_type: z.string().max(20).nullish() })
    .nullish(),
})
const item = z.object({
  price,
  quantity: z.int().min(0).nullish(),
  current_period_start: seconds,
  current_period_end: seconds,
})
const items = z.object({ data: z.array(item).max(itemsAtMost) })
const coupon = z.object({
  percent_off: z.number().min(0).max(100).nullish(),
  amount_off: amount.nullish(),
  duration: z.string().max(20),
})
const discount = z.union([
  z.string().transform(() => null),
  z.object({
    coupon: coupon.nullish(),
    source: z.object({ coupon: z.union([z.string(), coupon]).nullish() }).nullish(),
  }),
])

const subscription = z.object({
  object: z.literal('subscription'),
  id,
  customer: reference,
  status: z.string().max(40),
  currency: z.string().max(10),
  items,
  discounts: z.array(discount).max(itemsAtMost).nullish(),
  ended_at: seconds,
  cancellation_details: z
    .object({ comment: z.string().max(500).nullish(), reason: z.string().max(100).nullish() })
    .nullish(),
  metadata,
})
const previous = z.object({ status: z.string().max(40).optional(), items: items.optional() })

const invoice = z.object({
  object: z.literal('invoice'),
  id,
  customer: reference,
  status: z.string().max(40).nullable(),
  currency: z.string().max(10),
  amount_due: amount,
  amount_paid: amount,
  attempt_count: z.int().min(0),
  next_payment_attempt: seconds,
  created: z.int().min(0),
  due_date: seconds,
  lines: z
    .object({ data: z.array(z.object({ period: z.object({ start: z.int(), end: z.int() }) })).max(1_000) })
    .nullish(),
  parent: z.object({ subscription_details: z.object({ subscription: reference, metadata }).nullish() }).nullish(),
  status_transitions: z.object({
    finalized_at: seconds,
    paid_at: seconds,
    voided_at: seconds,
    marked_uncollectible_at: seconds,
  }),
  payments: z.unknown().optional(),
  metadata,
})

const charge = z.object({
  object: z.literal('charge'),
  id,
  customer: reference,
  payment_intent: reference,
  currency: z.string().max(10),
  amount_refunded: amount,
  metadata,
})

const invoicePayment = z.object({
  object: z.literal('invoice_payment'),
  id,
  invoice: reference,
  payment: z.object({ payment_intent: reference }),
})

const event = z.object({
  id,
  type: z.string().max(100),
  created: z.int().min(0),
  api_version: z.string().max(40).nullish(),
  data: z.object({ object: z.unknown().optional(), previous_attributes: z.unknown().optional() }),
})

/** Types that are taken; what else the service tells is answered well and left alone. */
const taken =
  /^(customer\.subscription\.(created|updated|deleted|paused|resumed)|invoice\.(created|finalized|paid|updated|payment_failed|marked_uncollectible|voided)|invoice_payment\.paid|charge\.refunded)$/

const ms = (value: number | null | undefined): number | null => (value == null ? null : value * 1000)

/** What is appended for an event; null for a type that is not taken. */
export function stripeEvent(raw: Buffer): WebhookEvent | UnusableEvent | null {
  const told = event.safeParse(jsonOf(raw.toString('utf8')))
  if (!told.success) return { deliveryId: createHash('sha256').update(raw).digest('hex'), unusable: 'not an event' }
  const { id: stripe_event_id, type, created, data } = told.data
  if (!taken.test(type)) return null
  const read = objectOf(data.object, data.previous_attributes)
  if (read === null) return { deliveryId: stripe_event_id, unusable: `the object of ${type} is not whole` }
  return {
    deliveryId: stripe_event_id,
    topic: billingEvents,
    type: 'stripe_event_received',
    tenantId: read.metadata?.['tenant_id'] ?? null,
    organizationId: read.metadata?.['organization_id'] ?? null,
    payload: { stripe_event_id, type, object_id: read.id, created: created * 1000, object: read.object },
    objectId: read.id,
    relatedIds: read.related.filter((each) => each != null),
  }
}

/** The API version that an event's object is written in; null where none is said, or nothing can be read. */
export const versionOf = (raw: Buffer): string | null =>
  event.safeParse(jsonOf(raw.toString('utf8'))).data?.api_version ?? null

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Trimmed {
  readonly id: string
  /** Objects by which its tenant is found when it carries no metadata. */
  readonly related: readonly (string | null | undefined)[]
  readonly metadata: Readonly<Record<string, string>> | null | undefined
  readonly object: Json
}

function objectOf(value: unknown, before: unknown): Trimmed | null {
  const kind = z.object({ object: z.string() }).safeParse(value).data?.object
  switch (kind) {
    case 'subscription':
      return understood(subscription, value, (told) => trimmedSubscription(told, before))
    case 'invoice':
      return understood(invoice, value, trimmedInvoice)
    case 'charge':
      return understood(charge, value, (told) => trimmedCharge(told, before))
    case 'invoice_payment':
      return understood(invoicePayment, value, trimmedPayment)
    default:
      return null
  }
}

function understood<T>(schema: z.ZodType<T>, value: unknown, trim: (told: T) => Trimmed | null): Trimmed | null {
  const read = schema.safeParse(value)
  return read.success ? trim(read.data) : null
}

function trimmedSubscription(told: z.infer<typeof subscription>, before: unknown): Trimmed {
  const changed = previous.safeParse(before)
  const first = told.items.data[0]
  const object = {
    object: told.object,
    id: told.id,
    customer: told.customer ?? '',
    status: told.status,
    currency: told.currency,
    plan: told.metadata?.['plan'] ?? '',
    document_id: told.metadata?.['document_id'] ?? null,
    items: told.items.data.map(itemOf),
    discount: discountOf(told),
    period_start: ms(first?.current_period_start) ?? 0,
    period_end: ms(first?.current_period_end) ?? 0,
    ended_at: ms(told.ended_at),
    cancel_reason: reasonOf(told),
    previous: changed.success
      ? {
          ...(changed.data.status === undefined ? {} : { status: changed.data.status }),
          ...(changed.data.items === undefined ? {} : { items: changed.data.items.data.map(itemOf) }),
        }
      : null,
  }
  return { id: told.id, related: [told.customer], metadata: told.metadata, object }
}

const ourReasons = ['compensation', 'payment_failed', 'voluntary']

/** A comment is a person's words unless it is one of ours. */
function reasonOf({ cancellation_details: details }: z.infer<typeof subscription>): string | null {
  return ourReasons.includes(details?.comment ?? '') ? (details?.comment ?? null) : (details?.reason ?? null)
}

function itemOf({ price: { unit_amount, unit_amount_decimal, recurring }, quantity }: z.infer<typeof item>) {
  const decimal = Number(unit_amount_decimal ?? Number.NaN)
  return {
    unit_amount: unit_amount ?? (Number.isFinite(decimal) ? decimal : null),
    quantity: quantity ?? 0,
    interval: recurring?.interval ?? 'once',
    interval_count: recurring?.interval_count ?? 1,
    metered: recurring?.usage_type === 'metered',
  }
}

const monthsOf: Readonly<Record<string, number>> = { month: 1, year: 12, week: 12 / 52, day: 12 / 365 }

/** Months between two invoices. */
function invoicedEvery({ items: { data } }: z.infer<typeof subscription>): number {
  const recurring = data.find(({ price }) => price.recurring != null)?.price.recurring
  return recurring == null ? 1 : (monthsOf[recurring.interval] ?? 1) * recurring.interval_count
}

/** What recurs of the discounts, an amount by the month: one that holds once is none. Discounts told by their id alone are not known here. */
function discountOf(told: z.infer<typeof subscription>): { percent: number; amount: number } | null {
  const coupons = (told.discounts ?? []).flatMap((each) => {
    const found = each?.coupon ?? each?.source?.coupon
    return found == null || typeof found === 'string' || found.duration === 'once' ? [] : [found]
  })
  if (coupons.length === 0) return null
  const kept = coupons.reduce((rest, { percent_off }) => rest * (1 - (percent_off ?? 0) / 100), 1)
  const off = coupons.reduce((sum, { amount_off }) => sum + (amount_off ?? 0), 0)
  return { percent: (1 - kept) * 100, amount: off / invoicedEvery(told) }
}

function trimmedInvoice(told: z.infer<typeof invoice>): Trimmed {
  const details = told.parent?.subscription_details
  const periods = (told.lines?.data ?? []).map(({ period }) => period)
  const last = periods.sort((a, b) => a.end - b.end).at(-1)
  const { finalized_at, paid_at, voided_at, marked_uncollectible_at } = told.status_transitions
  const object = {
    object: told.object,
    id: told.id,
    subscription: details?.subscription ?? null,
    status: told.status ?? 'draft',
    currency: told.currency,
    amount_due: told.amount_due,
    amount_paid: told.amount_paid,
    attempt_count: told.attempt_count,
    next_payment_attempt: ms(told.next_payment_attempt),
    decline_code: declineOf(told.payments),
    due_at: ms(told.due_date ?? finalized_at ?? told.created) ?? 0,
    period_start: ms(last?.start) ?? 0,
    period_end: ms(last?.end) ?? 0,
    finalized_at: ms(finalized_at),
    paid_at: ms(paid_at),
    voided_at: ms(voided_at),
    uncollectible_at: ms(marked_uncollectible_at),
  }
  const related = [told.customer, details?.subscription]
  return { id: told.id, related, metadata: details?.metadata ?? told.metadata, object }
}

const declined = z.object({
  data: z.array(
    z.object({
      payment: z.object({
        payment_intent: z.object({
          last_payment_error: z.object({ code: z.string().nullish(), decline_code: z.string().nullish() }).nullish(),
        }),
      }),
    }),
  ),
})

/** The bank's word, where the invoice's payments came with it. */
function declineOf(payments: unknown): string | null {
  const read = declined.safeParse(payments)
  const error = read.success ? read.data.data.at(-1)?.payment.payment_intent.last_payment_error : null
  const word = error?.decline_code ?? error?.code ?? null
  return word !== null && /^[a-z0-9_]{1,64}$/.test(word) ? word : null
}

function trimmedCharge(told: z.infer<typeof charge>, before: unknown): Trimmed {
  const changed = z.object({ amount_refunded: amount }).safeParse(before)
  const object = {
    object: told.object,
    id: told.id,
    payment_intent: told.payment_intent ?? null,
    currency: told.currency,
    amount_refunded: told.amount_refunded,
    previously_refunded: changed.success ? changed.data.amount_refunded : 0,
  }
  return { id: told.id, related: [told.customer], metadata: told.metadata, object }
}

function trimmedPayment({ object, id: own, invoice: of, payment }: z.infer<typeof invoicePayment>): Trimmed | null {
  if (of == null || payment.payment_intent == null) return null
  const kept = { object, invoice: of, payment_intent: payment.payment_intent }
  return { id: own, related: [of], metadata: null, object: kept }
}
