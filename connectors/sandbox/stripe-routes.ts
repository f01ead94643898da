/** The calls of the payment service that the platform makes: a method, a path, what it does to an account. */

import { createHash } from 'node:crypto'
import type { DayRecords } from './day-records.ts'
import type { Records } from './records.ts'
import type { Account, Invoice, Price, Subscription } from './stripe-account.ts'
import {
  chargeObject,
  customerObject,
  invoiceObject,
  invoicePaymentObject,
  priceObject,
  subscriptionObject,
} from './stripe-account.ts'
import type { Form } from './stripe-form.ts'
import { list, text, texts, tree, whole } from './stripe-form.ts'
import type { StripeLife } from './stripe-life.ts'
import { laterBy } from './stripe-life.ts'

/** What is nobody's: products, prices, meters. */
export type Shared = { readonly id: string; readonly object: string; readonly [field: string]: unknown }

export interface Books {
  readonly accounts: Records<Account>
  readonly shared: Records<Shared>
  /** Identifiers of meter events, by the meter event they name. */
  readonly reports: DayRecords<string>
  readonly life: StripeLife
  /** The account that holds an object. */
  holderOf(id: string): Account | null
}

export interface Request {
  readonly books: Books
  readonly form: Form
  /** Of the path, in order. */
  readonly ids: readonly string[]
  /** Unique to this call: ids are made of it. */
  readonly seed: string
}

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

interface Route {
  readonly operation: string
  readonly method: string
  readonly path: RegExp
  answer(request: Request): unknown
}

const missing = (what: string): Refusal => new Refusal(404, 'resource_missing', `No such ${what}`)
const invalid = (what: string): Refusal => new Refusal(400, 'parameter_invalid', `Invalid ${what}`)
const needed = (value: string | null, name: string): string => {
  if (value === null) throw new Refusal(400, 'parameter_missing', `Missing required param: ${name}`)
  return value
}
const idFor = (prefix: string, seed: string): string =>
  `${prefix}_${createHash('sha256').update(`${prefix} ${seed}`).digest('hex').slice(0, 24)}`
const listObject = (url: string, data: readonly unknown[]) => ({ object: 'list', url, has_more: false, data })

function accountOf({ books }: Request, id: string): Account {
  const account = books.accounts.get(id)
  if (account === undefined) throw missing('customer')
  return account
}

function subscriptionOf({ books, ids }: Request): { account: Account; subscription: Subscription } {
  const account = books.holderOf(ids[0] ?? '')
  const subscription = account?.subscriptions[ids[0] ?? '']
  if (account === null || subscription === undefined) throw missing('subscription')
  return { account, subscription }
}

function invoiceOf({ books }: Request, id: string): { account: Account; invoice: Invoice } {
  const account = books.holderOf(id)
  const invoice = account?.invoices[id]
  if (account === null || invoice === undefined) throw missing('invoice')
  return { account, invoice }
}

function priceOf({ books, seed }: Request, item: Form): Price {
  const known = text(item, 'price')
  if (known !== null) {
    const price = books.shared.get(known)
    if (price?.object !== 'price') throw missing('price')
    return price as unknown as Price
  }
  return newPrice(books, idFor('price', seed), tree(item, 'price_data'))
}

function newPrice({ shared }: Books, id: string, form: Form): Price {
  const product = needed(text(form, 'product'), 'product')
  if (shared.get(product)?.object !== 'product') throw missing('product')
  const interval = text(tree(form, 'recurring'), 'interval')
  const unit_amount = whole(form, 'unit_amount')
  if (interval !== 'month' && interval !== 'year') throw invalid('recurring[interval]')
  if (unit_amount === null || unit_amount < 0) throw invalid('unit_amount')
  return { id, currency: needed(text(form, 'currency'), 'currency'), product, unit_amount, interval }
}

function createCustomer(request: Request): unknown {
  const { books, form, seed } = request
  // Made by a call whose answer a kill had kept back: it has the same seed.
  const before = books.accounts.get(idFor('cus', seed))
  if (before !== undefined) return customerObject(before)
  const account: Account = {
    id: idFor('cus', seed),
    created: books.life.seconds,
    name: text(form, 'name') ?? '',
    email: text(form, 'email') ?? '',
    metadata: texts(form, 'metadata'),
    subscriptions: {},
    invoices: {},
    acts: 0,
  }
  books.accounts.put(account.id, account)
  return customerObject(account)
}

function createProduct({ books, form, seed }: Request): unknown {
  const id = text(form, 'id') ?? idFor('prod', seed)
  if (books.shared.get(id) !== undefined) throw new Refusal(400, 'resource_already_exists', 'Product already exists.')
  const product = { id, object: 'product', active: true, name: needed(text(form, 'name'), 'name'), livemode: false }
  books.shared.put(id, product)
  return product
}

function createPrice({ books, form, seed }: Request): unknown {
  const price = newPrice(books, idFor('price', seed), form)
  books.shared.put(price.id, { ...price, object: 'price', lookup_key: text(form, 'lookup_key') })
  return priceObject(price)
}

