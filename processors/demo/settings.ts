/** Numbers of the demo service; the catalogue's defaults. Times in ms. */

import type { RetrySettings } from '../retry.ts'

export interface DemoSettings {
  readonly retry: RetrySettings
  /** A published demo can be seen for so long. */
  readonly expiresAfterMs: number
  /** A demo that nobody looked at is told of after these times, once each. */
  readonly nudgeAfterMs: readonly number[]
  /** Looks of one viewer closer together than this are one session. */
  readonly sessionGapMs: number
  /** A session shorter than this in which nothing was touched was no person. */
  readonly shortestVisitMs: number
  /** From this score on a demo has engaged its viewers. */
  readonly engagedAt: number
  readonly weights: {
    readonly completion: number
    readonly dwell: number
    readonly cta: number
    readonly returns: number
  }
  /** So much time on the pages counts in full. */
  readonly fullDwellMs: number
  /** So many sessions after the first count in full. */
  readonly fullReturns: number
  readonly sessionsKept: number
  /** What could not be removed is tried again after so long. */
  readonly removeAgainAfterMs: number
  readonly findingsUsed: number
  readonly maxOutputTokens: number
  /** Viewer events gathered before they are exported, and the longest one waits. */
  readonly exportBatch: number
  readonly exportAfterMs: number
}

const day = 24 * 60 * 60 * 1000

export const demoDefaults: DemoSettings = Object.freeze({
  retry: { attempts: 4, baseMs: 1_000, capMs: 60_000 },
  expiresAfterMs: 14 * day,
  nudgeAfterMs: [3 * day, 7 * day],
  sessionGapMs: 30 * 60 * 1000,
  shortestVisitMs: 2_000,
  engagedAt: 60,
  weights: { completion: 40, dwell: 25, cta: 20, returns: 15 },
  fullDwellMs: 5 * 60 * 1000,
  fullReturns: 2,
  sessionsKept: 60,
  removeAgainAfterMs: 60 * 60 * 1000,
  findingsUsed: 12,
  maxOutputTokens: 1_500,
  exportBatch: 50,
  exportAfterMs: 60_000,
})
