/** How far the run is: one line that is rewritten on a terminal, a line now and then elsewhere. */

import type { Stage } from './acquisition.ts'

export interface Progress {
  reached(stage: Stage): void
  /** Records not yet processed, or null when the server does not answer. */
  lag(records: number | null): void
  end(): void
}

export interface ProgressOptions {
  readonly total: number
  readonly output: { readonly isTTY?: boolean; write(text: string): unknown }
  /** Milliseconds from some fixed moment. */
  readonly now: () => number
}

export function progress({ total, output, now }: ProgressOptions): Progress {
  const terminal = output.isTTY === true
  const startedAt = now()
  const counts: Record<Stage, number> = { signed_up: 0, verified: 0, researched: 0, in_review: 0, failed: 0, ended: 0 }
  let lag: number | null = 0
  const show = (): void => {
    const line = progressLine(total, counts, lag, (now() - startedAt) / 1000)
    output.write(terminal ? `\r\x1b[K${line}` : `${line}\n`)
  }
  const timer = setInterval(show, terminal ? 200 : 5_000)
  return {
    reached: (stage) => void (counts[stage] += 1),
    lag: (records) => void (lag = records),
    end: () => {
      clearInterval(timer)
      show()
      if (terminal) output.write('\n')
    },
  }
}

export function progressLine(
  total: number,
  counts: Readonly<Record<Stage, number>>,
  lag: number | null,
  seconds: number,
): string {
  const done = counts.researched + counts.in_review + counts.failed
  const width = 24
  const filled = total === 0 ? width : Math.floor((done / total) * width)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`
  const parts = [
    `${done}/${total}`,
    `${counts.verified} verified`,
    `${counts.researched} researched`,
    `${counts.in_review} in review`,
    ...(counts.failed === 0 ? [] : [`${counts.failed} failed`]),
    ...(counts.ended === 0 ? [] : [`${counts.ended} ended`]),
    lag === null ? 'no answer' : `lag ${lag}`,
    `${Math.round(seconds)} s`,
  ]
  return `${bar} ${parts.join(' · ')}`
}
