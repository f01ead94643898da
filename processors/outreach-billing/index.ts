/** Invoices, and what is said when they are not paid: once for each stage, in the words of the stage. */

import { billingEvents, communicationEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { nothingYet, outreachState } from '../outreach/state.ts'
import { dayOf, isWritten, moneyOf, write } from '../outreach/write.ts'

/** What is written at a stage of dunning; nothing for the others. */
const letters: Readonly<Record<string, string>> = {
  grace: 'payment_failed',
  reminder_1: 'payment_reminder',
  reminder_2: 'payment_reminder',
  final_notice: 'payment_final_notice',
  restricted: 'service_restricted',
  suspended: 'service_suspended',
  canceled: 'subscription_canceled',
  recovered: 'payment_recovered',
}

export const outreachBilling = () =>
  defineProcessor({
    name: 'outreach-billing',
    reads: billingEvents,
    writes: [communicationEvents],
    state: outreachState,
    handle(state, input, context) {
      if (state?.closed === true) return { state }
      const known = state ?? nothingYet
      switch (input.event_type) {
        case 'invoice_issued': {
          const { invoice_id: invoice, amount_due, currency, due_at } = input
          if (amount_due <= 0) return { state }
          const data = { invoice, amount: moneyOf(amount_due, currency), due: dayOf(due_at) }
          return write(
            known,
            { key: `invoice:${invoice}`, template: 'invoice', purpose: 'transactional', data },
            context,
          )
        }
        case 'payment_failed': {
          const { invoice_id: invoice, hard } = input
          // A retry may still succeed by itself; a hard decline never does.
          if (!hard) return { state }
          const letter = { key: methodKey(invoice), template: 'payment_method_needed', data: { invoice } }
          return write(known, { ...letter, purpose: 'transactional' }, context)
        }
        case 'dunning_stage_changed': {
          const { invoice_id: invoice, from, to } = input
          // Paid after the subscription was ended for it: nothing comes back by that.
          const template = from === 'canceled' && to === 'recovered' ? 'payment_after_end' : letters[to]
          // Who was asked for another card has read that the payment failed.
          if (template === undefined || (to === 'grace' && isWritten(known, methodKey(invoice)))) return { state }
          const letter = { key: `dunning:${invoice}:${to}`, template, data: { invoice } }
          return write(known, { ...letter, purpose: 'transactional' }, context)
        }
        default:
          return { state }
      }
    },
  })

const methodKey = (invoice: string): string => `payment_method:${invoice}`
