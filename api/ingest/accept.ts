/**
 * Judges what a client sent, purely: from a JSON body to events that may be written. Tenant, organization, actor and
 * place come from the credential; the client says what happened and, within bounds, when.
 */

import type { Actor, AnyEventTopic } from '../../schemas/index.ts'
import { checkPayload, topicByName } from '../../schemas/index.ts'
import type { Principal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { requirePermission } from './permission.ts'
import type { IngestSettings } from './settings.ts'

/** An event to be: judged, not yet placed. */
export interface Draft {
  readonly topic: AnyEventTopic
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Event time in ms. */
  readonly timestamp: number
  readonly late: boolean
  readonly tenantId: string
  readonly organizationId: string
  readonly actor: Actor
}

export interface Submission {
  readonly drafts: readonly Draft[]
  /** One event was sent as itself, not in a list: the answer has the same form. */
  readonly single: boolean
}

type Fields = Readonly<Record<string, unknown>>

/** @throws ApiProblem 422 or 403; inside a list with `index` and `reason`, and then nothing of the list is taken */
export function acceptSubmission(
  body: unknown,
  principal: Principal,
  nowMs: number,
  settings: IngestSettings,
): Submission {
  const list = listOf(body)
  if (list === null) return { drafts: [acceptEvent(body, principal, nowMs, settings)], single: true }
  if (list.length === 0) throw invalid('empty_batch', 'The list holds no event.')
  if (list.length > settings.eventsPerRequest)
    throw invalid('too_many_events', `A request holds at most ${String(settings.eventsPerRequest)} events.`)
  return {
    drafts: list.map((event, index) => at(index, () => acceptEvent(event, principal, nowMs, settings))),
    single: false,
  }
}

function listOf(body: unknown): readonly unknown[] | null {
  if (Array.isArray(body)) return body
  if (!isObject(body) || !Object.hasOwn(body, 'events')) return null
  const other = Object.keys(body).find((name) => name !== 'events')
  if (other !== undefined) throw unknownField(other)
  if (!Array.isArray(body.events)) throw invalid('invalid_field', 'events: expected a list.')
  return body.events
}

function at<T>(index: number, accept: () => T): T {
  try {
    return accept()
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error
    const extra = { ...error.extra, index, reason: error.code }
    throw new ApiProblem(error.status, error.code, `Event ${String(index)}: ${error.detail}`, {
      extra,
      headers: error.headers,
    })
  }
}

const eventFields = new Set(['topic', 'type', 'payload', 'timestamp'])
/** May be repeated in the body, where some clients have them; they never decide anything. */
const tenantFields = new Set(['tenant_id', 'tenant', 'organization_id'])

function acceptEvent(event: unknown, principal: Principal, nowMs: number, settings: IngestSettings): Draft {
  if (!isObject(event)) throw invalid('invalid_field', 'An event is an object with topic, type and payload.')
  checkTenant(event, principal)
  const unknown = Object.keys(event).find((name) => !eventFields.has(name) && !tenantFields.has(name))
  if (unknown !== undefined) throw unknownField(unknown)
  const topic = topicByName(textField(event, 'topic'))
  if (topic === undefined) throw invalid('unknown_topic', 'There is no such topic.')
  const type = textField(event, 'type')
  checkVisible(topic, type)
  requirePermission(type, principal)
  return {
    topic,
    type,
    payload: payloadOf(topic, type, event, principal),
    ...timeOf(event, topic, nowMs, settings),
    tenantId: principal.tenantId,
    organizationId: principal.organizationId,
    actor: actorOf(principal),
  }
}

function checkTenant(fields: Fields, principal: Principal): void {
  for (const name of tenantFields) {
    const own = name === 'organization_id' ? principal.organizationId : principal.tenantId
    if (Object.hasOwn(fields, name) && fields[name] !== own)
      throw new ApiProblem(403, 'tenant_mismatch', `${name} is not the credential's; leave it out.`)
  }
}

function checkVisible(topic: AnyEventTopic, type: string): void {
  const events = topic.events as Readonly<Record<string, { readonly visibility: string }>>
  if (!Object.hasOwn(events, type)) throw invalid('unknown_type', `${topic.name} has no such event type.`)
  if (events[type]!.visibility !== 'public')
    throw new ApiProblem(403, 'type_not_public', `${type} is written by the platform, not by clients.`)
}

function payloadOf(topic: AnyEventTopic, type: string, event: Fields, principal: Principal): Fields {
  if (!Object.hasOwn(event, 'payload')) throw invalid('missing_field', 'payload: this field is required.')
  const { payload } = event
  if (isObject(payload)) {
    const declared = (topic.events as Readonly<Record<string, { readonly fields: Fields }>>)[type]!.fields
    const undeclared = Object.entries(payload).filter(([name]) => !Object.hasOwn(declared, name))
    checkTenant(Object.fromEntries(undeclared), principal)
  }
  const checked = checkPayload(topic, type, payload)
  if (checked.ok) return checked.payload
  const errors = checked.issues.map(({ path, code, message }) => ({ field: inPayload(path), code, message }))
  const { field, code, message } = errors[0]!
  throw new ApiProblem(422, code, `${field}: ${message}.`, { extra: { errors } })
}

const inPayload = (path: string): string => (path === '' ? 'payload' : `payload.${path}`)

/** Milliseconds, exact; [now − oldest, now + future], else a replayed year would be taken for today's news. */
function timeOf(
  event: Fields,
  topic: AnyEventTopic,
  nowMs: number,
  settings: IngestSettings,
): Pick<Draft, 'timestamp' | 'late'> {
  if (!Object.hasOwn(event, 'timestamp')) return { timestamp: nowMs, late: false }
  const { timestamp } = event
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp))
    throw invalid('invalid_field', 'timestamp: expected milliseconds since 1970 as an integer.')
  if (timestamp > nowMs + settings.futureMs || timestamp < nowMs - settings.oldestMs[topic.retention])
    throw invalid('timestamp_out_of_range', 'timestamp: too far in the past or ahead of our clock.')
  return { timestamp, late: timestamp < nowMs - settings.lateAfterMs }
}

export function actorOf(principal: Principal): Actor {
  if (principal.kind === 'api_key') return { type: 'system', id: `api_key:${principal.keyId}` }
  return { type: principal.userType === 'agent' ? 'human_agent' : 'user', id: principal.userId }
}

function textField(event: Fields, name: string): string {
  if (!Object.hasOwn(event, name)) throw invalid('missing_field', `${name}: this field is required.`)
  const value = event[name]
  if (typeof value !== 'string') throw invalid('invalid_field', `${name}: expected a text.`)
  return value
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const invalid = (code: string, detail: string): ApiProblem => new ApiProblem(422, code, detail)
const unknownField = (name: string): ApiProblem =>
  invalid('unknown_field', `${JSON.stringify(name.slice(0, 40))} is not a field of a request.`)
