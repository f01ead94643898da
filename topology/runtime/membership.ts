/**
 * What a worker knows of its place in the group, and whether it may commit now.
 *
 * W6   Between `joining` and the `assigned` or `revoked` that follows nothing is committed: the generation is unknown.
 * W10  After a stall nothing is committed before a heartbeat had its time: the group may have gone on without this worker.
 *
 * Neither is what makes a commit safe: the log checks member and generation, W9. They spare work that would be in vain.
 */

import type { GroupMetadata, GroupSession } from '../../connectors/kafka/index.ts'
import type { RuntimeSettings } from './settings.ts'

export class Membership {
  readonly #watch: () => number
  readonly #settings: RuntimeSettings
  #session: GroupSession | null = null
  #rebalancing = true
  #turnedAt: number | null = null
  /** By the watch: a wall clock that is set back after a stall must not put commits off. */
  #quietUntil = -Infinity

  constructor(watch: () => number, settings: RuntimeSettings) {
    this.#watch = watch
    this.#settings = settings
  }

  /** The longest the loop may sleep: it is counted among the living by its turns, in ms. */
  get turnEveryMs(): number {
    return Math.max(1, Math.floor(Math.min(this.#settings.sessionTimeoutMs / 4, this.#settings.maxPollIntervalMs / 3)))
  }

  get mayCommit(): boolean {
    return !this.#rebalancing && this.quietForMs === 0
  }

  /** How long a stall is still waited out, in ms; 0 when none is. */
  get quietForMs(): number {
    return Math.max(0, this.#quietUntil - this.#watch())
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
    if (stalled) this.#quietUntil = now + this.#settings.heartbeatIntervalMs
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
    const place = this.#settings.leaveOnClose ? 'given up' : 'kept'
    await this.#session?.leave(place).catch(() => undefined)
  }
}
