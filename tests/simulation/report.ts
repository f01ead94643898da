/** What a run of many seeds says: progress, failures at once, and at the end counts and medians. */

import { Histogram } from './histogram.ts'
import type { Outcome, Stats } from './run.ts'

const progressEvery = 100

export function failureText(outcome: Outcome): string {
  const { seed, options, violations } = outcome
  return [
    `seed ${seed} FAILED (program ${options.program})`,
    JSON.stringify(options),
    ...violations.map(({ invariant, what }) => `  ${invariant}: ${what}`),
    `  replay: npm run simulate -- --seed ${seed} --program ${options.program}`,
  ].join('\n')
}

export class Report {
  readonly #say: (line: string) => void
  readonly #minutes: () => number
  readonly #stats: Stats[] = []
  readonly #faults = new Histogram()
  readonly #crashHits = new Histogram()
  readonly #crashPasses = new Histogram()
  readonly #endings = new Histogram()
  failures = 0

  /** @param minutes since the start */
  constructor(say: (line: string) => void, minutes: () => number) {
    this.#say = say
    this.#minutes = minutes
  }

  add(outcome: Outcome): void {
    const { stats } = outcome
    this.#stats.push(stats)
    merge(this.#faults, stats.faultsByKind)
    merge(this.#crashHits, stats.crashHits)
    merge(this.#crashPasses, stats.crashPasses)
    merge(this.#endings, stats.endings)
    if (!outcome.ok) {
      this.failures++
      this.#say(failureText(outcome))
    }
    if (this.#stats.length % progressEvery === 0) this.#say(this.#progress())
  }

  end(): void {
    this.#table('faults', this.#faults)
    this.#table('crash points hit', this.#crashHits)
    this.#table('crash points passed', this.#crashPasses)
    this.#table('processes ended by themselves', this.#endings)
    const median = (of: (stats: Stats) => number): number => this.#median(of)
    this.#say(
      `medians of a seed: ${median(({ tasks }) => tasks)} tasks, ${median(({ records }) => records)} records, ` +
        `${median(({ faults }) => faults)} faults, ${median(({ events }) => events)} events, ` +
        `${Math.round(median(({ virtualMs }) => virtualMs) / 1000)} s of virtual time, ` +
        `healed in ${Math.round(median(({ healedMs }) => healedMs))} ms`,
    )
    this.#say(this.#progress())
  }

  #progress(): string {
    const perMinute = Math.round(this.#stats.length / this.#minutes())
    return `${this.#stats.length} seeds, ${this.failures} failed, ${perMinute} a minute`
  }

  #median(of: (stats: Stats) => number): number {
    const values = this.#stats.map(of).sort((a, b) => a - b)
    return values[values.length >> 1] ?? 0
  }

  #table(title: string, histogram: Histogram): void {
    this.#say(`${title}:`)
    for (const [name, count] of Object.entries(histogram.toJson())) this.#say(`  ${String(count).padStart(8)}  ${name}`)
  }
}

function merge(into: Histogram, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) into.count(name, count)
}
