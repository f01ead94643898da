/**
 * `POST /webhooks/{provider}/{endpoint}`, beside the API.
 *
 * WH1 Nothing is parsed before its signature was verified over the bytes as they came.
 * WH2 The secret is chosen by the endpoint alone, never by a header or the body; all refusals look alike.
 * WH3 A delivery counts once: its id is an idempotency key, kept longer than the sender tries.
 * WH4 2xx is said when the log, or the waiting room, has it; else the sender tries again.
 * WH5 Tenant and organization come from metadata that we set, or from an object that bore it before; what has neither
 *     waits, encrypted, and is set aside after three days. However many wait, each is looked at in every round, and one that
 *     cannot be taken keeps no other waiting.
 */

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AnyEventTopic } from '../../schemas/index.ts'
import { judgePayload, topics } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import { receive } from '../http/body.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Command, Ingest } from '../ingest/index.ts'
import type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'
import { isUnusable } from './verifier.ts'
import type { Owned, Waited, WaitingRoom } from './waiting.ts'

/** By provider, then by endpoint: the secrets that may have signed. */
export type WebhookSecrets = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>

export interface WebhookSettings {
  readonly bodyLimitBytes: number
  /** A delivery whose tenant is unknown waits this long, in ms. */
  readonly waitsAtMostMs: number
  /** That a delivery was set aside is kept so long, in ms. */
  readonly setAsideKeptMs: number
  /** A delivery's id is remembered so much longer than other idempotency keys, in ms. */
  readonly rememberedLongerMs: number
  /** Parts of one delivery that are appended beside one another. */
  readonly concurrency: number
  /** Deliveries of the waiting room that are read at a time. */
  readonly roundSize: number
}

const dayMs = 24 * 60 * 60 * 1000

export const webhookDefaults: WebhookSettings = Object.freeze({
  bodyLimitBytes: 1024 * 1024,
  waitsAtMostMs: 3 * dayMs,
  setAsideKeptMs: 90 * dayMs,
  rememberedLongerMs: 6 * dayMs,
  concurrency: 16,
  roundSize: 1_000,
})

export interface WebhookOptions {
  readonly verifiers: readonly WebhookVerifier[]
  readonly secrets: WebhookSecrets
  readonly ingest: Pick<Ingest, 'command'>
  readonly room: WaitingRoom
  /** Real time. */
  readonly clock: Clock
  readonly settings: WebhookSettings
  /** Counts deliveries and their parts by what became of them. */
  readonly counted?: (provider: string, outcome: WebhookOutcome) => void
}

export type WebhookOutcome = 'accepted' | 'waiting' | 'set_aside' | 'refused'

export interface Webhooks {
  /** Answers below `/webhooks`; sees the url without that prefix. @throws ApiProblem */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** Tries again what waits; call it every minute or so. */
  again(): Promise<void>
}

