/** One request through one endpoint: who asks, is the request well-formed, then the handler. */

import type { Request, Response } from 'express'
import { sendAnswer } from './answer.ts'
import { hasBody, readBody } from './body.ts'
import type { Authenticators } from './credentials.ts'
import { principalOf } from './credentials.ts'
import type { Endpoint } from './endpoint.ts'
import { sendEventStream } from './event-stream.ts'
import { exchangeOf } from './exchange.ts'
import { parseJson } from './json.ts'
import { ApiProblem } from './problem.ts'
import { strict, validBody, validQuery } from './validate.ts'

export interface EndpointEnvironment {
  readonly authenticators: Authenticators
  readonly bodyLimitBytes: number
  /** A stream whose reader takes nothing for so long ends, in ms. */
  readonly streamStallMs: number
  /** Aborted when the server closes: streams end then. */
  readonly closing: AbortSignal
  /** Business time in ms. */
  readonly time: () => number
}

/** The express handler of an endpoint. Whatever is thrown becomes a problem at the server's error handler. */
export function endpointHandler(endpoint: Endpoint, environment: EndpointEnvironment) {
  const { authenticators, bodyLimitBytes, streamStallMs, closing, time } = environment
  const bodySchema = endpoint.request === undefined ? undefined : strict(endpoint.request)
  const querySchema = endpoint.query === undefined ? undefined : strict(endpoint.query)

  return async (request: Request, response: Response): Promise<void> => {
    response.setHeader('Business-Time', new Date(time()).toISOString())
    const principal = await principalOf(endpoint, request.headers.authorization, authenticators)
    // Whatever becomes of the request, it is one of the key's.
    if (principal?.kind === 'api_key')
      for (const [name, value] of Object.entries((await authenticators.spendQuota?.(principal)) ?? {}))
        response.setHeader(name, value)
    const query = validQuery(querySchema, queryText(request.originalUrl))
    let body: unknown
    if (bodySchema !== undefined) {
      const bytes = await readBody(request, response, bodyLimitBytes)
      body = validBody(bodySchema, parseJson(bytes))
    }
    const answer = await endpoint.handler({
      params: request.params as Readonly<Record<string, string>>,
      query,
      body,
      principal,
      ip: exchangeOf(response).address,
      header: (name) => single(request.headers[name.toLowerCase()]),
      stillIn: () => stillIn(endpoint, request, authenticators),
    })
    const { stream } = answer
    // A stream is begun even when nobody listens any more: it ends by itself what it holds.
    if (stream !== undefined) return sendEventStream(response, { ...answer, stream }, closing, streamStallMs)
    if (response.destroyed) return
    // A body that nobody asked for is not read to its end.
    if (!request.complete && hasBody(request)) response.setHeader('Connection', 'close')
    sendAnswer(response, answer)
  }
}

async function stillIn(endpoint: Endpoint, { headers }: Request, authenticators: Authenticators): Promise<boolean> {
  try {
    await principalOf(endpoint, headers.authorization, authenticators)
    return true
  } catch (error) {
    if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return false
    throw error
  }
}

function queryText(url: string): string {
  const at = url.indexOf('?')
  return at === -1 ? '' : url.slice(at + 1)
}

/** Node joins repeated headers with a comma; lists are only kept for set-cookie. */
const single = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value
