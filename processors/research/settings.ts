/** The thresholds and weights of research. Defaults of the catalogue; given to the service, never read from outside. */

import type { RetrySettings } from '../retry.ts'

/** One rung of the waterfall: whom to ask, and how. */
export interface Rung {
  readonly provider: string
  readonly operation: string
}

export interface ResearchSettings {
  /** Asked in this order; each only for what the earlier ones left open. */
  readonly waterfall: readonly Rung[]
  /** From here on a field is settled and nobody else is asked for it. */
  readonly settledAt: number
  /** A finding below this goes to a person. */
  readonly reviewBelow: number
  /** Fewer competitors than this leave the field open. */
  readonly competitorsWanted: number
  readonly competitorsKept: number
  /** How much a source of each kind is believed. */
  readonly weights: {
    readonly ownSite: number
    readonly news: number
    readonly aggregator: number
    readonly claim: number
  }
  /** What a provider says without having searched is believed no more than this. */
  readonly unsearchedAtMost: number
  /** A doubtful finding that no person looked at in time is believed no more than this. */
  readonly unverifiedAtMost: number
  /** Hosts (and their subdomains) whose pages are news. */
  readonly newsHosts: readonly string[]
  readonly retry: RetrySettings
  /** A settled finding is used again this long, in ms. */
  readonly cacheMs: number
  /** Completed research is old after this long, in ms. */
  readonly staleAfterMs: number
  /** Stages of the lifecycle in which nobody pays for a refresh of old research. */
  readonly inactiveStages: readonly string[]
  /** A person is asked to decide within this time, in ms. */
  readonly reviewWithinMs: number
}

const day = 24 * 60 * 60 * 1000

export const researchDefaults: ResearchSettings = Object.freeze({
  waterfall: [
    { provider: 'perplexity', operation: 'answer' },
    { provider: 'perplexity', operation: 'search' },
    { provider: 'webscraper', operation: 'scrape' },
  ],
  settledAt: 0.7,
  reviewBelow: 0.6,
  competitorsWanted: 3,
  competitorsKept: 10,
  weights: { ownSite: 0.6, news: 0.5, aggregator: 0.3, claim: 0.15 },
  unsearchedAtMost: 0.3,
  unverifiedAtMost: 0.3,
  newsHosts: [
    'apnews.com',
    'axios.com',
    'bbc.co.uk',
    'bbc.com',
    'bloomberg.com',
    'businesswire.com',
    'cnbc.com',
    'forbes.com',
    'ft.com',
    'globenewswire.com',
    'nytimes.com',
    'prnewswire.com',
    'reuters.com',
    'techcrunch.com',
    'theverge.com',
    'venturebeat.com',
    'wired.com',
    'wsj.com',
  ],
  retry: { attempts: 3, baseMs: 1_000, capMs: 60_000 },
  cacheMs: 7 * day,
  staleAfterMs: 90 * day,
  inactiveStages: ['suspended', 'churned', 'lost'],
  reviewWithinMs: day,
})
