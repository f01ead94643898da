/**
 * The pages of demos, for whoever has their address: no login, nothing but the token says what may be seen.
 *
 *   GET  /d/{token}          the page · 404 unknown · 410 expired or taken down
 *   GET  /d/{token}?version= a link that is pinned: this version, whatever came after it; so for events and chat
 *   GET  /d/{token}/qr.svg
 *   POST /d/{token}/events   { type: view|step|cta|ping, session_id, step?, dwell_ms?, cta? }   204
 *   POST /d/{token}/chat     { session_id, text }                                              202 { message_id }
 *   GET  /d/{token}/chat?session_id=                                                           { messages }
 *
 * DP1 Tenant and demo come from the sealed token, and from nothing that the visitor says.
 * DP2 What a page tells becomes an event only while the demo is open, within bounds, and at a bounded pace a viewer and an
 *     address; questions at a bounded pace a demo too.
 * DP3 A page runs under its own policy, is framed by nobody, and tells no other site where it was read.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ZodType } from 'zod'
import type { Pool } from '../../connectors/postgres/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import { readBody } from '../http/body.ts'
import { exchangeOf } from '../http/exchange.ts'
import { parseJson } from '../http/json.ts'
import { ApiProblem } from '../http/problem.ts'
import type { RateLimit } from '../http/rate-limit.ts'
import { rateLimit } from '../http/rate-limit.ts'
import type { Mount } from '../http/server.ts'
import { validBody } from '../http/validate.ts'
import type { Ingest } from '../ingest/index.ts'
import { deviceOf } from './device.ts'
import type { DemoPageSettings } from './settings.ts'
import type { Share, SharedDemo } from './shared-demo.ts'
import { sharedDemos } from './shared-demo.ts'
import type { DemoEvent, Viewer } from './told.ts'
import { beacon, eventOf, question, questionEvent, sessionId } from './told.ts'

export interface DemoPagesOptions {
  /** Connected as role `api`. */
  readonly pool: Pool
  readonly ingest: Pick<Ingest, 'command'>
  readonly links: {
    open(token: string): Share | null
    viewerOf(tenantId: string, address: string, userAgent: string): string
  }
  /** The bytes a `ref` names; null when nothing stands there any more. */
  readonly read: (ref: Json) => Promise<Buffer | null>
  /** The `content-security-policy` of a stored page. */
  readonly policyOf: (page: Uint8Array) => string
  readonly pages: { readonly missing: string; readonly expired: string }
  /** Business time in ms. */
  readonly time: () => number
  /** Real time: how often somebody asks. */
  readonly clock: Clock
  readonly random: Random
  readonly settings: DemoPageSettings
}

/** Where a request is to: the demo, and the version that its link is pinned to. */
interface Address {
  readonly token: string
  readonly version: number | null
}

interface Limits {
  readonly viewer: RateLimit
  readonly address: RateLimit
  readonly demo: RateLimit
}

const place = /^\/([A-Za-z0-9_-]{1,200})(\/qr\.svg|\/events|\/chat)?$/

