/** The client and its lifecycle: what the saga saw, decided and ordered. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { array, double, int, instant, json, long, map, oneOf, optional, string } from '../fields.ts'

export const stages = [
  'researching',
  'demo',
  'negotiating',
  'signing',
  'billing',
  'scoping',
  'configuring',
  'live',
  'at_risk',
  'suspended',
  'churned',
  'lost',
] as const

export const steps = [
  'research',
  'demo',
  'nda',
  'pricing',
  'proposal',
  'contract',
  'billing',
  'prd',
  'config',
  'knowledge',
  'runtime',
  'live',
] as const

const stage = () => oneOf(...stages)
const step = () => oneOf(...steps)
const mode = () => oneOf('close', 'erase')

export const clientEvents = eventTopic({
  name: 'client_events',
  key: 'O',
  retention: 'forever',
  events: {
    client_created: event(
      {
        company_name: string(),
        domain: optional(string()),
        industry: optional(string()),
        segment: optional(string()),
      },
      'internal',
      { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics', segment: 'smb' },
    ),
    /** `fields` holds facts about the company, never about a person; `profile_source` says who found them. */
    client_profile_updated: event({ fields: json(), profile_source: string(), confidence: double() }, 'internal', {
      fields: { employees: 120 },
      profile_source: 'research',
      confidence: 0.8,
    }),
    client_assigned: event({ human_agent_id: string(), role: string() }, 'internal', {
      human_agent_id: 'h1',
      role: 'account_manager',
    }),
    client_unassigned: event({ human_agent_id: string() }, 'internal', { human_agent_id: 'h1' }),

    lifecycle_started: event({ template: string(), version: int() }, 'internal', { template: 'b2b_saas', version: 1 }),
    stage_changed: event({ from: stage(), to: stage(), reason: string() }, 'internal', {
      from: 'researching',
      to: 'demo',
      reason: 'research_completed',
    }),
    step_started: event({ step: step(), deadline: instant() }, 'internal', {
      step: 'research',
      deadline: 1_767_225_900_000,
    }),
    step_completed: event({ step: step(), ms: long() }, 'internal', { step: 'research', ms: 4_200 }),
    step_failed: event({ step: step(), class: string(), attempt: int() }, 'internal', {
      step: 'research',
      class: 'exhausted',
      attempt: 1,
    }),
    step_timed_out: event({ step: step() }, 'internal', { step: 'research' }),

    compensation_started: event({ from_step: step(), reason: string() }, 'internal', {
      from_step: 'contract',
      reason: 'document_declined',
    }),
    compensation_requested: event({ step: step(), refs: map(string()), attempt: int() }, 'internal', {
      step: 'research',
      refs: { research_session_id: 's1' },
      attempt: 1,
    }),
    compensation_step_failed: event({ step: step(), attempt: int(), class: string() }, 'internal', {
      step: 'contract',
      attempt: 2,
      class: 'retry',
    }),
    compensation_step_done: event({ step: step(), fact_event_id: string() }, 'internal', {
      step: 'research',
      fact_event_id: 'e9',
    }),
    /** Every service drops what it holds of this client. */
    client_erased: event({ mode: mode() }, 'internal', { mode: 'erase' }),
    lifecycle_completed: event({ ms: long() }, 'internal', { ms: 86_400_000 }),
    lifecycle_aborted: event({ reason: string(), compensated: array(step()) }, 'internal', {
      reason: 'document_declined',
      compensated: ['demo', 'research'],
    }),
    ...callEvents,
  },
})
