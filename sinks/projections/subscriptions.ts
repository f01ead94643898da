/** Each subscription as the facts of billing tell of it. Amounts in minor units of their currency. */

import { billingEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, long, nullable, patch, patchWhile, put, text, uuid } from '../table.ts'

export const subscriptionsTable = defineTable('subscriptions', {
  key: { tenant_id: uuid, subscription_id: text },
  columns: {
    organization_id: uuid,
    customer_id: text,
    document_id: nullable(text),
    plan: text,
    /** created · active · unpaid (it counts no revenue) · canceled */
    status: text,
    currency: nullable(text),
    /** Of one month, while it counts. */
    mrr: nullable(long),
    period_start: nullable(instant),
    period_end: nullable(instant),
    created_at: instant,
    activated_at: nullable(instant),
    ended_at: nullable(instant),
    /** voluntary · payment_failed · compensation · never_paid */
    end_reason: nullable(text),
  },
})

export const subscriptions = defineProjection({
  name: 'subscriptions',
  reads: billingEvents,
  tables: [subscriptionsTable],
  apply(event) {
    switch (event.event_type) {
      case 'subscription_created':
        return [
          put(subscriptionsTable, keyOf(event), {
            organization_id: event.organization_id,
            customer_id: event.customer_id,
            document_id: event.document_id ?? null,
            plan: event.plan,
            status: 'created',
            created_at: event.timestamp,
          }),
        ]
      case 'subscription_activated':
        return [
          patch(subscriptionsTable, keyOf(event), {
            status: 'active',
            plan: event.plan,
            currency: event.currency,
            mrr: event.mrr,
            period_start: event.period_start,
            period_end: event.period_end,
            activated_at: event.effective_at ?? event.timestamp,
          }),
        ]
      case 'subscription_changed': {
        const status = event.new_mrr === 0 ? 'unpaid' : 'active'
        // One that is told after the end was before it.
        return [patchWhile(subscriptionsTable, keyOf(event), { status, mrr: event.new_mrr }, 'ended_at')]
      }
      case 'subscription_canceled':
        return [
          patch(subscriptionsTable, keyOf(event), {
            status: 'canceled',
            mrr: 0,
            ended_at: event.effective_at ?? event.timestamp,
            end_reason: event.reason,
          }),
        ]
      default:
        return []
    }
  },
})

const keyOf = (event: { readonly tenant_id: string; readonly subscription_id: string }) => ({
  tenant_id: event.tenant_id,
  subscription_id: event.subscription_id,
})
