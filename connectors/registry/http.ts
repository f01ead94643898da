/**
 * The embedded registry over HTTP, as Confluent's registry answers: the endpoints that its clients (and kcat) call to
 * register, find and check schemas. Nothing is ever deleted.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { SchemaError } from '../../schemas/index.ts'
import type { EmbeddedRegistry } from './embedded.ts'
import type { Answer, Asked } from './routes.ts'
import { RegistryRefusal, routes } from './routes.ts'

export interface RegistryHandlerOptions {
  /** Whether this request may register schemas and set levels; reading is open to all who reach the server. */
  readonly mayWrite: (request: IncomingMessage) => boolean
}

const contentType = 'application/vnd.schemaregistry.v1+json'
const acceptedTypes = /^application\/(vnd\.schemaregistry(\.v1)?\+json|json|octet-stream)\s*(;|$)/i
/** A schema of 1 MiB, escaped as text in JSON. */
const maxBodyBytes = 2_621_440

/** A request handler; mount it where the registry's root is to be, before anything that parses bodies. */
export function registryHandler(
  registry: EmbeddedRegistry,
  options: RegistryHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(registry, options, request).then(
      (body) => send(response, 200, body),
      (error: unknown) => refuse(response, error),
    )
  }
}

/**
 * What stands at the registry's path when the registry is outside. Not a way through to it: that would lend our credentials
 * to whoever reaches this server.
 */
export function registryElsewhere(_request: IncomingMessage, response: ServerResponse): void {
  refuse(response, new RegistryRefusal(404, 404, 'The schemas are in a registry outside (SCHEMA_REGISTRY_URL): ask it'))
}

async function answer(
  registry: EmbeddedRegistry,
  options: RegistryHandlerOptions,
  request: IncomingMessage,
): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://registry')
  const path = url.pathname.replace(/\/+$/, '').split('/').slice(1).map(decoded)
  const matches = routes.filter((candidate) => matchPath(candidate.path, path))
  if (matches.length === 0) throw new RegistryRefusal(404, 404, 'HTTP 404 Not Found')
  const route = matches.find((candidate) => candidate.method === request.method)
  if (route === undefined) throw new RegistryRefusal(405, 405, 'HTTP 405 Method Not Allowed')
  if (route.writes === true && !options.mayWrite(request))
    throw new RegistryRefusal(401, 401, 'Writing to this registry needs authentication')
  const asked: Asked = {
    registry,
    parameters: path.filter((_, index) => route.path[index] === '*'),
    query: url.searchParams,
    body: request.method === 'GET' ? {} : await readBody(request),
  }
  return route.answer(asked)
}

function matchPath(pattern: readonly string[], path: readonly string[]): boolean {
  return pattern.length === path.length && pattern.every((part, index) => part === '*' || part === path[index])
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new RegistryRefusal(400, 400, 'The path is not well-formed', cause)
  }
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers['content-type']
  if (type === undefined || !acceptedTypes.test(type)) throw new RegistryRefusal(415, 415, `Send ${contentType}`)
  if (request.headers['content-encoding'] !== undefined) throw new RegistryRefusal(415, 415, 'Send the body plain')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) throw new RegistryRefusal(413, 413, `The body is larger than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
    if (body !== null && typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>
  } catch {
    // Falls through: not JSON and not an object get the same answer.
  }
  throw new RegistryRefusal(400, 400, 'The body is not a JSON object')
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal = refusalOf(error)
  // A body that was refused half-way is not worth reading to its end.
  if (refusal.status === 413) response.setHeader('connection', 'close')
  send(response, refusal.status, { error_code: refusal.code, message: refusal.message })
}

function refusalOf(error: unknown): RegistryRefusal {
  if (error instanceof RegistryRefusal) return error
  if (error instanceof SchemaError) {
    if (error.code === 'BAD_SCHEMA') return new RegistryRefusal(422, 42201, `Invalid schema: ${error.message}`)
    if (error.code === 'INCOMPATIBLE_SCHEMA') return new RegistryRefusal(409, 409, error.message)
    if (error.code === 'REGISTRY_FAILED') return new RegistryRefusal(500, 50001, 'Error in the backend data store')
  }
  return new RegistryRefusal(500, 50001, 'Internal error')
}

function send(response: ServerResponse, status: number, body: Answer): void {
  if (response.headersSent || response.destroyed) return
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  response.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length })
  response.end(bytes)
}
