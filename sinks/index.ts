/** Projections: events to rows. The list below is the whole registration. */

import { auditLogs } from './projections/audit-logs.ts'
import { clientMilestones } from './projections/client-milestones.ts'
import { demos } from './projections/demos.ts'
import { documents } from './projections/documents.ts'
import { dunning } from './projections/dunning.ts'
import { enrichmentData } from './projections/enrichment-data.ts'
import { invoices } from './projections/invoices.ts'
import { lifecycleInstances } from './projections/lifecycle-instances.ts'
import { mrr } from './projections/mrr.ts'
import { organizations } from './projections/organizations.ts'
import { researchFindings } from './projections/research-findings.ts'
import { researchSessions } from './projections/research-sessions.ts'
import { reviewQueue } from './projections/review-queue.ts'
import { subscriptions } from './projections/subscriptions.ts'
import { teamMemberships } from './projections/team-memberships.ts'
import { timelines } from './projections/timeline.ts'
import type { AnyProjection } from './projection.ts'

/** One thing each: what a resource of the query API is. */
export const resourceProjections: readonly AnyProjection[] = Object.freeze([
  organizations,
  teamMemberships,
  auditLogs,
  researchSessions,
  researchFindings,
  enrichmentData,
  lifecycleInstances,
  reviewQueue,
  subscriptions,
  invoices,
  dunning,
  mrr,
  documents,
  demos,
  clientMilestones,
])

export const projections: readonly AnyProjection[] = Object.freeze([...resourceProjections, ...timelines])

export { timelines } from './projections/timeline.ts'
export type { AnyProjection, EventPlace, Projection } from './projection.ts'
export { defineProjection, sinkGroup } from './projection.ts'
export type * from './table.ts'
export * from './table.ts'
export type { CustomerMonth, MovementKind, RevenueMonth } from './revenue.ts'
export { movementOf, revenueDefinitions, revenueMonth } from './revenue.ts'
export type * from './table-port.ts'
export { SinkError } from './table-port.ts'
export type { MemoryRow } from './memory-tables.ts'
export { MemoryTables } from './memory-tables.ts'
export { postgresTables } from './postgres-tables.ts'
export type { SinkPartitionStatus, SinkProgress, SinkSettings, SinkState } from './projection-run.ts'
export type { ProjectionStatus, SinkRunnerOptions } from './runner.ts'
export { defaultSinkSettings, SinkRunner } from './runner.ts'
