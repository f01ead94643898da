/**
 * The best current value of each field of an organization. A finding's data is taken field by field; a value gives way
 * to one that is at least as sure (the later wins a tie), and after 90 days to any newer one. What a person withdraws
 * (confidence 0) goes.
 */

import { researchEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, double, instant, json, put, remove, text, uuid } from '../table.ts'
import type { RowChange } from '../table.ts'
import { competitorKey, competitorName } from './competitor-key.ts'

const staleAfterMs = 90 * 24 * 60 * 60 * 1000
const maxFields = 256

export const enrichmentDataTable = defineTable('enrichment_data', {
  /** `field` is a field of the finding's data; for competitors, which one. */
  key: { tenant_id: uuid, organization_id: uuid, finding_type: text, field: text },
  columns: {
    value: json,
    confidence_score: double,
    finding_source: text,
    /** The finding, or for a competitor the event, that said so. */
    finding_id: text,
    found_at: instant,
  },
  best: { column: 'confidence_score', staleAfterMs },
})

interface Found {
  readonly tenant_id: string
  readonly organization_id: string
  readonly event_id: string
  readonly finding_id?: string
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
          event.confidence_score === 0
            ? remove(enrichmentDataTable, placeOf(event, event.finding_type, field))
            : best(event, event.finding_type, field, value, event.finding_source),
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

const placeOf = ({ tenant_id, organization_id }: Found, finding_type: string, field: string) => ({
  tenant_id,
  organization_id,
  finding_type,
  field,
})

const best = (found: Found, finding_type: string, field: string, value: Json, finding_source: string): RowChange =>
  put(enrichmentDataTable, placeOf(found, finding_type, field), {
    value,
    confidence_score: found.confidence_score,
    finding_source,
    finding_id: found.finding_id ?? found.event_id,
    found_at: found.timestamp,
  })

/** Data that is not an object is one value under the field `value`; a competitor is one value under its name; null says nothing. */
function fieldsOf(findingType: string, data: Json | undefined): readonly (readonly [string, Json])[] {
  if (data === null || data === undefined) return []
  if (typeof data !== 'object' || Array.isArray(data)) return [['value', data]]
  const fields = data as Readonly<Record<string, Json>>
  const name = findingType === 'competitor' ? competitorName(data) : null
  if (name !== null) return [[competitorKey(name), data]]
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .slice(0, maxFields)
}