export function createWebhooks(options: WebhookOptions): Webhooks {
  const { room, clock, settings } = options
  const verifiers = new Map(options.verifiers.map((verifier) => [verifier.provider, verifier]))
  const counted = options.counted ?? (() => undefined)

  async function handle(request: IncomingMessage): Promise<void> {
    const { provider, endpoint } = placeIn(request.url ?? '')
    const verifier = verifiers.get(provider)
    const secrets = ownValue(ownValue(options.secrets, provider), endpoint)
    if (verifier === undefined || secrets === undefined)
      throw new ApiProblem(404, 'not_found', 'There is no such webhook endpoint.')
    if (request.method !== 'POST')
      throw new ApiProblem(405, 'method_not_allowed', 'Webhooks are posted.', { headers: { Allow: 'POST' } })
    const raw = await receive(request, settings.bodyLimitBytes)
    const verified = verifier.verify(request.headers, raw, secrets, clock.now())
    if (verified !== 'ok') {
      counted(provider, 'refused')
      throw refusal(verified.status)
    }
    await allTaken(provider, partsOf(verifier, raw))
  }

  function partsOf(verifier: WebhookVerifier, raw: Buffer): readonly (WebhookEvent | UnusableEvent)[] {
    try {
      return verifier.read(raw)
    } catch (error) {
      counted(verifier.provider, 'refused')
      throw error
    }
  }

  /** Of one object one after the other, of several beside one another. */
  async function allTaken(provider: string, events: readonly (WebhookEvent | UnusableEvent)[]): Promise<void> {
    const lanes = [...Map.groupBy(events, (event) => (isUnusable(event) ? '' : event.objectId)).values()]
    const worker = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift())
        for (const event of lane) counted(provider, await taken(provider, event))
    }
    await Promise.all(Array.from({ length: settings.concurrency }, worker))
  }

  async function taken(provider: string, event: WebhookEvent | UnusableEvent): Promise<WebhookOutcome> {
    const deliveryId = shortId(event.deliveryId)
    if (isUnusable(event)) return aside(provider, deliveryId, event.unusable)
    const objectIds = [event.objectId, ...(event.relatedIds ?? [])].map(shortId)
    const told = ownedBy(event.tenantId, event.organizationId)
    const owned = told ?? (await room.ownerOf(provider, objectIds))
    const kept = { provider, deliveryId, topic: event.topic.name, type: event.type, payload: event.payload, objectIds }
    if (owned === null) {
      await room.wait(kept, clock.now())
      return 'waiting'
    }
    if (told !== null) await room.own(provider, objectIds, told)
    return appended({ ...kept, topic: event.topic }, owned)
  }

  async function appended(
    event: Omit<Parameters<WaitingRoom['wait']>[0], 'topic'> & { readonly topic: AnyEventTopic },
    owned: Owned,
  ): Promise<WebhookOutcome> {
    const { provider, deliveryId, topic, type } = event
    const judged = judgePayload(topic, type, event.payload)
    if (!judged.ok) return aside(provider, deliveryId, `not a ${type}: ${judged.message}`)
    try {
      await options.ingest.command(commandOf(event, judged.payload, owned), `webhook:${provider}:${deliveryId}`)
      return 'accepted'
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 422) throw error
      return aside(provider, deliveryId, error.detail)
    }
  }

  const commandOf = (
    { provider, deliveryId, topic, type }: { provider: string; deliveryId: string; topic: AnyEventTopic; type: string },
    payload: Readonly<Record<string, unknown>>,
    { tenantId, organizationId }: Owned,
  ): Command => ({
    draft: { topic, type, payload, tenantId, organizationId, actor: { type: 'provider', id: provider } },
    // What a sender writes anew when it tries again (a count of its tries) makes no other delivery of it.
    request: { provider, deliveryId },
    keptLongerMs: settings.rememberedLongerMs,
  })

  async function aside(provider: string, deliveryId: string, reason: string): Promise<WebhookOutcome> {
    await room.setAside(provider, deliveryId, reason.slice(0, 300), clock.now())
    return 'set_aside'
  }

  async function triedAgain(event: Waited): Promise<void> {
    const { provider, deliveryId, payload } = event
    if (payload === null)
      return counted(provider, await aside(provider, deliveryId, 'it does not open: CODE_SECRET is another one now'))
    const owned = await room.ownerOf(provider, event.objectIds)
    const topic = topics.find(({ name }) => name === event.topic)
    if (owned !== null && topic !== undefined) {
      const outcome = await appended({ ...event, payload, topic }, owned)
      if (outcome === 'accepted') await room.arrived(provider, deliveryId)
      counted(provider, outcome)
    } else if (clock.now() - event.sinceMs >= settings.waitsAtMostMs)
      counted(provider, await aside(provider, deliveryId, 'no tenant is known for it'))
  }

  return {
    async handler(request, response) {
      await handle(request)
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{}')
    },
    async again() {
      const failures: unknown[] = []
      let behind: Waited | null = null
      do {
        const events: readonly Waited[] = await room.waiting(settings.roundSize, behind)
        for (const event of events)
          await triedAgain(event).catch((error: unknown) => {
            if (error instanceof ApiProblem && error.status === 503) throw error // of all of them
            failures.push(error)
          })
        behind = events.length < settings.roundSize ? null : (events.at(-1) ?? null)
      } while (behind !== null)
      await room.forget(clock.now() - settings.setAsideKeptMs)
      if (failures.length > 0) throw failures[0]
    },
  }
}

const refusal = (status: 400 | 401): ApiProblem =>
  status === 401
    ? new ApiProblem(401, 'bad_signature', 'The signature does not fit.')
    : new ApiProblem(400, 'bad_request', 'This is not a webhook as this provider sends it.')

const place = /^\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})$/

function placeIn(url: string): { readonly provider: string; readonly endpoint: string } {
  const [, provider = '', endpoint = ''] = place.exec(url.split('?')[0] ?? '') ?? []
  return { provider, endpoint }
}

function ownValue<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function ownedBy(tenantId: string | null, organizationId: string | null): Owned | null {
  const isOurs = tenantId !== null && organizationId !== null && uuid.test(tenantId) && uuid.test(organizationId)
  return isOurs ? { tenantId, organizationId } : null
}

const longestId = 150

/** As it may stand in an idempotency key. */
const shortId = (id: string): string =>
  id.length <= longestId && /^[\x21-\x7e]+$/.test(id) ? id : createHash('sha256').update(id).digest('hex')
