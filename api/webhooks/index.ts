/** Webhooks of the providers: raw bytes verified, then one event per delivery. */
export type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'
export { stripeWebhooks } from './stripe.ts'
