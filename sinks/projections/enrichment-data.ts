/**
 * The best current value of each field of an organization. A finding's data is taken field by field; a value gives way
 * to one that is at least as sure (the later wins a tie), and after 90 days to any newer one.
 */

import { researchEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, double, instant, json, put, text, uuid } from '../table.ts'
import type { RowChange } from '../table.ts'
import { competitorKey } from './competitor-key.ts'

const staleAfterMs = 90 * 24 * 60 * 60 * 1000
const maxFields = 256

export const enrichmentDataTable = defineTable('enrichment_data', {
  /** `field` is a field of the finding's data; for competitors, which one. */
  key: { tenant_id: uuid, organization_id: uuid, finding_type: text, field: text },
  columns: {
    value: json,
    confidence_score: double,
    finding_source: text,
    /** The event that said so. */
    finding_id: text,
    found_at: instant,
  },
  best: { column: 'confidence_score', staleAfterMs },
})

interface Found {
  readonly tenant_id: string
  readonly organization_id: string
  readonly event_id: string
  readonly timestamp: number
  readonly confidence_score: number
}

export const enrichmentData = defineProjection({
  name: 'enrichment-data',
  reads: researchEvents,
  tables: [enrichmentDataTable],
  apply(event) {
    switch (event.event_type) {
      case 'finding_recorded':
        return fieldsOf(event.finding_type, event.data).map(([field, value]) =>
          best(event, event.finding_type, field, value, event.finding_source),
        )
      case 'competitor_identified': {
        const value = { name: event.name, url: event.url ?? null, pricing: event.pricing ?? null }
        return [best(event, 'competitor', competitorKey(event.name), value, event.source)]
      }
      default:
        return []
    }
  },
})

const best = (found: Found, finding_type: string, field: string, value: Json, finding_source: string): RowChange =>
  put(
    enrichmentDataTable,
    { tenant_id: found.tenant_id, organization_id: found.organization_id, finding_type, field },
    {
      value,
      confidence_score: found.confidence_score,
      finding_source,
      finding_id: found.event_id,
      found_at: found.timestamp,
    },
  )

/** Data that is not an object is one value under the field `value`; a competitor is one value under its name; null says nothing. */
function fieldsOf(findingType: string, data: Json | undefined): readonly (readonly [string, Json])[] {
  if (data === null || data === undefined) return []
  if (typeof data !== 'object' || Array.isArray(data)) return [['value', data]]
  const fields = data as Readonly<Record<string, Json>>
  if (findingType === 'competitor' && typeof fields['name'] === 'string') return [[competitorKey(fields['name']), data]]
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .slice(0, maxFields)
}
