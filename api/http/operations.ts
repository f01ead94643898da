/** What operators and machines ask, outside the versioned API: health, readiness, metrics, and the API's description. */

import type { Registry } from 'prom-client'
import type { Clock } from '../../topology/clock.ts'
import type { Endpoint } from './endpoint.ts'
import { addressMark, docsPage } from './docs-page.ts'
import { openApiDocument } from './openapi.ts'

/** Answers `/health`: for people and dashboards, so it names parts and never holds data of a tenant. */
export interface HealthReport {
  readonly status: 'ok' | 'degraded'
  readonly version: string
  readonly roles: readonly string[]
  readonly providers: readonly { readonly name: string; readonly mode: 'sandbox' | 'live' | 'absent' }[]
  /** Records not yet processed, per application or sink. */
  readonly lag?: Readonly<Record<string, number>>
  /** Anything else worth showing: versions of the log, the database, the registry. */
  readonly [detail: string]: unknown
}

export interface TextAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Operation {
  readonly path: string
  readonly summary: string
  /** Content type of the usual answer. */
  readonly type: string
  /** @param address the one the request came in at, e.g. `http://127.0.0.1:8080` */
  answer(address: string): TextAnswer | Promise<TextAnswer>
}

/**
 * Nobody logs in to ask these, and their rate has no limit, so that a machine that watches is never turned away: what they
 * cost is bounded instead. Who asks within this time of another gets the same answer, in ms.
 */
export const operationsKeptMs = 250

export interface OperationsOptions {
  /** Real time. */
  readonly clock: Pick<Clock, 'now'>
  readonly endpoints: readonly Endpoint[]
  readonly version: string
  readonly metrics: Registry
  health(): HealthReport | Promise<HealthReport>
  ready(): boolean | Promise<boolean>
}

const jsonType = 'application/json; charset=utf-8'
const htmlType = 'text/html; charset=utf-8'
/** The page is its own: nothing is loaded from anywhere. */
const pagePolicy = {
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
}

export function operations(options: OperationsOptions): readonly Operation[] {
  const { endpoints, version, metrics, clock } = options
  const health = shared(clock, async () => options.health())
  const ready = shared(clock, async () => options.ready())
  const measured = shared(clock, () => metrics.metrics())
  const list: Operation[] = [
    {
      path: '/health',
      summary: 'How the process and its parts are; 200 as long as it can say so',
      type: jsonType,
      answer: async () => ({ status: 200, type: jsonType, text: JSON.stringify(await health()) }),
    },
    {
      path: '/ready',
      summary: '200 when requests are welcome, else 503',
      type: jsonType,
      answer: async () => {
        const isReady = await ready()
        return { status: isReady ? 200 : 503, type: jsonType, text: JSON.stringify({ ready: isReady }) }
      },
    },
    {
      path: '/metrics',
      summary: 'Prometheus metrics',
      type: metrics.contentType,
      answer: async () => ({ status: 200, type: metrics.contentType, text: await measured() }),
    },
    {
      path: '/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document',
      type: jsonType,
      answer: () => ({ status: 200, type: jsonType, text: document() }),
    },
    {
      path: '/docs',
      summary: 'This API as a page',
      type: htmlType,
      answer: (address) => ({
        status: 200,
        type: htmlType,
        text: page().replace(addressMark, address),
        headers: pagePolicy,
      }),
    },
  ]
  const document = once(() => JSON.stringify(openApiDocument(endpoints, list, version), null, 1))
  const page = once(() => docsPage(endpoints, list, version))
  return list
}

/** An answer that is being made, or was made just now, is everybody's; one that failed is nobody's. */
function shared<T>(clock: Pick<Clock, 'now'>, make: () => Promise<T>): () => Promise<T> {
  let kept: { readonly answer: Promise<T>; doneAt: number | null } | null = null
  return () => {
    // A clock that was set back keeps nothing for longer.
    if (kept !== null && (kept.doneAt === null || Math.abs(clock.now() - kept.doneAt) < operationsKeptMs))
      return kept.answer
    const mine: NonNullable<typeof kept> = { answer: make(), doneAt: null }
    kept = mine
    mine.answer.then(
      () => (mine.doneAt = clock.now()),
      () => (kept = kept === mine ? null : kept),
    )
    return mine.answer
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
