/** Webhooks of the providers: raw bytes verified, then one event per delivery. */
export { createWebhooks, webhookDefaults } from './receive.ts'
export type { WebhookOptions, WebhookOutcome, Webhooks, WebhookSecrets, WebhookSettings } from './receive.ts'
export type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'
export { docuSignWebhooks } from './docusign.ts'
export { sendGridWebhooks } from './send-grid.ts'
export { postgresWaitingRoom } from './waiting.ts'
export type { Owned, PayloadBox, Waited, WaitingEvent, WaitingRoom } from './waiting.ts'
export { stripeWebhooks } from './stripe.ts'
