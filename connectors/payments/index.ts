/** The payment provider: customers, subscriptions, invoices, refunds, usage. */
export { invoicePages } from './invoice-page.ts'
export { stripeProvider } from './stripe.ts'
export type { Owner, StripeSettings } from './settings.ts'
export { stripeApiVersion } from './settings.ts'
