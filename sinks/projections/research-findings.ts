/**
 * What was found, as it was found: every finding with its evidence, and every competitor once. A later record of the same
 * finding replaces the earlier one; with confidence 0 a person has withdrawn it.
 */

import { researchEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, double, instant, json, nullable, put, remove, text, uuid } from '../table.ts'
import type { RowChange } from '../table.ts'
import { competitorKey, competitorName } from './competitor-key.ts'

export const researchFindingsTable = defineTable('research_findings', {
  key: { tenant_id: uuid, finding_id: text },
  columns: {
    organization_id: uuid,
    research_session_id: text,
    /** company_info · competitor · pricing · tech_stack · volume_prediction */
    finding_type: text,
    data: nullable(json),
    confidence_score: double,
    /** The provider that answered, or `human`. */
    finding_source: text,
    citations: json,
    recorded_at: instant,
  },
})

export const researchCompetitorsTable = defineTable('research_competitors', {
  key: { tenant_id: uuid, organization_id: uuid, competitor_key: text },
  columns: {
    name: text,
    url: nullable(text),
    pricing: nullable(json),
    confidence_score: double,
    identified_at: instant,
  },
})

export const researchFindings = defineProjection({
  name: 'research-findings',
  reads: researchEvents,
  tables: [researchFindingsTable, researchCompetitorsTable],
  apply(event) {
    const { tenant_id, organization_id } = event
    switch (event.event_type) {
      case 'finding_recorded':
        if (event.confidence_score === 0) return withdrawn(event)
        return [
          put(
            researchFindingsTable,
            { tenant_id, finding_id: event.finding_id },
            {
              organization_id,
              research_session_id: event.research_session_id,
              finding_type: event.finding_type,
              data: event.data ?? null,
              confidence_score: event.confidence_score,
              finding_source: event.finding_source,
              citations: event.citations.map(({ title, url, date }) => ({ title, url, date: date ?? null })),
              recorded_at: event.timestamp,
            },
          ),
        ]
      case 'competitor_identified':
        return [
          put(
            researchCompetitorsTable,
            { tenant_id, organization_id, competitor_key: competitorKey(event.name) },
            {
              name: event.name,
              url: event.url ?? null,
              pricing: event.pricing ?? null,
              confidence_score: event.confidence_score,
              identified_at: event.timestamp,
            },
          ),
        ]
      default:
        return []
    }
  },
})

function withdrawn(event: {
  readonly tenant_id: string
  readonly organization_id: string
  readonly finding_id: string
  readonly finding_type: string
  readonly data?: Json
}): readonly RowChange[] {
  const { tenant_id, organization_id, finding_id } = event
  const finding = remove(researchFindingsTable, { tenant_id, finding_id })
  const name = event.finding_type === 'competitor' ? competitorName(event.data) : null
  if (name === null) return [finding]
  return [
    finding,
    remove(researchCompetitorsTable, { tenant_id, organization_id, competitor_key: competitorKey(name) }),
  ]
}
