/** Judges an event before anything is done with it, by the rules of the ingest API. Pure. */

import { BadRecord } from '../topology/errors.ts'
import type { AnyEventTopic, EventTimeBounds, Judged } from '../schemas/index.ts'
import { judgePayload, judgeTime, judgeType, recordKey } from '../schemas/index.ts'
import { ClientError } from './errors.ts'
import type { Priority, Tenant } from './event.ts'
import { priorities } from './event.ts'

export interface JudgedEvent {
  readonly topic: AnyEventTopic
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  /** The payload as JSON. */
  readonly payloadText: string
  /** What it takes in the queue and about on the way, in bytes. */
  readonly sizeBytes: number
  /** In ms; null is the time it is written. */
  readonly timestamp: number | null
  readonly late: boolean
  readonly tenant: Tenant | null
  /** Topic and record key, as far as it is known here: what is ordered among itself. */
  readonly entity: string
  readonly id: string | null
  readonly sequence: number | null
  readonly priority: Priority
}

type Fields = Readonly<Record<string, unknown>>

const eventFields = new Set(['type', 'payload', 'sequence', 'id', 'timestamp', 'tenant', 'priority'])
/** From here on sequences are the client's own count (`numbering.ts`). */
export const ownCountFrom = 1e15
/** Everything of an event beside its payload, generously. */
const envelopeBytes = 512
const idForm = /^[\x21-\x7e]{1,200}$/

/** @throws ClientError INVALID_EVENT with the field */
export function judgeEvent(
  topicName: string,
  given: unknown,
  nowMs: number,
  bounds: EventTimeBounds,
  usualTenant: Tenant | null,
): JudgedEvent {
  if (!isObject(given)) throw invalid('', 'An event is an object with type and payload.')
  const unknown = Object.keys(given).find((name) => !eventFields.has(name))
  if (unknown !== undefined) throw invalid(unknown, `${unknown}: is no part of an event; the payload is in payload.`)
  const { type } = given
  if (typeof type !== 'string') throw invalid('type', 'type: expected a text.')
  const { topic } = accepted(judgeType(topicName, type))
  const { payload } = accepted(judgePayload(topic, type, given.payload))
  const tenant = tenantOf(given) ?? usualTenant
  const payloadText = JSON.stringify(payload)
  return {
    ...{ topic, type, payload, payloadText, sizeBytes: Buffer.byteLength(payloadText) + envelopeBytes },
    ...{ tenant, ...timeOf(given, topic, nowMs, bounds) },
    entity: entityOf(topic, payload, tenant),
    id: textOrNull(given, 'id', (id) => idForm.test(id), 'up to 200 printable ASCII characters'),
    sequence: sequenceOf(given),
    priority: priorityOf(given),
  }
}

function accepted<T>(judged: Judged<T>): T {
  if (judged.ok) return judged
  throw invalid(judged.field, judged.message)
}

function timeOf(event: Fields, topic: AnyEventTopic, nowMs: number, bounds: EventTimeBounds) {
  if (event.timestamp === undefined) return { timestamp: null, late: false }
  const { timestamp, late } = accepted(judgeTime(event.timestamp, topic, nowMs, bounds))
  return { timestamp, late }
}

function sequenceOf({ sequence }: Fields): number | null {
  if (sequence === undefined) return null
  if (typeof sequence === 'number' && Number.isInteger(sequence) && sequence >= 1 && sequence < ownCountFrom)
    return sequence
  throw invalid('sequence', 'sequence: expected an integer from 1 on, below 10^15.')
}

function priorityOf({ priority = 'normal' }: Fields): Priority {
  const known = priorities.find((name) => name === priority)
  if (known === undefined) throw invalid('priority', `priority: expected one of ${priorities.join(', ')}.`)
  return known
}

function tenantOf({ tenant }: Fields): Tenant | null {
  if (tenant === undefined) return null
  if (isObject(tenant) && typeof tenant.tenantId === 'string' && typeof tenant.organizationId === 'string')
    return { tenantId: tenant.tenantId, organizationId: tenant.organizationId }
  throw invalid('tenant', 'tenant: expected tenantId and organizationId.')
}

/** Stands for the credential's tenant, which the client is not told. */
const credentials: Tenant = Object.freeze({ tenantId: '-', organizationId: '-' })

function entityOf(topic: AnyEventTopic, payload: Fields, tenant: Tenant | null): string {
  const { tenantId, organizationId } = tenant ?? credentials
  try {
    return `${topic.name} ${recordKey(topic, { tenant_id: tenantId, organization_id: organizationId, payload })}`
  } catch (error) {
    if (!(error instanceof BadRecord)) throw error
    const [name = ''] = error.message.split(' ')
    throw invalid(
      name === 'tenant_id' || name === 'organization_id' ? 'tenant' : `payload.${name}`,
      `${error.message}.`,
    )
  }
}

function textOrNull(event: Fields, name: string, fits: (text: string) => boolean, wanted: string): string | null {
  const value = event[name]
  if (value === undefined) return null
  if (typeof value !== 'string' || !fits(value)) throw invalid(name, `${name}: expected ${wanted}.`)
  return value
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const invalid = (field: string, message: string): ClientError =>
  new ClientError('INVALID_EVENT', message, 'stop', { field })
