/**
 * The HTTP server: express for routes, node's own server for everything before them. Invariants:
 *
 * H1 What is mounted is the list of endpoints, nothing else: the OpenAPI document is made from the same list.
 * H2 A request waits for nothing unbounded: bytes, time, sockets and requests per address all have a limit.
 * H3 Who asks stands in the Authorization header. Tenant headers and method overrides are not read; X-Forwarded-For says a client's
 *    address for its limits when the connection comes from a trusted proxy, read from its end up to the first that is none.
 * H4 Every failure is a problem+json that says nothing of the inside; what is unknown is logged under its request id.
 */

import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorRequestHandler, Express, NextFunction, Request, Response } from 'express'
import express from 'express'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock, Random } from '../../topology/clock.ts'
import { problemBody, problemType, sendProblem, sendText } from './answer.ts'
import { checkAnnouncedLength, hasBody, RequestAborted } from './body.ts'
import type { Authenticators } from './credentials.ts'
import type { Endpoint } from './endpoint.ts'
import { exchangeOf, exchangeOpener } from './exchange.ts'
import { apiBase } from './openapi.ts'
import type { HealthReport, Operation } from './operations.ts'
import { operations } from './operations.ts'
import { ApiProblem } from './problem.ts'
import { rateLimit } from './rate-limit.ts'
import { endpointHandler } from './run-endpoint.ts'
import type { HttpSettings } from './settings.ts'

/** Serves everything below its path, e.g. `/registry`; sees the url without that prefix. */
export type Mount = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export interface HttpServerOptions extends Authenticators {
  readonly endpoints: readonly Endpoint[]
  readonly mounts?: Readonly<Record<string, Mount>>
  readonly settings: HttpSettings
  readonly version: string
  readonly logger: Logger
  readonly metrics: Registry
  readonly clock: Clock
  readonly random: Random
  /** Business time in ms, told with every answer of the API; the clock's unless given. */
  readonly time?: () => number
  /** Told of each request, by its path. */
  readonly onRequest?: (path: string) => void
  health(): HealthReport | Promise<HealthReport>
  ready(): boolean | Promise<boolean>
}

export interface HttpServer {
  /** Port 0 takes a free one. */
  listen(port: number, host: string): Promise<{ readonly port: number; readonly url: string }>
  /** Takes no new request, lets those in flight end within the grace, then cuts. */
  close(): Promise<void>
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { settings } = options
  const closing = new AbortController()
  const app = application(options, closing.signal)
  const server = createServer({
    requestTimeout: settings.requestTimeoutMs,
    headersTimeout: settings.headersTimeoutMs,
    connectionsCheckingInterval: settings.timeoutCheckMs,
    keepAliveTimeout: settings.keepAliveMs,
    maxHeaderSize: settings.maxHeaderBytes,
    insecureHTTPParser: false,
  })
  server.maxConnections = settings.maxConnections
  server.on('request', app)
  // `100 Continue` is sent when the body is wanted, not before the headers were judged.
  server.on('checkContinue', app)
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => refuse(socket, methodNotAllowed([])))
  server.on('clientError', onClientError)
  return {
    listen: (port, host) => listen(server, port, host),
    close: () => {
      closing.abort()
      return close(server, settings.closeGraceMs)
    },
  }
}

function application(options: HttpServerOptions, closing: AbortSignal): Express {
  const { endpoints, metrics, logger, clock, random, settings } = options
  const app = express()
  for (const off of ['x-powered-by', 'etag', 'query parser']) app.disable(off)
  for (const on of ['case sensitive routing', 'strict routing']) app.enable(on)
  app.set('trust proxy', settings.trustedProxies)
  const open = exchangeOpener({ metrics, logger, clock, random })
  const list = operations(options)
  const unlimited = new Set(list.map(({ path }) => path))
  const limit = rateLimit(settings.requestsPerMinute, clock)

  app.use((request: Request, response: Response, next: NextFunction) => {
    const { address } = open(request, response, request.ip ?? '')
    options.onRequest?.(request.path)
    const waitMs = unlimited.has(request.path) ? 0 : limit.take(address)
    if (waitMs > 0) throw tooManyRequests(waitMs)
    checkAnnouncedLength(request, settings.bodyLimitBytes)
    next()
  })
  for (const [path, mount] of Object.entries(options.mounts ?? {})) mountAt(app, path, mount)
  for (const operation of list) mountOperation(app, operation)
  mountEndpoints(app, endpoints, { ...options, closing })
  app.use((request: Request) => {
    throw request.method === 'TRACE' ? methodNotAllowed([]) : new ApiProblem(404, 'not_found', 'There is nothing here.')
  })
  app.use(errorHandler(logger))
  return app
}

