/**
 * What webhooks need to remember: which tenant an outside object belongs to, deliveries whose tenant is not known yet, and
 * those that were set aside for good. What a waiting delivery says is encrypted.
 */

import type { Pool } from '../../connectors/postgres/index.ts'

export interface Owned {
  readonly tenantId: string
  readonly organizationId: string
}

/** A delivery that waits, as it can be kept. */
export interface WaitingEvent {
  readonly provider: string
  readonly deliveryId: string
  readonly topic: string
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly objectIds: readonly string[]
}

/** One that waited, with the time it came. Its payload is null when it does not open: the secret is another one now. */
export interface Waited extends Omit<WaitingEvent, 'payload'> {
  readonly payload: WaitingEvent['payload'] | null
  readonly sinceMs: number
}

/** Encrypts under a secret of ours, bound to a name. */
export interface PayloadBox {
  seal(name: string, content: string): Buffer
  open(name: string, sealed: Buffer): string | null
}

export interface WaitingRoom {
  /** Notes whose these objects are; the first word stands. */
  own(provider: string, objectIds: readonly string[], owned: Owned): Promise<void>
  /** Whose the first known one of these is. */
  ownerOf(provider: string, objectIds: readonly string[]): Promise<Owned | null>
  wait(event: WaitingEvent, atMs: number): Promise<void>
  /** Those waiting, oldest first, behind this one when it is given. */
  waiting(limit: number, behind: Waited | null): Promise<readonly Waited[]>
  arrived(provider: string, deliveryId: string): Promise<void>
  /** Set aside for good, with the reason; what it said is not kept. */
  setAside(provider: string, deliveryId: string, reason: string, atMs: number): Promise<void>
  /** Forgets what was set aside before this time. */
  forget(beforeMs: number): Promise<void>
}

interface Row {
  readonly provider: string
  readonly delivery_id: string
  readonly topic: string
  readonly type: string
  /** Of a time before `sealed`; empty since. */
  readonly payload: WaitingEvent['payload']
  readonly sealed: Buffer | null
  readonly object_ids: readonly string[]
  readonly since: Date
}

const boxName = (provider: string, deliveryId: string): string => `${provider}:${deliveryId}`

/** @param pool connected as role `auth` */
export function postgresWaitingRoom(pool: Pool, box: PayloadBox): WaitingRoom {
  const payloadOf = ({ provider, delivery_id, payload, sealed }: Row): Waited['payload'] => {
    if (sealed === null) return payload
    const opened = box.open(boxName(provider, delivery_id), sealed)
    return opened === null ? null : (JSON.parse(opened) as WaitingEvent['payload'])
  }
  return {
    async own(provider, objectIds, { tenantId, organizationId }) {
      await pool.query(
        `insert into auth.webhook_objects (provider, object_id, tenant_id, organization_id)
         select $1, object_id, $3, $4 from unnest($2::text[]) as object_id on conflict do nothing`,
        [provider, objectIds, tenantId, organizationId],
      )
    },
    async ownerOf(provider, objectIds) {
      const { rows } = await pool.query<{ tenant_id: string; organization_id: string }>(
        `select o.tenant_id, o.organization_id from unnest($2::text[]) with ordinality as asked (object_id, place)
         join auth.webhook_objects o on o.provider = $1 and o.object_id = asked.object_id order by place limit 1`,
        [provider, objectIds],
      )
      const [row] = rows
      return row === undefined ? null : { tenantId: row.tenant_id, organizationId: row.organization_id }
    },
    async wait({ provider, deliveryId, topic, type, payload, objectIds }, atMs) {
      await pool.query(
        `insert into auth.webhooks_waiting (provider, delivery_id, topic, type, payload, sealed, object_ids, since)
         values ($1, $2, $3, $4, '{}', $5, $6, $7) on conflict do nothing`,
        [
          ...[provider, deliveryId, topic, type],
          ...[box.seal(boxName(provider, deliveryId), JSON.stringify(payload)), objectIds, new Date(atMs)],
        ],
      )
    },
    async waiting(limit, behind) {
      const { rows } = await pool.query<Row>(
        `select provider, delivery_id, topic, type, payload, sealed, object_ids, since from auth.webhooks_waiting
         where reason is null and ($2::timestamptz is null or (since, delivery_id, provider) > ($2, $3, $4))
         order by since, delivery_id, provider limit $1`,
        [
          limit,
          ...(behind === null ? [null, null, null] : [new Date(behind.sinceMs), behind.deliveryId, behind.provider]),
        ],
      )
      return rows.map((row) => ({
        ...{ provider: row.provider, deliveryId: row.delivery_id, topic: row.topic, type: row.type },
        ...{ payload: payloadOf(row), objectIds: row.object_ids, sinceMs: row.since.getTime() },
      }))
    },
    async arrived(provider, deliveryId) {
      await pool.query(
        'delete from auth.webhooks_waiting where provider = $1 and delivery_id = $2 and reason is null',
        [provider, deliveryId],
      )
    },
    async setAside(provider, deliveryId, reason, atMs) {
      await pool.query(
        `insert into auth.webhooks_waiting (provider, delivery_id, topic, type, payload, object_ids, since, reason)
         values ($1, $2, '', '', '{}', '{}', $4, $3)
         on conflict (provider, delivery_id) do update set payload = '{}', sealed = null, reason = excluded.reason`,
        [provider, deliveryId, reason, new Date(atMs)],
      )
    },
    async forget(beforeMs) {
      await pool.query('delete from auth.webhooks_waiting where reason is not null and since < $1', [
        new Date(beforeMs),
      ])
    },
  }
}