function pricesOf({ books, form }: Request): unknown {
  const keys = Object.values(tree(form, 'lookup_keys'))
  const found = [...books.shared.values()].filter(
    ({ object, lookup_key }) => object === 'price' && (keys.length === 0 || keys.includes(lookup_key as string)),
  )
  return listObject(
    '/v1/prices',
    found.map((price) => priceObject(price as unknown as Price)),
  )
}

function createSubscription(request: Request): unknown {
  const { books, form, seed } = request
  const account = accountOf(request, needed(text(form, 'customer'), 'customer'))
  const [item] = list(form, 'items')
  if (item === undefined) throw new Refusal(400, 'parameter_missing', 'Missing required param: items')
  const before = account.subscriptions[idFor('sub', seed)]
  if (before !== undefined) return subscriptionObject(account, before)
  const price = priceOf(request, item)
  const now = books.life.seconds
  const subscription: Subscription = {
    id: idFor('sub', seed),
    created: now,
    currency: price.currency,
    metadata: texts(form, 'metadata'),
    price,
    quantity: whole(item, 'quantity') ?? 1,
    status: 'incomplete',
    period_start: now,
    period_end: laterBy(now, price.interval),
    latest_invoice: idFor('in', seed),
    canceled_at: null,
    ended_at: null,
    comment: null,
    reason: null,
    prorated: 0,
  }
  return subscriptionObject(books.life.begin(account, subscription), subscription)
}

function updateSubscription(request: Request): unknown {
  const { books, form } = request
  const { account, subscription } = subscriptionOf(request)
  if (subscription.ended_at !== null) throw missing('subscription')
  const [item] = list(form, 'items')
  const to = {
    price: item === undefined ? subscription.price : priceOf(request, item),
    quantity: (item === undefined ? null : whole(item, 'quantity')) ?? subscription.quantity,
    metadata: { ...subscription.metadata, ...texts(form, 'metadata') },
  }
  const after = books.life.change(account, subscription, to)
  return subscriptionObject(after, after.subscriptions[subscription.id] ?? subscription)
}

function cancelSubscription(request: Request): unknown {
  const { account, subscription } = subscriptionOf(request)
  if (subscription.ended_at !== null) throw missing('subscription')
  const comment = text(tree(request.form, 'cancellation_details'), 'comment')
  const after = request.books.life.cancel(account, subscription, comment, 'cancellation_requested')
  return subscriptionObject(after, after.subscriptions[subscription.id] ?? subscription)
}

/** Refused by its state: words without a code, as the service has them. */
const wrongState = ({ status }: Invoice): string =>
  status === 'paid'
    ? 'Invoices with `paid` payments cannot be voided.'
    : "You can only pass in open invoices. This invoice isn't open."

/** @param may statuses from which it can be done */
function invoiceAct(
  may: readonly Invoice['status'][],
  act: (life: StripeLife, account: Account, invoice: Invoice) => Account,
): (request: Request) => unknown {
  return (request) => {
    const { account, invoice } = invoiceOf(request, request.ids[0] ?? '')
    if (!may.includes(invoice.status)) throw new Refusal(400, '', wrongState(invoice))
    const after = act(request.books.life, account, invoice)
    return invoiceObject(after, after.invoices[invoice.id] ?? invoice)
  }
}

function paymentsOf(request: Request): unknown {
  const { invoice } = invoiceOf(request, needed(text(request.form, 'invoice'), 'invoice'))
  const payment = invoicePaymentObject(invoice)
  const wanted = text(request.form, 'status')
  return listObject('/v1/invoice_payments', wanted === null || wanted === payment.status ? [payment] : [])
}

function createRefund(request: Request): unknown {
  const { form, books, seed } = request
  const intent = needed(text(form, 'payment_intent'), 'payment_intent')
  const { account, invoice } = invoiceOf(request, intent.replace('pi_', 'in_'))
  const amount = whole(form, 'amount') ?? invoice.amount_paid - invoice.refunded
  const done = invoice.refund_ids.includes(idFor('re', seed))
  const after = done
    ? account
    : given(books, account, { ...invoice, refund_ids: [...invoice.refund_ids, idFor('re', seed)] }, amount, 0)
  const charge = chargeObject(after, after.invoices[invoice.id] ?? invoice)
  const expanded = Object.values(tree(form, 'expand')).includes('charge')
  return {
    id: idFor('re', seed),
    object: 'refund',
    created: books.life.seconds,
    amount,
    currency: invoice.currency,
    payment_intent: intent,
    charge: expanded ? charge : charge.id,
    metadata: texts(form, 'metadata'),
    status: 'succeeded',
  }
}

function given(books: Books, account: Account, invoice: Invoice, amount: number, credited: number): Account {
  if (invoice.status !== 'paid' || amount < 0 || amount > invoice.amount_paid - invoice.refunded)
    throw new Refusal(400, 'charge_already_refunded', 'Refund amount is greater than what is left of the charge.')
  return books.life.refund(account, invoice, amount, credited)
}

