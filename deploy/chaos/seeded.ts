/** Numbers that look random and follow from a seed (mulberry32). */

export type Draw = () => number

/** @returns a function that gives the next number, 0 inclusive to 1 exclusive */
export function seeded(seed: number): Draw {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** When a started process is killed: one in five while it starts, the others at work. */
export interface KillMoment {
  readonly after: 'start' | 'ready'
  readonly waitMs: number
}

/** @param startMs the longest wait after a start, in ms */
export function killMoments(seed: number, kills: number, lifeMs: number, startMs = 2_500): KillMoment[] {
  const draw = seeded(seed)
  return Array.from({ length: kills }, () =>
    draw() < 0.2
      ? { after: 'start', waitMs: Math.floor(draw() * startMs) }
      : { after: 'ready', waitMs: Math.floor(draw() * lifeMs) },
  )
}
