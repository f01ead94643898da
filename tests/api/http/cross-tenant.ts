/**
 * Every endpoint, asked with the ids of somebody else's tenant by every way an id can travel (row 41, I11). Generated from
 * the list the router mounts, so that a new endpoint is asked too. Each request has a control: the same with an id that
 * does not exist. The two must be answered alike, and nothing of the other tenant may come back.
 */

import type { Endpoint } from '../../../api/index.ts'
import { apiBase } from '../../../api/index.ts'
import { exampleOf } from '../../../api/http/example.ts'
import { schemaOf } from '../../../api/http/openapi.ts'

export type Carrier = 'path' | 'query' | 'header' | 'body'

export interface CrossRequest {
  readonly carrier: Carrier
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

export interface CrossCase {
  readonly name: string
  readonly request: CrossRequest
  readonly control: CrossRequest
}

/** By what they are, e.g. `{ organization_id, user_id, review_id }`. */
export type ForeignIds = Readonly<Record<string, string>>

const unknownId = 'deadbeef-dead-4ead-8ead-deadbeefdead'
/** An id that does not exist, of the same form. */
const unknownLike = (id: string): string => (/^[0-9a-f-]{36}$/.test(id) ? unknownId : 'nothing-'.padEnd(id.length, 'x'))
const headerNames = [
  'X-Tenant-Id',
  'X-Organization-Id',
  'X-User-Id',
  'X-Forwarded-User',
  'If-None-Match',
  'Cookie',
  'Idempotency-Key',
]
const queryNames = [
  'tenant_id',
  'organization_id',
  'user_id',
  'id',
  'cursor',
  'min_position',
  'status',
  'sort',
  'event_type',
]
const bodyNames = ['tenant_id', 'organization_id', 'user_id', 'id']

/** The first ends the session of whoever asks, and takes no id. The second never ends: `query/stream.test.ts` asks it. */
const leftOut = new Set(['post /auth/logout', 'get /stream'])

/** At least one case per endpoint that needs a credential, id and carrier. */
export function* crossTenantRequests(endpoints: readonly Endpoint[], idsOfB: ForeignIds): Generator<CrossCase> {
  for (const endpoint of endpoints) {
    if (endpoint.auth === 'none' || leftOut.has(`${endpoint.method} ${endpoint.path}`)) continue
    for (const [kind, id] of Object.entries(idsOfB)) {
      yield* byPath(endpoint, kind, id)
      for (const name of queryNames)
        yield pair(endpoint, `query ${name}=${kind}`, id, (of) => ({
          ...base(endpoint, 'query'),
          path: `${pathOf(endpoint, unknownId)}?${name}=${encodeURIComponent(of)}`,
        }))
      for (const name of headerNames)
        yield pair(endpoint, `header ${name}: ${kind}`, id, (of) => ({
          ...base(endpoint, 'header'),
          headers: { [name]: of },
        }))
      if (endpoint.request !== undefined) yield* byBody(endpoint, kind, id)
    }
  }
}

function* byPath(endpoint: Endpoint, kind: string, id: string): Generator<CrossCase> {
  // What is for operators names no tenant in its path, and is refused in the same words whatever stands there.
  if (!endpoint.path.includes(':') || endpoint.path.startsWith('/operator/')) return
  const spellings: Readonly<Record<string, (of: string) => string>> = {
    plain: (of) => of,
    upper: (of) => of.toUpperCase(),
    encoded: (of) => [...Buffer.from(of)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    quoted: (of) => encodeURIComponent(`${of}' or '1'='1`),
    joined: (of) => encodeURIComponent(`${unknownId}|${of}`),
  }
  for (const [spelling, spell] of Object.entries(spellings)) {
    yield pair(endpoint, `path ${kind} ${spelling}`, id, (of) => ({
      ...base(endpoint, 'path'),
      path: pathOf(endpoint, spell(of)),
    }))
  }
}

function* byBody(endpoint: Endpoint, kind: string, id: string): Generator<CrossCase> {
  const example = exampleOf(schemaOf(endpoint.request!)) as Readonly<Record<string, unknown>>
  for (const name of bodyNames)
    yield pair(endpoint, `body ${name}: ${kind}`, id, (of) => ({
      ...base(endpoint, 'body'),
      body: { ...example, [name]: of },
    }))
  for (const [field, value] of Object.entries(example)) {
    if (typeof value === 'string') {
      yield pair(endpoint, `body ${field}=${kind}`, id, (of) => ({
        ...base(endpoint, 'body'),
        body: { ...example, [field]: of },
      }))
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const name of bodyNames)
        yield pair(endpoint, `body ${field}.${name}: ${kind}`, id, (of) => ({
          ...base(endpoint, 'body'),
          body: { ...example, [field]: { ...value, [name]: of } },
        }))
    }
  }
}

function base(endpoint: Endpoint, carrier: Carrier): CrossRequest {
  const body = endpoint.request === undefined ? undefined : exampleOf(schemaOf(endpoint.request))
  return { carrier, method: endpoint.method.toUpperCase(), path: pathOf(endpoint, unknownId), headers: {}, body }
}

const pathOf = (endpoint: Endpoint, id: string): string => apiBase + endpoint.path.replace(/:\w+/g, () => id)

const pair = (endpoint: Endpoint, how: string, id: string, make: (id: string) => CrossRequest): CrossCase => ({
  name: `${endpoint.method} ${endpoint.path} by ${how}`,
  request: make(id),
  control: make(unknownLike(id)),
})

export interface CrossOptions {
  readonly url: string
  readonly token: string
  /** Texts that occur only in the other tenant's data. */
  readonly canaries: readonly string[]
}

/** Runs the cases; what was wrong, in words. Empty is a pass. */
export async function crossTenantFindings(
  cases: Iterable<CrossCase>,
  options: CrossOptions,
): Promise<{ ran: number; findings: string[] }> {
  const findings: string[] = []
  let ran = 0
  const judge = async ({ name, request, control }: CrossCase): Promise<void> => {
    const [answer, expected] = [await ask(request, options), await ask(control, options)]
    ran += 1
    for (const canary of options.canaries) if (answer.text.includes(canary)) findings.push(`${name}: shows ${canary}`)
    if (request.carrier === 'path' && answer.status !== 404)
      findings.push(`${name}: ${String(answer.status)}, expected 404`)
    if (answer.status < 300 && expected.status < 300) return
    if (answer.status !== expected.status || answer.shape !== expected.shape)
      findings.push(
        `${name}: ${String(answer.status)} ${answer.shape}, but for an unknown id ${String(expected.status)} ${expected.shape}`,
      )
  }
  const rest = cases[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await judge(next.value)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return { ran, findings }
}

async function ask({ method, path, headers, body }: CrossRequest, { url, token }: CrossOptions) {
  const response = await fetch(url + path, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const shown = [...response.headers].filter(
    ([header]) => !['date', 'business-time', 'x-request-id', 'content-length', 'position'].includes(header),
  )
  const shape = JSON.stringify([shown, text.replace(/"request_id":"[^"]*"/, '')])
  return { status: response.status, text, shape }
}
