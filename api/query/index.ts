/** The query API: read-only SQL over the projections, one file per resource. */

import type { Endpoint } from '../http/endpoint.ts'
import type { Ingest } from '../ingest/index.ts'
import { auditEndpoints } from './audit-logs.ts'
import { boardEndpoint } from './lifecycle-board.ts'
import { billingEndpoints } from './billing.ts'
import type { FileReader } from './documents.ts'
import { documentEndpoints } from './documents.ts'
import { demoEndpoints } from './demos.ts'
import { funnelEndpoints } from './funnel.ts'
import { lifecycleEndpoints } from './lifecycle.ts'
import { organizationEndpoints } from './organizations.ts'
import type { ReaderOptions } from './reader.ts'
import { createReader } from './reader.ts'
import { researchEndpoints } from './research.ts'
import { reviewClaimEndpoints } from './review-claim.ts'
import { revenueEndpoints } from './revenue.ts'
import { reviewDecisionEndpoint } from './review-decision.ts'
import { reviewEndpoints } from './reviews.ts'
import { sinkPositions } from './sink-positions.ts'
import { streamEndpoint } from './stream.ts'
import type { ReadEvent } from './timeline.ts'
import { timelineEndpoints } from './timeline.ts'

export interface QueryOptions extends ReaderOptions {
  /** Commands leave through it. */
  readonly ingest: Ingest
  /** Event time in ms: what is overdue. */
  readonly time: () => number
  readonly readEvent: ReadEvent
  /** Where documents' files are read; without it they cannot be downloaded. */
  readonly files?: FileReader | null
}

export function queryEndpoints(options: QueryOptions): readonly Endpoint[] {
  const { pool, clock, settings } = options
  const reader = createReader(options)
  const positions = sinkPositions(pool, clock, settings.stream.lookMs)
  const commands = { reader, ingest: options.ingest, time: options.time }
  return [
    ...organizationEndpoints(reader),
    ...auditEndpoints(reader),
    ...researchEndpoints(reader),
    boardEndpoint(reader),
    ...lifecycleEndpoints(reader),
    ...timelineEndpoints(reader, options.readEvent),
    streamEndpoint({ reader, positions, clock, settings: settings.stream }),
    ...billingEndpoints(reader),
    ...revenueEndpoints(reader, options.time),
    ...demoEndpoints(reader),
    ...funnelEndpoints(reader),
    ...reviewEndpoints(reader, options.time),
    ...documentEndpoints(reader, options.files ?? null),
    ...reviewClaimEndpoints(commands),
    reviewDecisionEndpoint(commands),
  ]
}

export { reviewSubjectsIn } from './reviews.ts'
export type { WaitVisible } from './reader.ts'
export type { ReadEvent } from './timeline.ts'
export type { QuerySettings } from './settings.ts'
export { queryDefaults } from './settings.ts'
export type { FileReader } from './documents.ts'
