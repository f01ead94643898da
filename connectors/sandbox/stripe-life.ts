/**
 * What the payment service and the customer's bank do by themselves: the first payment, renewals, retries within two weeks,
 * giving up. Each act changes one account and says its events; done again after a kill it says the same events under the
 * same ids.
 *
 * Scripts: operation `pay`, one rule for each attempt
 *   pays (default) · declined: tried again later · hard_declined: not tried again, paid by hand `after_ms` later where told
 *   never_pays: nobody pays the first invoice; later ones are declined · pays_late: declined, and paid by hand `after_ms`
 *   later (5 days unless told)
 * and operation `give_up`, when the last attempt has failed: unpaid (default) · uncollectible · canceled.
 */

import type { AgendaEntry } from './agenda.ts'
import type { StandInContext } from './exchange.ts'
import type { Records } from './records.ts'
import type { SandboxRule } from './script.ts'
import type { Account, Invoice, Subscription } from './stripe-account.ts'
import { chargeObject, invoiceObject, invoicePaymentObject, itemsObject, subscriptionObject } from './stripe-account.ts'

const hour = 60 * 60
const day = 24 * hour
/** A person pays a minute after the invoice. */
const firstPaymentAfter = 60
/** A first invoice that nobody pays in this time ends its subscription. */
const incompleteFor = 23 * hour
const lateByMs = 5 * day * 1000
/** After each failed attempt: eight tries within two weeks. */
const retriesAfter = [1, 1, 2, 2, 2, 3, 3].map((days) => days * day)

type Said = readonly [type: string, object: unknown, previous?: unknown]

export class StripeLife {
  readonly #context: StandInContext
  readonly #accounts: Records<Account>

  constructor(context: StandInContext, accounts: Records<Account>) {
    this.#context = context
    this.#accounts = accounts
    context.agenda.on('stripe-pay', (entry) => this.#entry(entry, (account, of) => this.#attempt(account, of)))
    context.agenda.on('stripe-late', (entry) => this.#entry(entry, (account, of) => this.#paidLate(account, of)))
    context.agenda.on('stripe-expire', (entry) => this.#entry(entry, (account, of) => this.#expire(account, of)))
    context.agenda.on('stripe-renew', (entry) => this.#entry(entry, (account, of) => this.#renew(account, of)))
  }

  get seconds(): number {
    return Math.floor(this.#context.now() / 1000)
  }

  companiesOf({ name, email }: Account): readonly string[] {
    return [name, email.slice(email.indexOf('@') + 1)]
  }

  /** One act: the change of an account and what is said of it. Said first, so that nothing of it is lost by a kill. */
  act(before: Account, change: (account: Account) => readonly Said[]): Account {
    const account = structuredClone(before)
    account.acts += 1
    change(account).forEach((said, n) => this.#say(account, said, n))
    this.#accounts.put(account.id, account)
    return account
  }

  #say(account: Account, [type, object, previous_attributes]: Said, n: number): void {
    const id = `evt_${account.id.slice(4)}_${account.acts}_${n}`
    const data = { object, ...(previous_attributes === undefined ? {} : { previous_attributes }) }
    const body = { id, object: 'event', api_version: '2026-10-28.endive', created: this.seconds, type, data }
    this.#context.deliveries.send({
      provider: 'stripe',
      id,
      event: type,
      companies: this.companiesOf(account),
      body: JSON.stringify({ ...body, livemode: false, pending_webhooks: 1, request: null }),
      at: this.#context.now(),
      lane: `stripe:${account.id}`,
    })
  }

  #note(kind: string, account: Account, of: string, at: number): void {
    const id = `${kind}:${of}`
    this.#context.agenda.note({ id, at: at * 1000, kind, data: { account: account.id, of } })
  }

  #entry({ data }: AgendaEntry, act: (account: Account, of: string) => void): void {
    const { account: id, of } = data as { readonly account: string; readonly of: string }
    const account = this.#accounts.get(id)
    if (account !== undefined) act(account, of)
  }

  #told(account: Account, operation: 'pay' | 'give_up', about: unknown): SandboxRule | null {
    const companies = this.companiesOf(account)
    return this.#context.script.take({ provider: 'stripe', operation, companies, body: JSON.stringify(about) })
  }

