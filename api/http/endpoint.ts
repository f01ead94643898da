/**
 * An endpoint as a value: what the router mounts, what the OpenAPI document says, and what runs are one declaration.
 * `handler` sees a request that is authenticated and validated; it answers, or throws an ApiProblem.
 */

import type { ZodType } from 'zod'

/** A person, proved by an access token. */
export interface UserPrincipal {
  readonly kind: 'user'
  readonly tenantId: string
  readonly organizationId: string
  readonly userId: string
  readonly userType: 'client' | 'agent'
  readonly role: string
  /** The session (token family) and the token itself. */
  readonly sessionId: string
  readonly tokenId: string
}

/** What an API key may do. */
export type ApiKeyScope = 'events:write' | 'read'

/** A program, proved by an API key. */
export interface ApiKeyPrincipal {
  readonly kind: 'api_key'
  readonly tenantId: string
  readonly organizationId: string
  readonly keyId: string
  readonly role: 'producer'
  readonly scopes: readonly ApiKeyScope[]
  /** Requests it may make; 0 is no limit. */
  readonly perMinute: number
  readonly perDay: number
}

export type Principal = UserPrincipal | ApiKeyPrincipal

/** One of the seller's own people. Everybody else, programs too, looks for a client. */
export const isAgent = (principal: Principal): principal is UserPrincipal =>
  principal.kind === 'user' && principal.userType === 'agent'

/** none: anyone · bearer: a user's access token · api_key: a producer's key · any: either. */
export type Auth = 'none' | 'bearer' | 'api_key' | 'any'

export interface PrincipalOf {
  readonly none: null
  readonly bearer: UserPrincipal
  readonly api_key: ApiKeyPrincipal
  readonly any: Principal
}

export interface RequestContext<B = unknown, Q = unknown, P = Principal | null> {
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
  readonly principal: P
  /** Address of the peer (of the client, where a trusted proxy says so). */
  readonly ip: string
  /** By name in any case. */
  header(name: string): string | undefined
  /**
   * Whether the credential is good still: for an answer that goes on. False when it ran out or was taken away meanwhile.
   * @throws what stood in the way of finding out
   */
  stillIn(): Promise<boolean>
}

/** One server-sent event. */
export interface EventMessage {
  readonly event: string
  /** What `Last-Event-ID` says when the reader comes back; no line break. */
  readonly id?: string
  /** Sent as JSON. */
  readonly data: unknown
}

/** Where a stream writes. A call settles when there is room for the next. */
export interface EventSink {
  /** Aborted when the reader is gone or the server closes: nothing written from then on arrives. */
  readonly signal: AbortSignal
  send(message: EventMessage): Promise<void>
  /** A sign of life that is no event. */
  beat(): Promise<void>
}

export interface Answer {
  readonly status: number
  /** JSON; absent for 204 and for a stream. */
  readonly body?: unknown
  /** A file, instead of `body`. */
  readonly bytes?: { readonly type: string; readonly content: Buffer }
  readonly headers?: Readonly<Record<string, string>>
  /** Server-sent events instead of a body: ends when the promise does. */
  readonly stream?: (out: EventSink) => Promise<void>
}

export interface ResponseSpec {
  readonly status: number
  readonly description: string
  /** Of the body; of each event's data where `type` says that it is a stream. */
  readonly schema?: ZodType
  /** application/json unless told. */
  readonly type?: 'text/event-stream'
}

export interface Endpoint {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** Below /api/v1, parameters as `:name`, e.g. `/api-keys/:id`. */
  readonly path: string
  readonly summary: string
  readonly tag: string
  readonly auth: Auth
  /** What an API key needs here. Where keys are taken and none is named, none is let in. */
  readonly scope?: ApiKeyScope
  /** Of the JSON body; a field it does not know answers 422 `unknown_field`. */
  readonly request?: ZodType
  /** Of the query string. */
  readonly query?: ZodType
  readonly response: readonly ResponseSpec[]
  handler(context: RequestContext): Promise<Answer>
}

/** Declares an endpoint; the handler's body, query and principal are typed by the schemas and by `auth`. */
export function endpoint<const A extends Auth, B = undefined, Q = Readonly<Record<string, unknown>>>(
  declaration: Omit<Endpoint, 'auth' | 'request' | 'query' | 'handler'> & {
    readonly auth: A
    readonly request?: ZodType<B>
    readonly query?: ZodType<Q>
    handler(context: RequestContext<B, Q, PrincipalOf[A]>): Promise<Answer>
  },
): Endpoint {
  return Object.freeze(declaration as unknown as Endpoint)
}
