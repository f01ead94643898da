/** Each operation: its request checked, the exchanges it takes, and what of the answers the step is told. */

import type Stripe from 'stripe'
import { z } from 'zod'
import type { CallOutcome, ProviderCall } from '../effects/port.ts'
import { CallEnds, done, hasCode, isRefused, isRepeatedReport, refused } from './outcome.ts'
import type { Owner, StripeSettings } from './settings.ts'

export interface Exchange {
  readonly stripe: Stripe
  readonly settings: StripeSettings
  /** Made by this process already. */
  readonly known: { readonly products: Set<string>; readonly meters: Set<string> }
  readonly call: ProviderCall
}

type Operation = (exchange: Exchange) => Promise<CallOutcome>

const id = z.string().min(1).max(255)
const amount = z.int().min(0)
const terms = z.object({
  plan: z.string().min(1).max(100),
  quantity: z.int().min(1),
  interval: z.enum(['month', 'year']),
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  amount,
  document_id: id,
})
type Terms = z.infer<typeof terms>

/** The request as the operation wants it. @throws CallEnds invalid */
function asked<T>(schema: z.ZodType<T>, { call }: Exchange): T {
  const read = schema.safeParse(call.request)
  if (read.success) return read.data
  throw new CallEnds(
    refused(`the request of ${call.operation} is not whole: ${read.error.issues[0]?.path.join('.') ?? ''}`),
  )
}

const options = ({ call }: Exchange, part = '') => ({ idempotencyKey: `${call.callId}${part}` })

const placed = ({ call }: Exchange): Readonly<Record<string, string>> => ({
  tenant_id: call.tenantId,
  organization_id: call.organizationId,
})

/** Seconds, as the service tells them, in ms. */
const ms = (seconds: number | null | undefined): number | null => (seconds == null ? null : seconds * 1000)
const idOf = (value: string | { readonly id: string } | null | undefined): string | null =>
  value == null ? null : typeof value === 'string' ? value : value.id

const createCustomer: Operation = async (exchange) => {
  const { company } = asked(z.object({ company: z.string().max(200) }), exchange)
  const owner = await ownerOf(exchange)
  if (owner === null) return refused('the organization has no owner any more')
  const customer = await exchange.stripe.customers.create(
    { name: company === '' ? owner.name : company, email: owner.email, metadata: placed(exchange) },
    options(exchange),
  )
  return done({ customer_id: customer.id })
}

async function ownerOf({ settings, call }: Exchange): Promise<Owner | null> {
  try {
    return await settings.resolveOwner(call.tenantId, call.organizationId)
  } catch {
    const error = 'the owner of the organization could not be read'
    throw new CallEnds({ class: 'retry', status: 0, output: null, error })
  }
}

const createSubscription: Operation = async (exchange) => {
  const { customer_id, ...wanted } = asked(terms.extend({ customer_id: id }), exchange)
  const subscription = await exchange.stripe.subscriptions.create(
    {
      customer: customer_id,
      items: [await itemOf(exchange, wanted)],
      payment_behavior: 'default_incomplete',
      payment_settings: { save_default_payment_method: 'on_subscription' },
      metadata: metadataOf(exchange, wanted),
    },
    options(exchange),
  )
  const { id: subscription_id, status, latest_invoice } = subscription
  return done({ subscription_id, status, invoice_id: idOf(latest_invoice) })
}

const metadataOf = (exchange: Exchange, { plan, quantity, document_id }: Terms) => ({
  ...placed(exchange),
  document_id,
  plan,
  seats: String(quantity),
})

/** The contract's amount, exactly: by the seat where it divides, else as one price; the seats stand in the metadata. */
async function itemOf(exchange: Exchange, { plan, quantity, interval, currency, amount: whole }: Terms) {
  const bySeat = whole % quantity === 0
  return {
    price_data: {
      currency: currency.toLowerCase(),
      product: await productOf(exchange, plan),
      unit_amount: bySeat ? whole / quantity : whole,
      recurring: { interval },
    },
    quantity: bySeat ? quantity : 1,
  }
}

/** The product of a plan has an id of its own: made once, whoever needs it first. */
async function productOf({ stripe, known }: Exchange, plan: string): Promise<string> {
  const product = `plan_${plan.toLowerCase().replace(/[^a-z0-9]+/g, '_')}`
  if (known.products.has(product)) return product
  try {
    await stripe.products.create({ id: product, name: plan }, { idempotencyKey: `product:${product}:${plan}` })
  } catch (error) {
    if (!hasCode(error, 'resource_already_exists')) throw error
  }
  known.products.add(product)
  return product
}

