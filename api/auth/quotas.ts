/**
 * How often an API key may be used: requests per minute and per day (UTC), over all processes. Invariants:
 * U1 Never more than the quota is let through in a window: a process takes requests from SQL before it spends them.
 * U2 It takes a few ahead (a lease), so that one row is not written for each request; what is left of a lease when its
 *    window ends is lost, which is less than one lease per process.
 * U3 Windows are those of the clock (a minute from :00, a day from midnight): two full minutes may meet at their border.
 */

import type { Pool } from '../../connectors/postgres/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { ApiKeyPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'

export interface Quotas {
  /**
   * Takes one request.
   * @returns headers (draft-ietf-httpapi-ratelimit-headers-03) about the quota that is nearer its end
   * @throws ApiProblem 429 `quota_exceeded`
   */
  spend(key: ApiKeyPrincipal): Promise<Readonly<Record<string, string>>>
}

interface Span {
  readonly name: 'minute' | 'day'
  readonly ms: number
  /** A lease is this part of the quota, and at most `leaseMax` requests. */
  readonly leases: number
  readonly leaseMax: number
}

const spans: readonly Span[] = [
  { name: 'minute', ms: 60_000, leases: 50, leaseMax: 100 },
  { name: 'day', ms: 24 * 60 * 60_000, leases: 500, leaseMax: 1_000 },
]

/** Of one key and span, in this process. */
interface Lease {
  window: number
  /** Requests that may be spent without asking. */
  left: number
  /** Taken by all processes, when this one last asked. */
  used: number
  /** SQL had none left for this window. */
  empty: boolean
  asking: Promise<void> | null
}

/** Keys remembered at most; a forgotten one takes a new lease. */
const keysMax = 10_000

export function apiKeyQuotas(pool: Pool, clock: Pick<Clock, 'now'>): Quotas {
  const leases = new Map<string, Lease>()

  function leaseOf(keyId: string, span: Span): Lease {
    const name = `${span.name}:${keyId}`
    const window = Math.floor(clock.now() / span.ms) * span.ms
    let lease = leases.get(name)
    if (lease === undefined) {
      if (leases.size >= keysMax * spans.length) for (const first of leases.keys()) if (leases.delete(first)) break
      lease = { window, left: 0, used: 0, empty: false, asking: null }
      leases.set(name, lease)
    }
    if (lease.window < window) Object.assign(lease, { window, left: 0, used: 0, empty: false })
    return lease
  }

  /** U1, U2. @returns whether the lease has something to spend */
  async function fill(keyId: string, span: Span, limit: number): Promise<boolean> {
    for (;;) {
      const lease = leaseOf(keyId, span)
      if (lease.left > 0) return true
      if (lease.empty) return false
      lease.asking ??= ask(pool, keyId, span, lease, limit).finally(() => (lease.asking = null))
      await lease.asking
    }
  }

  return {
    async spend(key) {
      const limited = spans
        .map((span) => ({ span, limit: span.name === 'minute' ? key.perMinute : key.perDay }))
        .filter(({ limit }) => limit > 0)
      // Again until all have one at the same moment: another request may have spent it while this one asked.
      for (;;) {
        for (const { span, limit } of limited)
          if (!(await fill(key.keyId, span, limit))) throw exceeded(span, limit, leaseOf(key.keyId, span), clock.now())
        const held = limited.map(({ span, limit }) => ({ span, limit, lease: leaseOf(key.keyId, span) }))
        if (held.some(({ lease }) => lease.left === 0)) continue
        for (const { lease } of held) lease.left -= 1
        return headersOf(held, clock.now())
      }
    },
  }
}

async function ask(pool: Pool, keyId: string, span: Span, lease: Lease, limit: number): Promise<void> {
  const { window } = lease
  const wanted = Math.min(span.leaseMax, Math.max(1, Math.floor(limit / span.leases)))
  const { rows } = await pool.query<{ used: string; granted: string }>(
    `insert into auth.api_key_usage as u (key_id, span, window_start, used, granted)
     values ($1, $2, $3, least($4::bigint, $5::bigint), least($4::bigint, $5::bigint))
     on conflict (key_id, span) do update set
       granted = case when u.window_start < $3 then excluded.granted else least($4::bigint, $5::bigint - u.used) end,
       used = case when u.window_start < $3 then excluded.used else u.used + least($4::bigint, $5::bigint - u.used) end,
       window_start = greatest(u.window_start, $3)
     where u.window_start < $3 or u.used < $5::bigint
     returning used, granted`,
    [keyId, span.name, new Date(window), wanted, limit],
  )
  // The window may have ended meanwhile: what was taken is lost with it.
  if (lease.window !== window) return
  const row = rows[0]
  lease.empty = row === undefined
  lease.used = row === undefined ? limit : Number(row.used)
  lease.left = row === undefined ? 0 : Number(row.granted)
}

interface Held {
  readonly span: Span
  readonly limit: number
  readonly lease: Lease
}

/** What all processes have not taken yet, and what this one has taken and not spent. */
const remaining = ({ limit, lease }: Held): number => Math.max(0, limit - lease.used + lease.left)

const secondsLeft = (span: Span, lease: Lease, now: number): number =>
  Math.max(1, Math.ceil((lease.window + span.ms - now) / 1000))

function headersOf(held: readonly Held[], now: number): Record<string, string> {
  const [first] = [...held].sort((a, b) => remaining(a) - remaining(b))
  if (first === undefined) return {}
  return {
    'RateLimit-Limit': String(first.limit),
    'RateLimit-Remaining': String(remaining(first)),
    'RateLimit-Reset': String(secondsLeft(first.span, first.lease, now)),
  }
}

function exceeded(span: Span, limit: number, lease: Lease, now: number): ApiProblem {
  const seconds = String(secondsLeft(span, lease, now))
  return new ApiProblem(429, 'quota_exceeded', `This API key may be used ${limit} times a ${span.name}.`, {
    headers: {
      'Retry-After': seconds,
      'RateLimit-Limit': String(limit),
      'RateLimit-Remaining': '0',
      'RateLimit-Reset': seconds,
    },
  })
}
