/** The queue of decisions that wait for a person, and what the copilot suggests. Who acts stands in the envelope's actor. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { array, double, instant, int, long, oneOf, optional, personal, personalJson, string } from '../fields.ts'

const decision = () => oneOf('approve', 'reject', 'edit', 'escalate')

export const reviewEvents = eventTopic({
  name: 'review_events',
  key: 'O',
  retention: 'forever',
  events: {
    review_requested: event(
      {
        review_id: string(),
        /** `step`: whether a step of the lifecycle is tried again. */
        subject_type: oneOf(
          'finding',
          'document',
          'prd',
          'config',
          'agent_interrupt',
          'refund',
          'message',
          'answer',
          'step',
        ),
        subject_ref: string(),
        reason: string(),
        risk: oneOf('low', 'medium', 'high'),
        proposed_action: personalJson(),
        options: array(decision()),
        /** The service that waits for the decision. */
        requester: string(),
        due_at: instant(),
      },
      'internal',
      {
        review_id: 'r1',
        subject_type: 'finding',
        subject_ref: 's1:company_info',
        reason: 'confidence 0.41 is below 0.60',
        risk: 'medium',
        proposed_action: { record: { employees: 120 } },
        options: ['approve', 'reject', 'edit'],
        requester: 'research',
        due_at: 1_767_312_000_000,
      },
    ),
    review_claim_requested: event({ review_id: string() }, 'public', { review_id: 'r1' }),
    review_release_requested: event({ review_id: string() }, 'public', { review_id: 'r1' }),
    review_decision_requested: event(
      {
        review_id: string(),
        decision: decision(),
        edits: optional(personalJson()),
        comment: optional(personal()),
      },
      'public',
      { review_id: 'r1', decision: 'edit', edits: { employees: 130 }, comment: 'Checked on their site.' },
    ),
    review_claimed: event({ review_id: string(), human_agent_id: string(), lease_until: instant() }, 'internal', {
      review_id: 'r1',
      human_agent_id: 'h1',
      lease_until: 1_767_226_500_000,
    }),
    review_released: event({ review_id: string(), reason: optional(oneOf('asked', 'lease_expired')) }, 'internal', {
      review_id: 'r1',
      reason: 'lease_expired',
    }),
    /** A claim or a release that came to nothing, and who holds the review instead. */
    review_claim_rejected: event(
      {
        review_id: string(),
        command: oneOf('claim', 'release'),
        reason: oneOf('held', 'not_holder', 'late', 'unknown'),
        held_by: optional(string()),
        lease_until: optional(instant()),
      },
      'internal',
      { review_id: 'r1', command: 'claim', reason: 'held', held_by: 'h2', lease_until: 1_767_226_500_000 },
    ),
    review_decided: event(
      {
        review_id: string(),
        decision: decision(),
        edits: optional(personalJson()),
        comment: optional(personal()),
        by: string(),
        ms: long(),
      },
      'internal',
      { review_id: 'r1', decision: 'approve', comment: 'Fine.', by: 'h1', ms: 93_000 },
    ),
    review_expired: event(
      { review_id: string(), fallback: oneOf('reject', 'proceed_marked_unverified', 'escalate') },
      'internal',
      { review_id: 'r1', fallback: 'proceed_marked_unverified' },
    ),
    review_decision_rejected: event(
      { review_id: string(), reason: oneOf('late', 'not_holder', 'unknown') },
      'internal',
      {
        review_id: 'r1',
        reason: 'late',
      },
    ),
    review_escalated: event({ review_id: string(), to_queue: string() }, 'internal', {
      review_id: 'r1',
      to_queue: 'supervisors',
    }),
    /** The copilot's merged view of the envelope's organization; its projection's only source. */
    context_updated: event({ fields: personalJson() }, 'internal', { fields: { stage: 'demo' } }),

    suggestion_made: event(
      {
        suggestion_id: string(),
        context_ref: string(),
        kind: oneOf('reply', 'next_action', 'summary'),
        text_ref: string(),
        sources: array(string()),
        confidence: double(),
      },
      'internal',
      {
        suggestion_id: 'g1',
        context_ref: 'conversation:v1',
        kind: 'reply',
        text_ref: 'suggestions/g1.txt',
        sources: ['doc:d1'],
        confidence: 0.9,
      },
    ),
    suggestion_used: event(
      {
        suggestion_id: string(),
        action: oneOf('accepted', 'edited', 'rejected'),
        edit_distance: int(),
        ms_to_action: long(),
      },
      'public',
      { suggestion_id: 'g1', action: 'edited', edit_distance: 14, ms_to_action: 8_000 },
    ),
    action_requested: event({ action: string(), target: string(), args: personalJson(), by: string() }, 'internal', {
      action: 'send_message',
      target: 'contact:u1',
      args: { template: 'check_in' },
      by: 'h1',
    }),
    ...callEvents,
  },
})
