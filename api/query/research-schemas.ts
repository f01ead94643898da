/** Answers about research, as declared in the API document. */

import { z } from 'zod'
import { instant, maybeInstant } from './responses.ts'

const confidence = z.number().meta({ description: '0 to 1', example: 0.82 })
const citation = z.object({ title: z.string(), url: z.string(), date: z.string().nullable() })

/** The best value known of one field, and where it comes from. */
const known = z.object({
  value: z.unknown().meta({ example: 120 }),
  confidence,
  source: z.string().meta({ description: 'The provider that said so, or `human`', example: 'perplexity' }),
  citations: z.array(citation),
  found_at: instant,
})
const knownFields = z.record(z.string(), known).meta({ description: 'By field name' })

export const results = z.object({
  organization_id: z.uuid(),
  company_name: z.string().nullable(),
  domain: z.string().nullable(),
  status: z.enum(['pending', 'running', 'in_review', 'completed', 'failed', 'stale']).meta({
    description: 'completed is said only once everything that was found is visible',
    example: 'completed',
  }),
  research_session_id: z.string().nullable(),
  completed_at: maybeInstant,
  company_info: knownFields.meta({
    example: { employees: { value: 120, confidence: 0.82, source: 'perplexity', citations: [] } },
  }),
  pricing: knownFields,
  tech_stack: knownFields,
  volume_prediction: knownFields,
  competitors: z.array(
    z.object({
      name: z.string(),
      url: z.string().nullable(),
      pricing: z.unknown().nullable(),
      confidence,
      identified_at: instant,
    }),
  ),
  findings: z.array(
    z.object({
      finding_id: z.string(),
      finding_type: z.enum(['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction']),
      data: z.unknown(),
      confidence,
      source: z.string(),
      citations: z.array(citation),
      recorded_at: instant,
    }),
  ),
})

export const session = z.object({
  research_session_id: z.string(),
  status: z.enum(['started', 'completed', 'failed']),
  plan: z.array(z.string()),
  started_at: instant,
  ended_at: maybeInstant,
  findings_count: z.int().nullable(),
  competitors_count: z.int().nullable(),
  min_confidence: z.number().nullable(),
  cost_microdollars: z.int().nullable().meta({ description: 'For agents; null for others' }),
  failure_reason: z.string().nullable(),
  stale_at: maybeInstant,
})
