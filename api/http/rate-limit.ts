/**
 * A token bucket per client address: a burst of the whole minute's allowance, then its steady rate. Memory is bounded:
 * a bucket that is full again is the same as none, and the fullest go first when there are too many.
 */

import type { Clock } from '../../topology/clock.ts'

export interface RateLimit {
  /** Takes one request of this address; ms until there is one when there is none, else 0. */
  take(address: string): number
}

interface Bucket {
  tokens: number
  at: number
}

const bucketsMax = 50_000

/** `perMinute` 0 is no limit. */
export function rateLimit(perMinute: number, clock: Clock): RateLimit {
  if (perMinute === 0) return { take: () => 0 }
  const perMs = perMinute / 60_000
  const buckets = new Map<string, Bucket>()

  function refill(bucket: Bucket, now: number): void {
    bucket.tokens = Math.min(perMinute, bucket.tokens + Math.max(0, now - bucket.at) * perMs)
    bucket.at = now
  }

  function makeRoom(now: number): void {
    for (const [address, bucket] of buckets) {
      refill(bucket, now)
      if (bucket.tokens >= perMinute) buckets.delete(address)
    }
    // Still full: forget the oldest tenth. They gain at most one burst.
    for (const address of buckets.keys()) {
      if (buckets.size <= bucketsMax * 0.9) return
      buckets.delete(address)
    }
  }

  return {
    take(address) {
      const now = clock.now()
      const key = network(address)
      let bucket = buckets.get(key)
      if (bucket === undefined) {
        if (buckets.size >= bucketsMax) makeRoom(now)
        bucket = { tokens: perMinute, at: now }
        buckets.set(key, bucket)
      }
      refill(bucket, now)
      if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMs)
      bucket.tokens -= 1
      return 0
    },
  }
}

/** Who counts as one client: an IPv4 address, or an IPv6 /64, which is what a household or a host gets. */
export function network(address: string): string {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('%')[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = address.includes('::') ? new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : []
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`
}