  /** A subscription begins with an open invoice; who is to pay it does so a minute later, or not. */
  begin(before: Account, subscription: Subscription): Account {
    const invoice = this.#invoice(subscription, 'subscription_create', subscription.latest_invoice)
    const { id } = invoice
    return this.act(before, (account) => {
      account.subscriptions[subscription.id] = subscription
      account.invoices[id] = invoice
      this.#note('stripe-pay', account, id, this.seconds + firstPaymentAfter)
      this.#note('stripe-expire', account, subscription.id, this.seconds + incompleteFor)
      return [
        ['customer.subscription.created', subscriptionObject(account, subscription)],
        ['invoice.created', invoiceObject(account, invoice)],
        ['invoice.finalized', invoiceObject(account, invoice)],
      ]
    })
  }

  #invoice(subscription: Subscription, billing_reason: Invoice['billing_reason'], id: string): Invoice {
    const { currency, metadata, price, quantity, period_start, period_end, prorated } = subscription
    return {
      id,
      created: this.seconds,
      subscription: subscription.id,
      metadata,
      currency,
      billing_reason,
      status: 'open',
      amount_due: Math.max(0, price.unit_amount * quantity + prorated),
      amount_paid: 0,
      credited: 0,
      attempt_count: 0,
      next_payment_attempt: null,
      period_start,
      period_end,
      finalized_at: this.seconds,
      paid_at: null,
      voided_at: null,
      marked_uncollectible_at: null,
      payment_intent: id.replace('in_', 'pi_'),
      charge: id.replace('in_', 'ch_'),
      refunded: 0,
      refund_ids: [],
    }
  }

  #attempt(before: Account, invoiceId: string): void {
    const invoice = before.invoices[invoiceId]
    const subscription = before.subscriptions[invoice?.subscription ?? '']
    if (invoice?.status !== 'open' || subscription === undefined || subscription.ended_at !== null) return
    const rule = this.#told(before, 'pay', { invoice: invoice.id, attempt: invoice.attempt_count + 1 })
    const first = invoice.billing_reason === 'subscription_create'
    switch (rule?.answer) {
      case 'never_pays':
        if (!first) this.#fails(before, invoice, subscription, false)
        return
      case 'declined':
      case 'pays_late':
        this.#fails(before, invoice, subscription, false)
        if (rule.answer === 'pays_late' && invoice.attempt_count === 0)
          this.#note('stripe-late', before, invoice.id, this.seconds + Math.ceil((rule.after_ms ?? lateByMs) / 1000))
        return
      case 'hard_declined':
        this.#fails(before, invoice, subscription, true)
        if (rule.after_ms !== undefined)
          this.#note('stripe-late', before, invoice.id, this.seconds + Math.ceil(rule.after_ms / 1000))
        return
      default:
        this.act(before, (account) => this.#pays(account, invoice, subscription, invoice.attempt_count + 1))
    }
  }

  #paidLate(before: Account, invoiceId: string): void {
    const invoice = before.invoices[invoiceId]
    if (invoice !== undefined) this.pay(before, invoice)
  }

  /** Paid by hand: no attempt of the retry schedule. */
  pay(before: Account, invoice: Invoice): Account {
    const subscription = before.subscriptions[invoice.subscription]
    if ((invoice.status !== 'open' && invoice.status !== 'uncollectible') || subscription === undefined) return before
    this.#context.agenda.cancel(`stripe-pay:${invoice.id}`)
    return this.act(before, (account) => this.#pays(account, invoice, subscription, Math.max(1, invoice.attempt_count)))
  }

  #pays(account: Account, invoice: Invoice, subscription: Subscription, attempt_count: number): readonly Said[] {
    const money = { amount_paid: invoice.amount_due, attempt_count, next_payment_attempt: null }
    const paid: Invoice = { ...invoice, ...money, status: 'paid', paid_at: this.seconds }
    account.invoices[paid.id] = paid
    this.#context.agenda.cancel(`stripe-expire:${subscription.id}`)
    const said: Said[] = [
      ['invoice_payment.paid', invoicePaymentObject(paid)],
      ['invoice.paid', invoiceObject(account, paid)],
    ]
    if (subscription.status === 'active' || subscription.ended_at !== null) return said
    const active: Subscription = { ...subscription, status: 'active' }
    account.subscriptions[active.id] = active
    this.#note('stripe-renew', account, active.id, Math.max(active.period_end, this.seconds + 1))
    return [
      ...said,
      ['customer.subscription.updated', subscriptionObject(account, active), { status: subscription.status }],
    ]
  }

  #fails(before: Account, invoice: Invoice, subscription: Subscription, hard: boolean): void {
    const attempt_count = invoice.attempt_count + 1
    const wait = invoice.billing_reason === 'subscription_create' ? 6 * hour : retriesAfter[attempt_count - 1]
    const next = hard || wait === undefined ? null : this.seconds + wait
    const failed: Invoice = { ...invoice, attempt_count, next_payment_attempt: next }
    const after = this.act(before, (account) => {
      account.invoices[failed.id] = failed
      const said: Said[] = [['invoice.payment_failed', invoiceObject(account, failed)]]
      if (subscription.status !== 'active') return said
      const due: Subscription = { ...subscription, status: 'past_due' }
      account.subscriptions[due.id] = due
      return [...said, ['customer.subscription.updated', subscriptionObject(account, due), { status: 'active' }]]
    })
    if (next !== null) this.#note('stripe-pay', after, invoice.id, next)
    else if (!hard && subscription.status === 'past_due') this.#givesUp(after, failed)
  }

  /** The last attempt has failed: what the account's owner wants done then. */
  #givesUp(before: Account, invoice: Invoice): void {
    const subscription = before.subscriptions[invoice.subscription]
    if (subscription?.ended_at !== null) return
    const rule = this.#told(before, 'give_up', { invoice: invoice.id })
    if (rule?.answer === 'canceled') return void this.cancel(before, subscription, null, 'payment_failed')
    this.act(before, (account) => {
      const unpaid: Subscription = { ...subscription, status: 'unpaid' }
      account.subscriptions[unpaid.id] = unpaid
      const said: Said[] = [
        ['customer.subscription.updated', subscriptionObject(account, unpaid), { status: subscription.status }],
      ]
      if (rule?.answer !== 'uncollectible') return said
      const lost: Invoice = { ...invoice, status: 'uncollectible', marked_uncollectible_at: this.seconds }
      account.invoices[lost.id] = lost
      return [...said, ['invoice.marked_uncollectible', invoiceObject(account, lost)]]
    })
  }

  #expire(before: Account, subscriptionId: string): void {
    const subscription = before.subscriptions[subscriptionId]
    if (subscription?.status !== 'incomplete') return
    this.act(before, (account) => {
      const over: Subscription = { ...subscription, status: 'incomplete_expired', ended_at: this.seconds }
      account.subscriptions[over.id] = over
      const changed: Said = [
        'customer.subscription.updated',
        subscriptionObject(account, over),
        { status: 'incomplete' },
      ]
      return [changed, ...this.#voided(account, over.latest_invoice)]
    })
  }

  #voided(account: Account, invoiceId: string): readonly Said[] {
    const invoice = account.invoices[invoiceId]
    if (invoice?.status !== 'open' && invoice?.status !== 'uncollectible') return []
    const gone: Invoice = { ...invoice, status: 'void', voided_at: this.seconds, next_payment_attempt: null }
    account.invoices[gone.id] = gone
    this.#context.agenda.cancel(`stripe-pay:${gone.id}`)
    return [['invoice.voided', invoiceObject(account, gone)]]
  }

  /** A new period: a new invoice, tried at once. */
  #renew(before: Account, subscriptionId: string): void {
    const subscription = before.subscriptions[subscriptionId]
    if (subscription?.status !== 'active' && subscription?.status !== 'past_due') return
    const id = `in_${subscription.id.slice(4)}${subscription.period_end}`
    this.act(before, (account) => {
      const period_start = subscription.period_end
      const period_end = laterBy(period_start, subscription.price.interval)
      const renewed: Subscription = { ...subscription, period_start, period_end, latest_invoice: id, prorated: 0 }
      const invoice = this.#invoice({ ...renewed, prorated: subscription.prorated }, 'subscription_cycle', id)
      account.subscriptions[renewed.id] = renewed
      account.invoices[id] = invoice
      this.#note('stripe-pay', account, id, this.seconds)
      this.#note('stripe-renew', account, renewed.id, period_end)
      return [
        ['invoice.created', invoiceObject(account, invoice)],
        ['invoice.finalized', invoiceObject(account, invoice)],
        [
          'customer.subscription.updated',
          subscriptionObject(account, renewed),
          { items: itemsObject(subscription), latest_invoice: subscription.latest_invoice },
        ],
      ]
    })
  }

  /** Other terms from now on; the rest of the period is settled with the next invoice. */
  change(
    before: Account,
    subscription: Subscription,
    to: Pick<Subscription, 'price' | 'quantity' | 'metadata'>,
  ): Account {
    const { period_start, period_end, price, quantity } = subscription
    const left = Math.max(0, period_end - this.seconds) / (period_end - period_start)
    const difference = to.price.unit_amount * to.quantity - price.unit_amount * quantity
    const changed: Subscription = {
      ...subscription,
      ...to,
      prorated: subscription.prorated + (subscription.status === 'incomplete' ? 0 : Math.round(difference * left)),
    }
    return this.act(before, (account) => {
      account.subscriptions[changed.id] = changed
      const previous = { items: itemsObject(subscription), metadata: subscription.metadata }
      return [['customer.subscription.updated', subscriptionObject(account, changed), previous]]
    })
  }

  cancel(before: Account, subscription: Subscription, comment: string | null, reason: string): Account {
    for (const kind of ['stripe-renew', 'stripe-expire']) this.#context.agenda.cancel(`${kind}:${subscription.id}`)
    return this.act(before, (account) => {
      const at = { canceled_at: this.seconds, ended_at: this.seconds }
      const over: Subscription = { ...subscription, ...at, status: 'canceled', comment, reason }
      account.subscriptions[over.id] = over
      const gone: Said = ['customer.subscription.deleted', subscriptionObject(account, over)]
      return subscription.status === 'incomplete' ? [gone, ...this.#voided(account, over.latest_invoice)] : [gone]
    })
  }

  void(before: Account, invoice: Invoice): Account {
    return this.act(before, (account) => this.#voided(account, invoice.id))
  }

  uncollectible(before: Account, invoice: Invoice): Account {
    return this.act(before, (account) => {
      const lost: Invoice = { ...invoice, status: 'uncollectible', marked_uncollectible_at: this.seconds }
      account.invoices[lost.id] = lost
      return [['invoice.marked_uncollectible', invoiceObject(account, lost)]]
    })
  }

  refund(before: Account, invoice: Invoice, amount: number, credited: number): Account {
    return this.act(before, (account) => {
      const given: Invoice = {
        ...invoice,
        refunded: invoice.refunded + amount,
        credited: invoice.credited + credited,
      }
      account.invoices[given.id] = given
      if (amount === 0) return []
      return [['charge.refunded', chargeObject(account, given), { amount_refunded: invoice.refunded }]]
    })
  }
}

/** The same day of the next month or year, or its last. */
export function laterBy(seconds: number, interval: 'month' | 'year'): number {
  const from = new Date(seconds * 1000)
  const to = new Date(from)
  to.setUTCDate(1)
  to.setUTCMonth(to.getUTCMonth() + (interval === 'year' ? 12 : 1))
  const last = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate()
  to.setUTCDate(Math.min(from.getUTCDate(), last))
  return Math.floor(to.getTime() / 1000)
}
