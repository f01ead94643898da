/**
 * Stripe, by its own library: retries, limits and order are the worker's, so the library makes each exchange once. The call
 * id is the idempotency key, and every object carries the tenant and the organization, by which its webhooks are placed.
 *
 *   operation             request                                                     output
 *   create_customer       company                                                     customer_id
 *   create_subscription   customer_id, plan, quantity, interval, currency, amount,    subscription_id, status, invoice_id
 *                         document_id
 *   update_subscription   subscription_id, plan, quantity, interval, currency,        subscription_id, status
 *                         amount, document_id
 *   cancel_subscription   subscription_id, reason                                     status, ended_at
 *   void_invoice          invoice_id                                                  status, voided_at
 *   refund                invoice_id, amount, currency, reason                        refund_id, amount, amount_refunded
 *   report_usage          customer_id, meter, quantity, window_start, identifier      identifier
 *
 * A declined card is class ok with `declined`: a definite answer.
 */

import Stripe from 'stripe'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import { operations } from './operations.ts'
import { outcomeOfError, refused } from './outcome.ts'
import type { StripeSettings } from './settings.ts'
import { defaultConcurrency, stripeApiVersion } from './settings.ts'

export function stripeProvider(settings: StripeSettings & { readonly now?: () => number }): Provider {
  const known = { products: new Set<string>(), meters: new Set<string>() }
  return Object.freeze({
    name: 'stripe',
    account: settings.mode,
    mode: settings.mode,
    repeat: 'keyed' as const,
    rate: settings.rate,
    concurrency: settings.concurrency ?? defaultConcurrency,
    timeoutMs: settings.timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      const operation = Object.hasOwn(operations, call.operation) ? operations[call.operation] : undefined
      if (operation === undefined) return refused('stripe has no such operation')
      try {
        return await operation({ stripe: clientFor(settings, call.signal), settings, known, call })
      } catch (error) {
        return outcomeOfError(error, (settings.now ?? Date.now)())
      }
    },
  })
}

/** A client whose exchanges end with the call. */
export function clientFor(
  { baseUrl, apiKey, timeoutMs }: Pick<StripeSettings, 'baseUrl' | 'apiKey' | 'timeoutMs'>,
  signal: AbortSignal,
): Stripe {
  const { protocol, hostname, port, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/$/, '')
  const fetchOnce: typeof fetch = (input, init = {}) => {
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url)
    url.pathname = prefix + url.pathname
    const ends = init.signal == null ? signal : AbortSignal.any([init.signal, signal])
    return fetch(url, { ...init, redirect: 'manual', signal: ends })
  }
  return new Stripe(apiKey, {
    apiVersion: stripeApiVersion,
    host: hostname,
    ...(port === '' ? {} : { port }),
    protocol: protocol === 'http:' ? 'http' : 'https',
    maxNetworkRetries: 0,
    telemetry: false,
    timeout: timeoutMs,
    httpClient: Stripe.createFetchHttpClient(fetchOnce),
  })
}
