/**
 * A sandbox that lives in another process, and longer than this one: providers do not end because we do. It follows our business
 * time, and we do not jump while it is at work.
 */

import { z } from 'zod'
import { sandboxAddresses } from '../connectors/sandbox/index.ts'
import type { Sandbox } from '../connectors/sandbox/index.ts'

export interface Standing {
  /** Its business time, in ms: never before what it was told. */
  readonly now: number
  readonly busy: boolean
  /** When something is due there, in business ms; null when nothing is. */
  readonly next_at: number | null
}

export interface ResidentSandbox {
  readonly url: string
  readonly baseUrls: Sandbox['baseUrls']
  /** Tells business time, in ms. @throws Error when nobody answers as a sandbox does */
  follow(now: number): Promise<Standing>
  /** Where its webhooks go, from the next `follow` on. */
  deliverTo(platformUrl: string): void
}

const standing = z.object({ now: z.number(), busy: z.boolean(), next_at: z.number().nullable() })
const answerWithinMs = 30_000

export function residentSandbox(url: string): ResidentSandbox {
  let platformUrl: string | null = null
  return {
    url,
    baseUrls: sandboxAddresses(url),
    async follow(now) {
      const response = await fetch(`${url}/sandbox/follow`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ now, platform_url: platformUrl }),
        signal: AbortSignal.timeout(answerWithinMs),
      })
      const read = standing.safeParse(await response.json())
      if (!response.ok || !read.success)
        throw new Error(`SANDBOX_URL: status ${response.status}, no sandbox that follows`)
      return read.data
    },
    deliverTo(address) {
      platformUrl = address
    },
  }
}
