/** What an ended call means for what it was about. */

import type { StepContext } from '../define.ts'
import { invoiceOf, withInvoice } from './invoices.ts'
import type { Move, Outcome } from './jobs.ts'
import { numberOf, still } from './jobs.ts'
import { customerMade, subscriptionCancelled, subscriptionMade, subscriptionUpdated } from './orders.ts'
import { refundMade } from './refunds.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, Job } from './state.ts'
import { reported } from './usage.ts'

export function jobEnded(
  settings: BillingSettings,
  state: BillingState,
  job: Job,
  outcome: Outcome,
  context: StepContext,
): Move {
  switch (job.operation) {
    case 'create_customer':
      return customerMade(state, outcome)
    case 'create_subscription':
      return subscriptionMade(state, job, outcome)
    case 'update_subscription':
      return subscriptionUpdated(state, job, outcome)
    case 'cancel_subscription':
      return subscriptionCancelled(state, job, outcome, context.time)
    case 'void_invoice':
      return invoiceVoided(state, job, outcome, context)
    case 'refund':
      return refundMade(state, job, outcome)
    case 'report_usage':
      return reported(settings, state, job, outcome, context)
  }
}

function invoiceVoided(state: BillingState, job: Job, outcome: Outcome, context: StepContext): Move {
  const invoice = invoiceOf(state, job.ref)
  if (!outcome.ok) return still(withInvoice(state, { ...invoice, void: 'failed' }))
  const voided_at = invoice.voided_at ?? numberOf(outcome.output, 'voided_at') ?? context.time
  return still(withInvoice(state, { ...invoice, void: 'done', voided_at }))
}
