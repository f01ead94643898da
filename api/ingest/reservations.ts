/**
 * Idempotency keys: who works on which, and what came of it. In SQL here (auth.ingest_requests), in memory for simulation
 * (memory-reservations.ts); one suite holds both to the same answers (`tests/contracts/reservations.ts`).
 */

import type { Pool } from '../../connectors/postgres/index.ts'

/** Names a request: a key means nothing outside its tenant. */
export interface RequestKey {
  readonly tenantId: string
  readonly key: string
}

/** Where each partition ended when the request was reserved: its events are not before. */
export type EndOffsets = ReadonlyMap<string, bigint>

export interface Reservation extends RequestKey {
  readonly bodyHash: Buffer
  readonly eventIds: readonly string[]
  readonly endOffsets: EndOffsets
  /** Names the session that writes the events (owner.ts). */
  readonly owner: string
  /** How often it was taken over. */
  readonly attempt: number
  /** Null while nobody has said that the events are written. */
  readonly positions: readonly string[] | null
}

export interface Reservations {
  /** False when somebody holds the key already. */
  reserve(reservation: Reservation, atMs: number): Promise<boolean>
  find(key: RequestKey): Promise<Reservation | null>
  /** The events are written. */
  finish(key: RequestKey, owner: string, positions: readonly string[]): Promise<void>
  /** Nothing was written, for certain: the key is free. */
  release(key: RequestKey, owner: string): Promise<void>
  /** Takes over what was read, once its owner was fenced; false when somebody was faster. */
  claim(held: Reservation, to: string): Promise<boolean>
  sweep(beforeMs: number): Promise<void>
}

interface Row {
  readonly body_hash: Buffer
  readonly event_ids: readonly string[]
  readonly end_offsets: Readonly<Record<string, string>>
  readonly owner: string
  readonly attempt: number
  readonly positions: readonly string[] | null
}

const pending = 'tenant_id = $1 and idempotency_key = $2 and owner = $3 and positions is null'

/** `pool` is connected as role `auth`. */
export function postgresReservations(pool: Pool): Reservations {
  return {
    async reserve({ tenantId, key, bodyHash, eventIds, endOffsets, owner }, atMs) {
      const ends = JSON.stringify(Object.fromEntries([...endOffsets].map(([place, offset]) => [place, String(offset)])))
      const { rowCount } = await pool.query(
        `insert into auth.ingest_requests (tenant_id, idempotency_key, body_hash, event_ids, end_offsets, owner, reserved_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
        [tenantId, key, bodyHash, eventIds, ends, owner, new Date(atMs)],
      )
      return rowCount === 1
    },

    async find({ tenantId, key }) {
      const { rows } = await pool.query<Row>(
        `select body_hash, event_ids::text[] as event_ids, end_offsets, owner, attempt, positions from auth.ingest_requests
         where tenant_id = $1 and idempotency_key = $2`,
        [tenantId, key],
      )
      const row = rows[0]
      if (row === undefined) return null
      const endOffsets = new Map(Object.entries(row.end_offsets).map(([place, offset]) => [place, BigInt(offset)]))
      const { body_hash: bodyHash, event_ids: eventIds, owner, attempt, positions } = row
      return { tenantId, key, bodyHash, eventIds, endOffsets, owner, attempt, positions }
    },

    async finish({ tenantId, key }, owner, positions) {
      await pool.query(`update auth.ingest_requests set positions = $4 where ${pending}`, [
        tenantId,
        key,
        owner,
        positions,
      ])
    },

    async release({ tenantId, key }, owner) {
      await pool.query(`delete from auth.ingest_requests where ${pending}`, [tenantId, key, owner])
    },

    async claim({ tenantId, key, owner, attempt }, to) {
      const { rowCount } = await pool.query(
        `update auth.ingest_requests set owner = $4, attempt = attempt + 1 where ${pending} and attempt = $5`,
        [tenantId, key, owner, to, attempt],
      )
      return rowCount === 1
    },

    async sweep(beforeMs) {
      await pool.query('delete from auth.ingest_requests where reserved_at < $1', [new Date(beforeMs)])
    },
  }
}
