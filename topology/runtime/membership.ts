/**
 * What a worker knows of its place in the group, and whether it may commit now.
 *
 * W6   Between `joining` and the `assigned` or `revoked` that follows nothing is committed: the generation is unknown.
 * W10  After a stall nothing is committed before a heartbeat had its time: the group may have gone on without this worker.
 *
 * Neither is what makes a commit safe: the log checks member and generation, W9. They spare work that would be in vain.
 */

import type { GroupMetadata, GroupSession } from '../../connectors/kafka/index.ts'
import type { Clock } from '../clock.ts'
import type { RuntimeSettings } from './settings.ts'

export class Membership {
  readonly #clock: Clock
  readonly #watch: () => number
  readonly #settings: RuntimeSettings
  #session: GroupSession | null = null
  #rebalancing = true
  #turnedAt: number | null = null
  #quietUntil = -Infinity

  constructor(clock: Clock, watch: () => number, settings: RuntimeSettings) {
    this.#clock = clock
    this.#watch = watch
    this.#settings = settings
  }

  /** The longest the loop may sleep: it is counted among the living by its turns, in ms. */
  get turnEveryMs(): number {
    return Math.max(1, Math.floor(Math.min(this.#settings.sessionTimeoutMs / 4, this.#settings.maxPollIntervalMs / 3)))
  }

  get mayCommit(): boolean {
    return !this.#rebalancing && this.#clock.now() >= this.#quietUntil
  }

  /** When a stall is waited out; null when none is. */
  get quietUntil(): number | null {
    return this.#clock.now() < this.#quietUntil ? this.#quietUntil : null
  }

  get isRebalancing(): boolean {
    return this.#rebalancing
  }

  joined(session: GroupSession): void {
    this.#session = session
  }

  /** @param over the generation is known again */
  rebalancing(over: boolean): void {
    this.#rebalancing = !over
    // The group has just spoken to this worker.
    if (over) this.#quietUntil = -Infinity
  }

  /** A turn begins. */
  turn(): void {
    const now = this.#watch()
    const stalled = this.#turnedAt !== null && now - this.#turnedAt > this.#settings.sessionTimeoutMs / 2
    this.#turnedAt = now
    if (stalled) this.#quietUntil = this.#clock.now() + this.#settings.heartbeatIntervalMs
    this.#session?.polled()
  }

  /** @throws LogError UNKNOWN_MEMBER_ID */
  metadata(): GroupMetadata | null {
    return this.#session?.metadata() ?? null
  }

  rejoin(): void {
    this.#session?.rejoin()
  }

  async leave(): Promise<void> {
    await this.#session?.leave().catch(() => undefined)
  }
}
