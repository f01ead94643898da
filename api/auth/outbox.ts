/**
 * Events that leave with a decision: written to the outbox in the transaction that decides, carried to their topics by
 * the relay. An event gets its id here, once.
 */

import type { Queryable } from '../../connectors/postgres/index.ts'
import { recordKey } from '../../schemas/index.ts'
import type { AnyEvent, EventDefinitions, EventTopic, PayloadOf } from '../../schemas/index.ts'
import type { Random } from '../../topology/clock.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { uuid } from './digest.ts'

/** Tenant and organization of an event about nobody we know: a refused sign-up, a login with an unknown address. */
export const nobody = '00000000-0000-0000-0000-000000000000'

/** Whom a decision is about. */
export interface Party {
  readonly tenantId: string
  readonly organizationId: string
  /** The person who acts; null for someone unknown. */
  readonly userId: string | null
  /** Who is said to act, where that is not the user of a client. */
  readonly actor?: AnyEvent['actor']
}

export const stranger: Party = { tenantId: nobody, organizationId: nobody, userId: null }

/** What a member decides about their organization. */
export const partyOfPrincipal = ({ tenantId, organizationId, userId }: UserPrincipal): Party => ({
  tenantId,
  organizationId,
  userId,
})

export interface Draft {
  readonly topic: EventTopic<EventDefinitions>
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** An event to be, typed by its topic. */
export function draft<D extends EventDefinitions, K extends keyof D & string>(
  topic: EventTopic<D>,
  type: K,
  payload: PayloadOf<D, K>,
): Draft {
  return { topic: topic as unknown as Draft['topic'], type, payload: payload as Draft['payload'] }
}

export interface Outbox {
  /**
   * Writes events in this order; each is caused by the one before it.
   * @returns the position of the last one, `outbox:<id>`, that a reader may wait for
   */
  put(client: Queryable, about: Party, drafts: readonly Draft[]): Promise<string>
}

/**
 * @param time event time in ms: runs ahead of the clock where business time is warped
 * @param ipHash of the address that asks; stands in every event that has a place for it and says nothing else there
 */
export function createOutbox(time: () => number, random: Random, ipHash: string | null = null): Outbox {
  return {
    async put(client, about, drafts) {
      const rows: { topic: string; key: string; event: AnyEvent }[] = []
      const place = { tenant_id: about.tenantId, organization_id: about.organizationId }
      let cause = ''
      const now = time()
      for (const { topic, type, payload } of drafts) {
        const event: AnyEvent = {
          event_id: uuid(random),
          event_type: type,
          event_version: topic.events[type]!.version,
          timestamp: now,
          ...place,
          correlation_id: about.organizationId,
          causation_id: cause,
          source: 'identity',
          actor: about.actor ?? { type: 'user', id: about.userId ?? 'anonymous' },
          ...('ip_hash' in topic.events[type]!.fields ? { ip_hash: ipHash } : {}),
          ...payload,
        }
        rows.push({ topic: topic.name, key: recordKey(topic, { ...place, payload }), event })
        cause = event.event_id
      }
      return `outbox:${await insert(client, rows, new Date(now))}`
    },
  }
}

async function insert(client: Queryable, rows: readonly unknown[], at: Date): Promise<string> {
  const result = await client.query<{ id: string }>(
    `insert into auth.outbox (topic, key, event, created_at)
     select row ->> 'topic', row ->> 'key', row -> 'event', $2
     from jsonb_array_elements($1::jsonb) with ordinality as given (row, n) order by n
     returning id`,
    [JSON.stringify(rows), at],
  )
  return result.rows.at(-1)!.id
}