/** Mounted at `/d`. @throws ApiProblem */
export function demoPages(options: DemoPagesOptions): Mount {
  const { pool, links, time, clock, settings } = options
  const demos = sharedDemos({ pool, openToken: (token) => links.open(token), time })
  const limits = (viewer: number, address: number, demo: number): Limits => ({
    viewer: rateLimit(viewer, clock),
    address: rateLimit(address, clock),
    demo: rateLimit(demo, clock),
  })
  const beacons = limits(settings.beaconsPerMinute, settings.beaconsPerAddress, 0)
  const questions = limits(settings.questionsPerMinute, settings.questionsPerAddress, settings.questionsPerDemo)

  async function show(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void> {
    const demo = await demos.find(address.token, address.version)
    if (demo === null) return standing(options, response, request, 404, options.pages.missing)
    const page = demo.isOpen ? await options.read(demo.pageRef) : null
    if (page === null) return standing(options, response, request, 410, options.pages.expired)
    sendFile(request, response, {
      type: 'text/html; charset=utf-8',
      content: page,
      etag: etagOf(demo.pageRef),
      policy: options.policyOf(page),
    })
  }

  async function showQr(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void> {
    const demo = await openDemo(address)
    const content = await options.read(demo.qrRef)
    if (content === null) throw gone()
    const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    sendFile(request, response, { type: 'image/svg+xml', content, etag: etagOf(demo.qrRef), policy })
  }

  async function tell(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void> {
    const { demo, viewer } = await visitor(request, response, address, beacons)
    const told = await bodyOf(request, response, beacon, settings.beaconBytes)
    await append(demo, eventOf(demo, viewer, told), told)
    response.writeHead(204).end()
  }

  async function ask(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void> {
    const { demo, viewer } = await visitor(request, response, address, questions)
    if (viewer.device === 'bot') throw new ApiProblem(403, 'forbidden', 'Questions are for people.')
    const told = await bodyOf(request, response, question, settings.questionBytes)
    const message_id = options.random.bytes(16).toString('hex')
    await append(demo, questionEvent(demo, viewer, message_id, told), told)
    sendJson(response, 202, { message_id })
  }

  async function conversation(request: IncomingMessage, response: ServerResponse, address: Address): Promise<void> {
    const demo = await openDemo(address)
    const asked = new URL(request.url ?? '/', 'http://demo').searchParams.get('session_id')
    const session = sessionId.safeParse(asked)
    if (!session.success) throw new ApiProblem(400, 'bad_parameter', 'session_id: expected what the page made.')
    sendJson(response, 200, { messages: await demos.messages(demo, session.data, settings.messagesShown) })
  }

  /** DP2. */
  async function visitor(
    request: IncomingMessage,
    response: ServerResponse,
    at: Address,
    limit: Limits,
  ): Promise<{ readonly demo: SharedDemo; readonly viewer: Viewer }> {
    const demo = await openDemo(at)
    const userAgent = (request.headers['user-agent'] ?? '').slice(0, 500)
    const { address } = exchangeOf(response)
    const hash = links.viewerOf(demo.tenantId, address, userAgent)
    const waitMs =
      limit.viewer.take(hash) || limit.address.take(address) || limit.demo.take(`${demo.tenantId} ${demo.demoId}`)
    if (waitMs > 0)
      throw new ApiProblem(429, 'too_many_requests', 'That was a lot at once; wait a little.', {
        headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
      })
    return { demo, viewer: { hash, device: deviceOf(userAgent) } }
  }

  async function openDemo({ token, version }: Address): Promise<SharedDemo> {
    const demo = await demos.find(token, version)
    if (demo === null) throw new ApiProblem(404, 'not_found', 'There is no such demo.')
    if (!demo.isOpen) throw gone()
    return demo
  }

  async function append(demo: SharedDemo, { topic, type, payload }: DemoEvent, request: unknown): Promise<void> {
    const { tenantId, organizationId } = demo
    const actor = { type: 'user', id: 'viewer' } as const
    await options.ingest.command(
      { draft: { topic, type, payload, tenantId, organizationId, actor }, request },
      undefined,
    )
  }

  const doors: Readonly<Record<string, { readonly get?: typeof show; readonly post?: typeof show }>> = {
    '': { get: show },
    '/qr.svg': { get: showQr },
    '/events': { post: tell },
    '/chat': { get: conversation, post: ask },
  }

  return async (request, response) => {
    response.setHeader('Referrer-Policy', 'no-referrer')
    response.setHeader('X-Robots-Tag', 'noindex, nofollow')
    const [, pathname = '', search = ''] = /^([^?]*)\??(.*)/.exec(request.url ?? '') ?? []
    const [, token, path = ''] = place.exec(pathname) ?? []
    const pinned = new URLSearchParams(search).get('version')
    if (token === undefined || (pinned !== null && !versionForm.test(pinned)))
      return standing(options, response, request, 404, options.pages.missing)
    const door = doors[path]!
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const answer = isRead ? door.get : request.method === 'POST' ? door.post : undefined
    if (answer === undefined) {
      const allowed = [...(door.get === undefined ? [] : ['GET', 'HEAD']), ...(door.post === undefined ? [] : ['POST'])]
      throw new ApiProblem(405, 'method_not_allowed', 'This method is not served here.', {
        headers: { Allow: allowed.join(', ') },
      })
    }
    await answer(request, response, { token, version: pinned === null ? null : Number(pinned) })
  }
}

const versionForm = /^[1-9]\d{0,5}$/

const gone = (): ApiProblem => new ApiProblem(410, 'gone', 'This demo is no longer shown.')

async function bodyOf<T>(
  request: IncomingMessage,
  response: ServerResponse,
  schema: ZodType<T>,
  limitBytes: number,
): Promise<T> {
  return validBody(schema, parseJson(await readBody(request, response, limitBytes))) as T
}

/** A page that is there for everybody. */
function standing(
  { policyOf }: DemoPagesOptions,
  response: ServerResponse,
  request: IncomingMessage,
  status: 404 | 410,
  page: string,
): void {
  const content = Buffer.from(page)
  response.setHeader('Content-Security-Policy', policyOf(content))
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'content-length': content.length })
  response.end(request.method === 'HEAD' ? undefined : content)
}

interface Shown {
  readonly type: string
  readonly content: Buffer
  readonly etag: string
  readonly policy: string
}

/** DP3. Kept by the browser, asked for anew each time: what was taken down is not shown from a cache. */
function sendFile(request: IncomingMessage, response: ServerResponse, { type, content, etag, policy }: Shown): void {
  response.setHeader('Cache-Control', 'private, no-cache')
  response.setHeader('ETag', etag)
  response.setHeader('Content-Security-Policy', policy)
  response.setHeader('X-Frame-Options', 'DENY')
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304).end()
    return
  }
  response.writeHead(200, { 'content-type': type, 'content-length': content.length })
  response.end(request.method === 'HEAD' ? undefined : content)
}

/** The bytes' own hash. */
const etagOf = (ref: Json): string => `"${String((ref as { readonly sha256?: unknown }).sha256)}"`

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const content = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': content.length })
  response.end(content)
}
