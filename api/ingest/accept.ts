/**
 * Judges what a client sent, purely: from a JSON body to events that may be written. Tenant, organization, actor and
 * place come from the credential; the client says what happened and, within bounds, when.
 */

import type { Actor, AnyEventTopic, Judged, Numbered, SubmittedEvent } from '../../schemas/index.ts'
import { judgeNumbered, judgePayload, judgeTime, judgeType, personalDecisions } from '../../schemas/index.ts'
import type { Principal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { requireNoCorrection, requirePermission, requireReviewer, requireSender } from './permission.ts'
import type { IngestSettings } from './settings.ts'

/** An event to be: judged, not yet placed. */
export type Draft = SubmittedEvent

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
  requireSender(principal)
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

/** What reviews are about, of the asker's own tenant, by their ids; one that is not there is left out. */
export type ReviewSubjects = (
  principal: Principal,
  reviewIds: readonly string[],
) => Promise<ReadonlyMap<string, string>>

/**
 * A command about a review says its id alone: whether the sender may is known by its row, and without one nobody may.
 * @throws ApiProblem 403; inside a list with `index` and `reason`
 */
export async function requireReviewers(
  { drafts, single }: Submission,
  principal: Principal,
  subjectsOf: ReviewSubjects,
): Promise<void> {
  const commands = drafts.map(({ type, payload }) =>
    personalDecisions.has(type) ? String(payload['review_id']) : null,
  )
  const ids = [...new Set(commands.filter((id) => id !== null))]
  if (ids.length === 0) return
  const subjects = await subjectsOf(principal, ids)
  commands.forEach((id, index) => {
    if (id === null) return
    const require = (): void => requireReviewer(principal, subjects.get(id) ?? null)
    if (single) require()
    else at(index, require)
  })
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

const eventFields = new Set(['topic', 'type', 'payload', 'timestamp', 'producer', 'sequence'])
/** May be repeated in the body, where some clients have them; they never decide anything. */
const tenantFields = new Set(['tenant_id', 'tenant', 'organization_id'])

function acceptEvent(event: unknown, principal: Principal, nowMs: number, settings: IngestSettings): Draft {
  if (!isObject(event)) throw invalid('invalid_field', 'An event is an object with topic, type and payload.')
  checkTenant(event, principal)
  const unknown = Object.keys(event).find((name) => !eventFields.has(name) && !tenantFields.has(name))
  if (unknown !== undefined) throw unknownField(unknown)
  const name = textField(event, 'topic')
  const type = textField(event, 'type')
  const { topic } = accepted(judgeType(name, type))
  requirePermission(type, principal)
  const payload = payloadOf(topic, type, event, principal)
  requireNoCorrection(type, payload)
  return {
    topic,
    type,
    payload,
    ...timeOf(event, topic, nowMs, settings),
    tenantId: principal.tenantId,
    organizationId: principal.organizationId,
    actor: actorOf(principal),
    numbered: numberedOf(event),
  }
}

/** @throws ApiProblem 403 for what only the platform writes, else 422 */
function accepted<T>(judged: Judged<T>): T {
  if (judged.ok) return judged
  const { code, message, issues } = judged
  const extra = issues === undefined ? {} : { errors: issues }
  throw new ApiProblem(code === 'type_not_public' ? 403 : 422, code, message, { extra })
}

function checkTenant(fields: Fields, principal: Principal): void {
  for (const name of tenantFields) {
    const own = name === 'organization_id' ? principal.organizationId : principal.tenantId
    if (Object.hasOwn(fields, name) && fields[name] !== own)
      throw new ApiProblem(403, 'tenant_mismatch', `${name} is not the credential's; leave it out.`)
  }
}

function payloadOf(topic: AnyEventTopic, type: string, event: Fields, principal: Principal): Fields {
  if (!Object.hasOwn(event, 'payload')) throw invalid('missing_field', 'payload: this field is required.')
  const { payload } = event
  if (isObject(payload)) {
    const declared = (topic.events as Readonly<Record<string, { readonly fields: Fields }>>)[type]!.fields
    const undeclared = Object.entries(payload).filter(([name]) => !Object.hasOwn(declared, name))
    checkTenant(Object.fromEntries(undeclared), principal)
  }
  return accepted(judgePayload(topic, type, payload)).payload
}

function timeOf(
  event: Fields,
  topic: AnyEventTopic,
  nowMs: number,
  settings: IngestSettings,
): Pick<Draft, 'timestamp' | 'late'> {
  if (!Object.hasOwn(event, 'timestamp')) return { timestamp: nowMs, late: false }
  const { timestamp, late } = accepted(judgeTime(event.timestamp, topic, nowMs, settings))
  return { timestamp, late }
}

function numberedOf(event: Fields): Numbered | undefined {
  const { producer, sequence } = event
  if (producer === undefined && sequence === undefined) return undefined
  return accepted(judgeNumbered(producer, sequence)).numbered
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
