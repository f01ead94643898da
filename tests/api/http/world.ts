/** A server on loopback over given endpoints, and clients that say exactly the bytes they are told. */

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import pino from 'pino'
import { Registry } from 'prom-client'
import { ApiProblem, createHttpServer, httpDefaults } from '../../../api/index.ts'
import type { Endpoint, HttpServerOptions, HttpSettings, UserPrincipal } from '../../../api/index.ts'
import type { Clock } from '../../../topology/clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
}
export const systemRandom = { bytes: (length: number): Buffer => randomBytes(length) }

export const tenantA = '0a000000-0000-4000-8000-000000000001'
export const tenantB = '0b000000-0000-4000-8000-000000000001'

/** A person of a client organization; the token is `tenantId/userId/role/userType`. */
export function person(tenantId: string, more: Partial<UserPrincipal> = {}): UserPrincipal {
  return {
    kind: 'user',
    tenantId,
    organizationId: organizationOf(tenantId),
    userId: `${tenantId.slice(0, -3)}100`,
    userType: 'client',
    role: 'owner',
    sessionId: tenantId,
    tokenId: tenantId,
    ...more,
  }
}

export const organizationOf = (tenantId: string): string => `${tenantId.slice(0, -3)}200`

export const tokenOf = ({ tenantId, userId, role, userType }: UserPrincipal): string =>
  [tenantId, userId, role, userType].join('/')
/** What `authenticateApiKey` below takes. */
export const keyOf = (tenantId: string): string => `lck_${tenantId}`

/** What `tokenOf` wrote. @throws ApiProblem 401 */
export function principalOf(token: string): UserPrincipal {
  const [tenantId, userId, role, userType] = token.split('/')
  if (userType === undefined) throw unauthorized()
  return person(tenantId!, { userId: userId!, role: role!, userType: userType as 'client' | 'agent' })
}

export const unauthorized = (): ApiProblem =>
  new ApiProblem(401, 'unauthorized', 'no', { headers: { 'WWW-Authenticate': 'Bearer' } })

export interface TestServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Log lines, parsed. */
  readonly lines: Record<string, unknown>[]
  close(): Promise<void>
}

export async function serve(
  endpoints: readonly Endpoint[],
  settings: Partial<HttpSettings> = {},
  more: Partial<HttpServerOptions> = {},
): Promise<TestServer> {
  const lines: Record<string, unknown>[] = []
  const sink = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  const server = createHttpServer({
    endpoints,
    settings: { ...httpDefaults, requestsPerMinute: 0, closeGraceMs: 1_000, ...settings },
    version: '1.2.3',
    logger: pino({ level: 'debug' }, sink),
    metrics: new Registry(),
    clock: systemClock,
    random: systemRandom,
    health: () => ({ status: 'ok', version: '1.2.3', roles: ['api'], providers: [{ name: 'mail', mode: 'sandbox' }] }),
    ready: () => true,
    authenticate: async (token) => principalOf(token),
    authenticateApiKey: async (key) => {
      const tenantId = key.slice(4)
      if (tenantId !== tenantA && tenantId !== tenantB) throw unauthorized()
      return {
        kind: 'api_key',
        tenantId,
        organizationId: organizationOf(tenantId),
        keyId: tenantId,
        role: 'producer',
        scopes: ['events:write'],
        perMinute: 0,
        perDay: 0,
      }
    },
    ...more,
  })
  const { url, port } = await server.listen(0, '127.0.0.1')
  return { url, port, lines, close: () => server.close(), [Symbol.asyncDispose]: () => server.close() }
}

/** Sends these parts on one connection and returns all that came back until it closed, or until nothing came for a while. */
export function raw(
  port: number,
  parts: readonly (string | Buffer)[],
  quietMs = 3_000,
): Promise<{ text: string; closed: boolean }> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    const done = (closed: boolean): void => {
      socket.destroy()
      resolve({ text: Buffer.concat(chunks).toString(), closed })
    }
    socket.setTimeout(quietMs, () => done(false))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => done(true))
    for (const part of parts) socket.write(part)
  })
}

export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
export const answersIn = (text: string): number => text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0

/** A request in short: JSON in, status and JSON out. */
export async function call(
  url: string,
  options: {
    method?: string
    token?: string
    body?: unknown
    text?: string | Buffer
    headers?: Record<string, string>
  } = {},
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON
): Promise<{ status: number; body: any; headers: Headers }> {
  const { token, body, text, headers } = options
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(url, {
    method: options.method ?? (sent === undefined ? 'GET' : 'POST'),
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(sent === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: typeof sent === 'string' ? sent : new Uint8Array(sent) }),
  })
  const received = await response.text()
  return { status: response.status, body: received === '' ? undefined : parsed(received), headers: response.headers }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
