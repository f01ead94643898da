/**
 * Passwords: the rules a new one must meet, and bcrypt off the event loop. bcrypt reads 72 bytes at most and stops at
 * NUL, so whatever it would cut is refused, never truncated (ASVS 6.2.8).
 */

import bcrypt from 'bcrypt'
import { ApiProblem } from '../http/problem.ts'
import type { Clock } from '../../topology/clock.ts'
import type { Email } from './email.ts'

export const passwordMaxBytes = 72

/** Whether bcrypt would see the whole of it. */
export const isHashable = (password: string): boolean =>
  Buffer.byteLength(password) <= passwordMaxBytes && !password.includes('\0') && password.isWellFormed()

/** @throws ApiProblem 422 naming the rule that a new password breaks. */
export function checkNewPassword(password: string, email: Email): void {
  const refuse = (code: string, detail: string): never => {
    throw new ApiProblem(422, code, detail)
  }
  if (password.includes('\0')) refuse('password_has_nul', 'The password must not contain a NUL character.')
  if (!password.isWellFormed()) refuse('password_not_text', 'The password must be valid Unicode text.')
  if ([...password].length < 8) refuse('password_too_short', 'The password must have at least 8 characters.')
  if (!isHashable(password)) refuse('password_too_long', `The password must have at most ${passwordMaxBytes} bytes.`)
  if (password.trim().toLowerCase() === email.address) {
    refuse('password_is_email', 'The password must not be the e-mail address.')
  }
}

export interface HashingLimits {
  /** bcrypt cost: work doubles with each step. 12 in production. */
  readonly cost: number
  /** Hashes computed at one time, each on a thread of libuv's pool. */
  readonly concurrency: number
  /** Hashes waiting beyond those; one more is answered 503. */
  readonly queue: number
  /** One that waited longer is answered 503 when its turn comes: who asked has given up by then, in ms. */
  readonly longestWaitMs: number
}

/** Bounds how much of the machine hashing may take. */
export class PasswordHasher {
  readonly #limits: HashingLimits
  readonly #waiting: (() => void)[] = []
  readonly #dummy: Promise<string>
  readonly #clock: Pick<Clock, 'now'>
  #running = 0

  /** @param decoy hashed once and compared against when there is no user: the same work for a stranger's e-mail. */
  constructor(limits: HashingLimits, decoy: string, clock: Pick<Clock, 'now'>) {
    this.#limits = limits
    this.#clock = clock
    this.#dummy = this.hash(decoy)
    this.#dummy.catch(() => {})
  }

  /** @throws ApiProblem 503 `busy` when too many wait. The password must be hashable. */
  hash(password: string): Promise<string> {
    return this.#run(() => bcrypt.hash(password, this.#limits.cost))
  }

  /** The same work whether there is a hash to compare with or not. A password bcrypt would cut never matches. */
  async matches(password: string, hash: string | null): Promise<boolean> {
    const known = hash ?? (await this.#dummy)
    const whole = isHashable(password)
    const equal = await this.#run(() => bcrypt.compare(whole ? password : '', known))
    return equal && whole && hash !== null
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    const { concurrency, queue, longestWaitMs } = this.#limits
    const asked = this.#clock.now()
    if (this.#running < concurrency) this.#running++
    else if (this.#waiting.length >= queue) throw busy()
    // The one that finishes hands its place over, so `running` does not change.
    else await new Promise<void>((turn) => this.#waiting.push(turn))
    try {
      if (this.#clock.now() - asked > longestWaitMs) throw busy()
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

const busy = (): ApiProblem =>
  new ApiProblem(503, 'busy', 'Too many sign-ups and logins at this moment; try again shortly.', {
    headers: { 'Retry-After': '2' },
  })
