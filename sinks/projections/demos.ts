/**
 * Demos: the link as it stands, every version that was generated, who was taken with it, and what visitors asked and were
 * answered. Demos of an erased client leave tombstones.
 */

import { demoEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import type { RowChange, Table } from '../table.ts'
import {
  count,
  defineTable,
  flag,
  instant,
  json,
  long,
  nullable,
  patch,
  personal,
  put,
  removeAll,
  text,
  uuid,
} from '../table.ts'
import { known } from './known.ts'

export const demosTable = defineTable('demos', {
  key: { tenant_id: uuid, demo_id: text },
  columns: {
    organization_id: uuid,
    /** published · expired · unpublished */
    status: text,
    version: count,
    /** Whoever has it sees the demo. */
    url: personal(text),
    qr_ref: json,
    published_at: instant,
    expires_at: instant,
    ended_at: nullable(instant),
    end_reason: nullable(text),
  },
})

export const demoVersionsTable = defineTable('demo_versions', {
  key: { tenant_id: uuid, demo_id: text, version: count },
  columns: {
    organization_id: uuid,
    research_session_id: text,
    page_ref: json,
    personalization: json,
    /** Which model wrote it; `none` for the neutral default. */
    model: text,
    generated_at: instant,
    published_at: nullable(instant),
  },
})

/** How the demo is looked at, as it stands. */
export const demoEngagementTable = defineTable('demo_engagement', {
  key: { tenant_id: uuid, demo_id: text },
  columns: {
    organization_id: uuid,
    score: count,
    sessions: count,
    viewers: count,
    steps_completed: count,
    dwell_ms: long,
    cta_clicked: flag,
    bots_ignored: count,
    changed_score_at: instant,
  },
})

/** Demos whose score passed the bar, and when. */
export const demoEngagedTable = defineTable('demo_engaged', {
  key: { tenant_id: uuid, demo_id: text },
  columns: { organization_id: uuid, score: count, sessions: count, engaged_at: instant },
})

export const demoChatMessagesTable = defineTable('demo_chat_messages', {
  key: { tenant_id: uuid, demo_id: text, session_id: text, message_id: text, role: text },
  columns: { organization_id: uuid, excerpt: personal(text), finding_ids: json, said_at: instant },
})

const tables = [demosTable, demoVersionsTable, demoEngagementTable, demoEngagedTable, demoChatMessagesTable]

export const demos = defineProjection({
  name: 'demos',
  reads: demoEvents,
  tables,
  apply(event) {
    switch (event.event_type) {
      case 'demo_generated':
        return [generated(event)]
      case 'demo_published':
        return published(event)
      case 'demo_expired':
        return [
          patch(demosTable, keyOf(event), { status: 'expired', ended_at: event.timestamp, end_reason: 'expired' }),
        ]
      case 'demo_unpublished':
        return event.reason === 'erased'
          ? tables.map((table: Table) => removeAll(table, keyOf(event)))
          : [
              patch(demosTable, keyOf(event), {
                status: 'unpublished',
                ended_at: event.timestamp,
                end_reason: event.reason,
              }),
            ]
      case 'demo_engagement_changed':
        return [engagement(event)]
      case 'demo_engaged':
        return [engaged(event)]
      case 'demo_simulation_message':
        return [message(event)]
      default:
        return []
    }
  },
})

type Demo = EventOf<typeof demoEvents.events>
type Told<K extends Demo['event_type']> = Extract<Demo, { readonly event_type: K }>

const keyOf = ({ tenant_id, demo_id }: { readonly tenant_id: string; readonly demo_id: string }) => ({
  tenant_id,
  demo_id,
})

const generated = (event: Told<'demo_generated'>): RowChange =>
  put(
    demoVersionsTable,
    { ...keyOf(event), version: event.version },
    {
      organization_id: event.organization_id,
      research_session_id: event.research_session_id,
      page_ref: event.ref,
      personalization: event.personalization,
      model: event.model,
      generated_at: event.timestamp,
    },
  )

const published = (event: Told<'demo_published'>): readonly RowChange[] => [
  put(demosTable, keyOf(event), {
    organization_id: event.organization_id,
    status: 'published',
    version: event.version,
    url: known(event.url),
    qr_ref: event.qr_ref,
    published_at: event.timestamp,
    expires_at: event.expires_at,
  }),
  patch(demoVersionsTable, { ...keyOf(event), version: event.version }, { published_at: event.timestamp }),
]

const engagement = (event: Told<'demo_engagement_changed'>): RowChange =>
  put(demoEngagementTable, keyOf(event), {
    organization_id: event.organization_id,
    score: event.score,
    sessions: event.sessions,
    viewers: event.viewers,
    steps_completed: event.steps_completed,
    dwell_ms: event.dwell_ms,
    cta_clicked: event.cta_clicked === 'yes',
    bots_ignored: event.bots_ignored,
    changed_score_at: event.timestamp,
  })

const engaged = (event: Told<'demo_engaged'>): RowChange =>
  put(demoEngagedTable, keyOf(event), {
    organization_id: event.organization_id,
    score: event.score,
    sessions: event.sessions,
    engaged_at: event.timestamp,
  })

const message = (event: Told<'demo_simulation_message'>): RowChange =>
  put(
    demoChatMessagesTable,
    { ...keyOf(event), session_id: event.session_id, message_id: event.message_id, role: event.role },
    {
      organization_id: event.organization_id,
      excerpt: known(event.excerpt),
      finding_ids: event.finding_ids,
      said_at: event.timestamp,
    },
  )
