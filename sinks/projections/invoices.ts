/** Each invoice, and the money given back for it. Amounts in minor units of their currency. */

import { billingEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import type { RowChange } from '../table.ts'
import { count, defineTable, flag, instant, long, nullable, patch, put, text, uuid } from '../table.ts'

export const invoicesTable = defineTable('invoices', {
  key: { tenant_id: uuid, invoice_id: text },
  columns: {
    organization_id: uuid,
    subscription_id: nullable(text),
    /** open · paid · void · uncollectible */
    status: text,
    currency: text,
    amount_due: long,
    amount_paid: nullable(long),
    due_at: instant,
    issued_at: instant,
    ended_at: nullable(instant),
    attempt_count: nullable(count),
    next_attempt_at: nullable(instant),
    decline_code: nullable(text),
    /** The last failure is one that no retry can help. */
    hard_decline: nullable(flag),
  },
})

export const refundsTable = defineTable('refunds', {
  key: { tenant_id: uuid, refund_id: text },
  columns: {
    organization_id: uuid,
    invoice_id: text,
    currency: text,
    amount: long,
    reason: text,
    refunded_at: instant,
  },
})

type BillingEvent = EventOf<typeof billingEvents.events>
type InvoiceChange = Parameters<typeof patch<typeof invoicesTable.key, typeof invoicesTable.columns>>[2]

export const invoices = defineProjection({
  name: 'invoices',
  reads: billingEvents,
  tables: [invoicesTable, refundsTable],
  apply(event): readonly RowChange[] {
    switch (event.event_type) {
      case 'invoice_issued':
        return [
          put(invoicesTable, keyOf(event), {
            organization_id: event.organization_id,
            subscription_id: event.subscription_id ?? null,
            status: 'open',
            currency: event.currency,
            amount_due: event.amount_due,
            due_at: event.due_at,
            issued_at: event.timestamp,
          }),
        ]
      case 'payment_failed':
        return changed(event, {
          attempt_count: event.attempt_count,
          next_attempt_at: event.next_attempt_at ?? null,
          decline_code: event.decline_code ?? null,
          hard_decline: event.hard,
        })
      case 'invoice_paid': {
        const ended = { ended_at: event.timestamp, next_attempt_at: null }
        return changed(event, { status: 'paid', amount_paid: event.amount_paid, ...ended })
      }
      case 'invoice_voided':
        return changed(event, { status: 'void', ended_at: event.timestamp, next_attempt_at: null })
      case 'invoice_uncollectible':
        return changed(event, { status: 'uncollectible', next_attempt_at: null })
      case 'refund_issued':
        return [refunded(event)]
      default:
        return []
    }
  },
})

const keyOf = (event: { readonly tenant_id: string; readonly invoice_id: string }) => ({
  tenant_id: event.tenant_id,
  invoice_id: event.invoice_id,
})

const changed = (
  event: { readonly tenant_id: string; readonly invoice_id: string },
  values: InvoiceChange,
): readonly RowChange[] => [patch(invoicesTable, keyOf(event), values)]

const refunded = (event: Extract<BillingEvent, { readonly event_type: 'refund_issued' }>): RowChange =>
  put(
    refundsTable,
    { tenant_id: event.tenant_id, refund_id: event.refund_id },
    {
      organization_id: event.organization_id,
      invoice_id: event.invoice_id,
      currency: event.currency,
      amount: event.amount,
      reason: event.reason,
      refunded_at: event.timestamp,
    },
  )
