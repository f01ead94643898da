/** Where an invoice is seen and paid. */

import { isRefused } from './outcome.ts'
import type { StripeSettings } from './settings.ts'
import { clientFor } from './stripe.ts'

/**
 * The page on which the client pays: whoever has its address can, so it is in no event and asked for when the letter about
 * the invoice is sent. A first invoice is paid nowhere else: nobody has given a method of payment yet.
 * https://docs.stripe.com/api/invoices/object (hosted_invoice_url)
 *
 * @returns a function of a tenant and the id of an invoice; null when there is no such page, or it is another tenant's
 * @throws StripeError when the service could not be asked
 */
export function invoicePages(
  settings: Pick<StripeSettings, 'baseUrl' | 'apiKey' | 'timeoutMs'>,
): (tenantId: string, invoiceId: string) => Promise<{ readonly pay_url: string } | null> {
  return async (tenantId, invoiceId) => {
    const { invoices } = clientFor(settings, AbortSignal.timeout(settings.timeoutMs))
    const invoice = await invoices.retrieve(invoiceId).catch((error: unknown) => {
      if (isRefused(error)) return null
      throw error
    })
    const whose = invoice?.parent?.subscription_details?.metadata?.['tenant_id'] ?? tenantId
    const pay_url = invoice?.hosted_invoice_url ?? null
    return pay_url === null || whose !== tenantId ? null : { pay_url }
  }
}
