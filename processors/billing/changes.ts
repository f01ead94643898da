/**
 * In which order the changes of a subscription's revenue happened. The payment service tells whole seconds, and its ids say
 * nothing: of the changes of one second each begins at what the one before left, and they count a millisecond after the other.
 */

import type { Subscription } from './state.ts'

export type Change = Subscription['changes'][number]

export interface Walk {
  /** Changes that can be said now, in their order, and from when on they count. */
  readonly next: readonly { readonly change: Change; readonly at: number }[]
  /** What went on and back within a second that is told already: nothing is left to say of it. */
  readonly silent: readonly Change[]
  /** What it counts after `next`. */
  readonly value: number
}

/** The changes in their order, up to one whose forerunner is missing; with `settled` all of them. */
export function walk({ activation, changes, canceled_told }: Subscription, settled: boolean): Walk {
  const next: { change: Change; at: number }[] = []
  const silent: Change[] = []
  let value = activation?.mrr ?? 0
  for (const at of new Set(changes.map((change) => change.at))) {
    const second = changes.filter((change) => change.at === at)
    const told = second.filter((change) => change.told)
    const start = value
    value = trail([...told], value).at(-1)?.new_mrr ?? told.at(-1)?.new_mrr ?? value
    const fresh = second.filter((change) => !change.told)
    let place = told.length
    const say = (walked: readonly Change[]): void => {
      for (const change of walked) next.push({ change, at: canceled_told ? at : at + place++ })
      value = walked.at(-1)?.new_mrr ?? value
    }
    say(trail(fresh, value))
    // What is left goes on and back before where it has come to already.
    const whole = trail([...second], start)
    if (told.length > 0 && whole.length === second.length && whole.at(-1)?.new_mrr === value)
      silent.push(...fresh.splice(0))
    if (fresh.length > 0 && !settled) break
    while (fresh[0] !== undefined) {
      const first = fresh.find(({ old_mrr }) => fresh.every(({ new_mrr }) => new_mrr !== old_mrr)) ?? fresh[0]
      say(trail(fresh, first.old_mrr))
    }
  }
  return { next, silent, value }
}

/** Takes from the list what can be walked from a value, each where the one before ended: all of it where there is a way. */
function trail(list: Change[], from: number): readonly Change[] {
  const whole = walkedAll([...list], from)
  const broken = whole.findIndex(({ old_mrr }, n) => old_mrr !== (whole[n - 1]?.new_mrr ?? from))
  const walked = broken < 0 ? whole : whole.slice(0, broken)
  for (const change of walked) list.splice(list.indexOf(change), 1)
  return walked
}

/** Hierholzer's walk over every edge; without a gap where there is one. */
function walkedAll(list: Change[], from: number): readonly Change[] {
  const walked: Change[] = []
  for (;;) {
    const place = list.findIndex(({ old_mrr }) => old_mrr === from)
    const [change] = place < 0 ? [] : list.splice(place, 1)
    if (change === undefined) return walked
    walked.unshift(change, ...walkedAll(list, change.new_mrr))
  }
}
