/** Seeds that failed once are replayed first, for good: `failing-seeds.txt`, one a line: seed, program, reason. */

import type { Outcome } from './run.ts'

const reasonLength = 160

export class Kept {
  readonly jobs: readonly { readonly seed: number; readonly program: string }[]
  readonly #known: Set<string>
  readonly #append: (line: string) => void

  constructor(text: string, append: (line: string) => void) {
    this.#append = append
    this.jobs = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [seed = '', program = ''] = line.split('\t')
        return { seed: Number(seed), program }
      })
    this.#known = new Set(this.jobs.map(({ seed, program }) => `${seed} ${program}`))
  }

  add({ seed, options, violations }: Outcome): void {
    const name = `${seed} ${options.program}`
    if (this.#known.has(name)) return
    this.#known.add(name)
    const [first] = violations
    const reason = first === undefined ? '' : `${first.invariant}: ${first.what.split('\n')[0] ?? ''}`
    this.#append(`${seed}\t${options.program}\t${reason.slice(0, reasonLength)}\n`)
  }
}