/** Of a paid invoice: what is credited is given back, in money as far as it says so. */
function createCreditNote(request: Request): unknown {
  const { form, books, seed } = request
  const { account, invoice } = invoiceOf(request, needed(text(form, 'invoice'), 'invoice'))
  const amount = whole(form, 'amount') ?? whole(form, 'refund_amount') ?? 0
  const refunded = whole(form, 'refund_amount') ?? 0
  if (amount <= 0 || amount > invoice.amount_paid - invoice.credited) throw invalid('amount')
  given(books, account, invoice, refunded, amount)
  return {
    id: idFor('cn', seed),
    object: 'credit_note',
    created: books.life.seconds,
    amount,
    currency: invoice.currency,
    customer: account.id,
    invoice: invoice.id,
    metadata: texts(form, 'metadata'),
    status: 'issued',
    type: 'post_payment',
  }
}

function createMeter({ books, form, seed }: Request): unknown {
  const event_name = needed(text(form, 'event_name'), 'event_name')
  const id = idFor('mtr', seed)
  const meter = { id, object: 'billing.meter', display_name: text(form, 'display_name'), event_name, status: 'active' }
  books.shared.put(id, meter)
  return meter
}

const metersOf = ({ books }: Request): unknown =>
  listObject(
    '/v1/billing/meters',
    [...books.shared.values()].filter(({ object }) => object === 'billing.meter'),
  )

const reportsBackS = 35 * 24 * 60 * 60
const reportsAheadS = 5 * 60

/** Whole numbers, negative ones too; of the last 35 days. */
function createMeterEvent(request: Request): unknown {
  const { books, form, seed } = request
  const payload = texts(form, 'payload')
  accountOf(request, payload['stripe_customer_id'] ?? '')
  const event_name = needed(text(form, 'event_name'), 'event_name')
  const known = [...books.shared.values()].some((meter) => meter['event_name'] === event_name)
  if (!known) throw new Refusal(400, 'no_meter', 'No active meter found for this event name.')
  if (!/^-?\d{1,15}$/.test(payload['value'] ?? '')) throw invalid('payload[value]')
  const identifier = text(form, 'identifier') ?? idFor('mev', seed)
  if (books.reports.get(identifier) !== undefined)
    throw new Refusal(400, '', `An event already exists with identifier ${identifier}.`)
  const created = books.life.seconds
  const timestamp = whole(form, 'timestamp') ?? created
  if (timestamp < created - reportsBackS || timestamp > created + reportsAheadS)
    throw new Refusal(
      400,
      'timestamp_out_of_range',
      'The timestamp is of the past 35 days, or 5 minutes ahead at most.',
    )
  books.reports.put(identifier, event_name)
  return { object: 'billing.meter_event', created, event_name, identifier, payload, timestamp, livemode: false }
}

const id = '([A-Za-z0-9_]+)'
const route = (operation: string, method: string, path: string, answer: Route['answer']): Route => ({
  operation,
  method,
  path: new RegExp(`^/v1/${path}$`),
  answer,
})

export const routes: readonly Route[] = [
  route('create_customer', 'POST', 'customers', createCustomer),
  route('customer', 'GET', `customers/${id}`, (request) => customerObject(accountOf(request, request.ids[0] ?? ''))),
  route('create_product', 'POST', 'products', createProduct),
  route('create_price', 'POST', 'prices', createPrice),
  route('prices', 'GET', 'prices', pricesOf),
  route('create_subscription', 'POST', 'subscriptions', createSubscription),
  route('subscription', 'GET', `subscriptions/${id}`, (request) => {
    const { account, subscription } = subscriptionOf(request)
    return subscriptionObject(account, subscription)
  }),
  route('update_subscription', 'POST', `subscriptions/${id}`, updateSubscription),
  route('cancel_subscription', 'DELETE', `subscriptions/${id}`, cancelSubscription),
  route('invoice', 'GET', `invoices/${id}`, (request) => {
    const { account, invoice } = invoiceOf(request, request.ids[0] ?? '')
    return invoiceObject(account, invoice)
  }),
  route(
    'pay_invoice',
    'POST',
    `invoices/${id}/pay`,
    invoiceAct(['open', 'uncollectible'], (life, a, i) => life.pay(a, i)),
  ),
  route(
    'void_invoice',
    'POST',
    `invoices/${id}/void`,
    invoiceAct(['open', 'uncollectible'], (life, a, i) => life.void(a, i)),
  ),
  route(
    'mark_uncollectible',
    'POST',
    `invoices/${id}/mark_uncollectible`,
    invoiceAct(['open'], (life, a, i) => life.uncollectible(a, i)),
  ),
  route('invoice_payments', 'GET', 'invoice_payments', paymentsOf),
  route('refund', 'POST', 'refunds', createRefund),
  route('credit_note', 'POST', 'credit_notes', createCreditNote),
  route('create_meter', 'POST', 'billing/meters', createMeter),
  route('meters', 'GET', 'billing/meters', metersOf),
  route('report_usage', 'POST', 'billing/meter_events', createMeterEvent),
]