function mountAt(app: Express, path: string, mount: Mount): void {
  app.use(path, (request: Request, response: Response) => {
    exchangeOf(response).route = path
    return mount(request, response)
  })
}

function mountOperation(app: Express, { path, answer }: Operation): void {
  app.get(path, async ({ socket }: Request, response: Response) => {
    exchangeOf(response).route = path
    const { status, type, text, headers } = await answer(addressOf(socket))
    response.status(status)
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
    sendText(response, type, text)
  })
  app.all(path, () => {
    throw methodNotAllowed(['GET', 'HEAD'])
  })
}

/** Where a request came in; the Host header is the client's to choose. */
function addressOf({ localAddress = '', localPort = 0, localFamily }: Socket): string {
  return `http://${localFamily === 'IPv6' ? `[${localAddress}]` : localAddress}:${String(localPort)}`
}

function mountEndpoints(
  app: Express,
  endpoints: readonly Endpoint[],
  options: HttpServerOptions & { readonly closing: AbortSignal },
): void {
  const { closing, settings, clock, time = () => clock.now() } = options
  const { bodyLimitBytes, streamStallMs } = settings
  const environment = { authenticators: options, bodyLimitBytes, streamStallMs, closing, time }
  const methods = new Map<string, string[]>()
  for (const endpoint of endpoints) {
    const path = apiBase + endpoint.path
    const handler = endpointHandler(endpoint, environment)
    app[endpoint.method](path, async (request: Request, response: Response) => {
      exchangeOf(response).route = path
      await handler(request, response)
    })
    const own = endpoint.method === 'get' ? ['GET', 'HEAD'] : [endpoint.method.toUpperCase()]
    methods.set(path, [...(methods.get(path) ?? []), ...own])
  }
  for (const [path, allowed] of methods) {
    app.all(path, (_request: Request, response: Response) => {
      exchangeOf(response).route = path
      throw methodNotAllowed(allowed)
    })
  }
}

const methodNotAllowed = (allowed: readonly string[]): ApiProblem =>
  new ApiProblem(405, 'method_not_allowed', 'This method is not served here.', {
    headers: { Allow: allowed.join(', ') },
  })

const tooManyRequests = (waitMs: number): ApiProblem =>
  new ApiProblem(429, 'too_many_requests', 'Too many requests from this address.', {
    headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
  })

/** H4. */
function errorHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const { requestId, route } = exchangeOf(response)
    if (error instanceof RequestAborted || response.destroyed) return
    const problem = problemOf(error)
    if (problem.status === 500) logger.error({ request_id: requestId, route, err: error }, 'request failed')
    if (response.headersSent) {
      response.destroy()
      return
    }
    const closing =
      problem.status === 413 ||
      (!request.complete && request.headers['transfer-encoding'] !== undefined && hasBody(request))
    sendProblem(request, response, problem, requestId, closing)
  }
}

function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  // Express throws a URIError for a path that is not percent-encoded text.
  if (error instanceof URIError) return new ApiProblem(400, 'bad_path', 'The path is not percent-encoded UTF-8.')
  return new ApiProblem(500, 'internal_error', 'Something went wrong on our side; the request id finds it in our log.')
}

/** Bytes that never became a request: answered as well as can be, then the connection ends. */
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
    socket.destroy()
    return
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuse(socket, new ApiProblem(408, 'timeout', 'The request took too long.'))
  else if (error.code === 'HPE_HEADER_OVERFLOW')
    refuse(socket, new ApiProblem(431, 'headers_too_large', 'The headers are too large.'))
  else refuse(socket, new ApiProblem(400, 'bad_request', 'This is not HTTP/1.1 as we read it.'))
}

/** An answer is on its way on this socket: bytes of another would corrupt it. */
function isAnswering(socket: Duplex): boolean {
  const message = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage
  return message?.headersSent === true
}

function refuse(socket: Duplex, problem: ApiProblem): void {
  const body = JSON.stringify(problemBody(problem, 'none'))
  const { title } = JSON.parse(body) as { title: string }
  const lines = [`HTTP/1.1 ${String(problem.status)} ${title}`, `Content-Type: ${problemType}`]
  for (const [name, value] of Object.entries(problem.headers)) lines.push(`${name}: ${value}`)
  lines.push(`Content-Length: ${String(Buffer.byteLength(body))}`, 'Connection: close', '', body)
  socket.end(lines.join('\r\n'), () => socket.destroy())
}

function listen(server: Server, port: number, host: string): Promise<{ port: number; url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      const { port: bound } = server.address() as AddressInfo
      const name = host.includes(':') ? `[${host}]` : host
      resolve({ port: bound, url: `http://${name}:${String(bound)}` })
    })
  })
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}
