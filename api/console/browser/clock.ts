/**
 * What time it is for the platform. Every answer of it says so; between answers it goes on as this machine's time does.
 * Deadlines are of that time: this machine's clock may be wrong, and warped time is another.
 */

/** Farther off than a clock goes wrong by itself, in ms. */
const worthSayingMs = 2 * 60_000

let aheadMs = 0
const followers = new Set<() => void>()

/** In ms. */
export const now = (): number => Date.now() + aheadMs

export const isElsewhen = (): boolean => Math.abs(aheadMs) > worthSayingMs

/** @param told the header of an answer; null says nothing */
export function heardTime(told: string | null): void {
  const time = told === null ? Number.NaN : Date.parse(told)
  if (Number.isNaN(time)) return
  const before = aheadMs
  aheadMs = time - Date.now()
  if (Math.abs(aheadMs - before) > 1_000) for (const follow of followers) follow()
}

/** Calls when time has jumped. */
export function onJump(follow: () => void): void {
  followers.add(follow)
}
