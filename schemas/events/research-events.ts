/** What is found out about a company: sessions, findings with their evidence, competitors. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { array, double, int, instant, json, long, oneOf, optional, record, string } from '../fields.ts'
import { exampleRef, ref } from './ref.ts'

const citation = () => record('Citation', { title: string(), url: string(), date: optional(string()) })

export const researchEvents = eventTopic({
  name: 'research_events',
  key: 'O',
  retention: 'forever',
  events: {
    research_requested: event(
      {
        company_name: string(),
        domain: optional(string()),
        depth: oneOf('quick', 'standard', 'deep'),
        reason: string(),
      },
      'public',
      { company_name: 'Acme', domain: 'acme.example', depth: 'standard', reason: 'asked' },
    ),
    research_started: event({ research_session_id: string(), plan: array(string()) }, 'internal', {
      research_session_id: 's1',
      plan: ['company_info', 'competitor', 'pricing'],
    }),
    /** `retry_at` is set for class retry. */
    research_call_failed: event(
      {
        provider: string(),
        class: oneOf('retry', 'auth', 'quota', 'invalid'),
        attempt: int(),
        retry_at: optional(instant()),
      },
      'internal',
      { provider: 'perplexity', class: 'retry', attempt: 1, retry_at: 1_767_225_607_000 },
    ),
    /**
     * A later record with the same `finding_id` replaces the earlier one: after a review its `finding_source` is `human`
     * (else the provider that answered), and a confidence of 0 withdraws it.
     */
    finding_recorded: event(
      {
        finding_id: string(),
        research_session_id: string(),
        finding_type: oneOf('company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'),
        data: json(),
        confidence_score: double(),
        finding_source: string(),
        citations: array(citation()),
      },
      'internal',
      {
        finding_id: 'f1',
        research_session_id: 's1',
        finding_type: 'company_info',
        data: { employees: 120, founded: 2011 },
        confidence_score: 0.82,
        finding_source: 'perplexity',
        citations: [{ title: 'About Acme', url: 'https://acme.example/about', date: '2026-01-01' }],
      },
    ),
    competitor_identified: event(
      { name: string(), url: optional(string()), pricing: optional(json()), confidence_score: double() },
      'internal',
      { name: 'Globex', url: 'https://globex.example', pricing: { starter: 49 }, confidence_score: 0.7 },
    ),
    scrape_job_started: event({ job_id: string(), custom_id: string() }, 'internal', {
      job_id: 'j1',
      custom_id: 's1:company_info',
    }),
    scrape_job_finished: event(
      { job_id: string(), status: oneOf('finished', 'failed'), ref: optional(ref()) },
      'webhook',
      { job_id: 'j1', status: 'finished', ref: exampleRef },
    ),
    /** `cost` in microdollars. */
    research_completed: event(
      {
        research_session_id: string(),
        findings_count: int(),
        competitors_count: int(),
        min_confidence: double(),
        cost: long(),
      },
      'internal',
      { research_session_id: 's1', findings_count: 5, competitors_count: 3, min_confidence: 0.64, cost: 41_000 },
    ),
    research_failed: event({ research_session_id: string(), reason: string() }, 'internal', {
      research_session_id: 's1',
      reason: 'exhausted',
    }),
    /** Also the answer to compensation. */
    research_stale: event({ research_session_id: string(), age_days: int() }, 'internal', {
      research_session_id: 's1',
      age_days: 90,
    }),
    ...callEvents,
  },
})
