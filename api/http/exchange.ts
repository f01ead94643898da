/** What the server knows about one request while it is answered: its id, its route, how long it takes. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { Counter, Histogram } from 'prom-client'
import type { Clock, Random } from '../../topology/clock.ts'

export interface Exchange {
  readonly requestId: string
  /** Of the client: the connection's, or what a trusted proxy says (H3 of server.ts). */
  readonly address: string
  /** The template of the path, e.g. `/api/v1/reviews/:review_id`. Never the path itself: it holds ids. */
  route: string
}

const exchanges = new WeakMap<ServerResponse, Exchange>()

export const exchangeOf = (response: ServerResponse): Exchange =>
  exchanges.get(response) ?? { requestId: 'unknown', address: '', route: 'unmatched' }

export interface ExchangeOptions {
  readonly metrics: Registry
  readonly logger: Logger
  readonly clock: Clock
  readonly random: Random
}

/** Opens the exchange of a request; it is counted, timed and logged when its response is done. */
export function exchangeOpener({ metrics, logger, clock, random }: ExchangeOptions) {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the headers read to the answer handed to the system, by route template.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers: [metrics],
  })
  const aborted = new Counter({
    name: 'http_requests_aborted_total',
    help: 'Requests whose client went away before the answer.',
    registers: [metrics],
  })

  return (request: IncomingMessage, response: ServerResponse, address: string): Exchange => {
    const exchange: Exchange = { requestId: random.bytes(12).toString('hex'), address, route: 'unmatched' }
    exchanges.set(response, exchange)
    const start = clock.now()
    const method = request.method ?? ''
    response.once('close', () => {
      if (!response.writableFinished) aborted.inc()
      const ms = clock.now() - start
      const { route, requestId } = exchange
      const status = response.statusCode
      duration.observe({ method, route, status: String(status) }, Math.max(0, ms) / 1000)
      logger.debug({ request_id: requestId, method, route, status, ms }, 'request')
    })
    response.setHeader('X-Request-Id', exchange.requestId)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Cache-Control', 'no-store')
    return exchange
  }
}