const updateSubscription: Operation = async (exchange) => {
  const { subscription_id, ...wanted } = asked(terms.extend({ subscription_id: id }), exchange)
  const before = await exchange.stripe.subscriptions.retrieve(subscription_id)
  const first = before.items.data[0]
  const item = await itemOf(exchange, wanted)
  const { status } = await exchange.stripe.subscriptions.update(
    subscription_id,
    {
      items: [first === undefined ? item : { id: first.id, ...item }],
      proration_behavior: 'create_prorations',
      // Who signs anew stays, though they had wanted to leave.
      cancel_at_period_end: false,
      metadata: { ...metadataOf(exchange, wanted), document_id: before.metadata['document_id'] ?? wanted.document_id },
    },
    options(exchange),
  )
  return done({ subscription_id, status })
}

const cancelSubscription: Operation = async (exchange) => {
  const wanted = asked(z.object({ subscription_id: id, reason: z.string().max(100) }), exchange)
  const { subscriptions } = exchange.stripe
  const params = { cancellation_details: { comment: wanted.reason } }
  const ended = await subscriptions
    .cancel(wanted.subscription_id, params, options(exchange))
    .catch((error: unknown) => lookedUp(error, () => subscriptions.retrieve(wanted.subscription_id)))
  if (ended.status !== 'canceled' && ended.status !== 'incomplete_expired')
    return refused('the subscription could not be cancelled')
  return done({ status: ended.status, ended_at: ms(ended.ended_at) })
}

/** What is over already is refused as if it were not there, or in words without a code: its own state says which it is. */
async function lookedUp<T>(error: unknown, look: () => Promise<T>): Promise<T> {
  if (!isRefused(error)) throw error
  return look()
}

const voidInvoice: Operation = async (exchange) => {
  const { invoice_id } = asked(z.object({ invoice_id: id }), exchange)
  const { invoices } = exchange.stripe
  const invoice = await invoices
    .voidInvoice(invoice_id, {}, options(exchange))
    .catch((error: unknown) => lookedUp(error, () => invoices.retrieve(invoice_id)))
  if (invoice.status !== 'void') return refused(`the invoice is ${String(invoice.status)}`)
  return done({ status: 'void', voided_at: ms(invoice.status_transitions.voided_at) })
}

const refund: Operation = async (exchange) => {
  const wanted = asked(z.object({ invoice_id: id, amount: amount.min(1), reason: z.string().max(100) }), exchange)
  const { stripe } = exchange
  const payments = await stripe.invoicePayments.list({ invoice: wanted.invoice_id, status: 'paid', limit: 1 })
  const payment_intent = idOf(payments.data[0]?.payment.payment_intent)
  if (payment_intent === null) return refused('the invoice was not paid through the service')
  const made = await stripe.refunds.create(
    {
      payment_intent,
      amount: wanted.amount,
      metadata: { ...placed(exchange), invoice_id: wanted.invoice_id, reason: wanted.reason },
      expand: ['charge'],
    },
    options(exchange),
  )
  const total = typeof made.charge === 'object' && made.charge !== null ? made.charge.amount_refunded : null
  return done({ refund_id: made.id, amount: made.amount, amount_refunded: total, payment_intent })
}

const usage = z.object({
  customer_id: id,
  meter: z.string().min(1).max(100),
  quantity: z.int(),
  window_start: z.int().min(0),
  identifier: z.string().min(1).max(100),
})

const reportUsage: Operation = async (exchange) => {
  const { customer_id, meter, quantity, window_start, identifier } = asked(usage, exchange)
  await meterExists(exchange, meter)
  const event = {
    event_name: meter,
    payload: { stripe_customer_id: customer_id, value: String(quantity) },
    identifier,
    timestamp: Math.floor(window_start / 1000),
  }
  try {
    await exchange.stripe.billing.meterEvents.create(event, options(exchange))
  } catch (error) {
    // Counted already under this identifier: what was wanted.
    if (!isRepeatedReport(error)) throw error
  }
  return done({ identifier })
}

const meterPages = 10

/** A meter of this name sums what is reported; made once. */
async function meterExists({ stripe, known }: Exchange, meter: string): Promise<void> {
  if (known.meters.has(meter)) return
  const listed = await stripe.billing.meters
    .list({ limit: 100, status: 'active' })
    .autoPagingToArray({ limit: 100 * meterPages })
  if (!listed.some(({ event_name }) => event_name === meter))
    await stripe.billing.meters.create(
      { display_name: meter, event_name: meter, default_aggregation: { formula: 'sum' } },
      { idempotencyKey: `meter:${meter}` },
    )
  known.meters.add(meter)
}

export const operations: Readonly<Record<string, Operation>> = {
  create_customer: createCustomer,
  create_subscription: createSubscription,
  update_subscription: updateSubscription,
  cancel_subscription: cancelSubscription,
  void_invoice: voidInvoice,
  refund,
  report_usage: reportUsage,
}
