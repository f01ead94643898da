/** Copies of the source in which bugs are planted and caught, as many at a time as there are copies. */

import type { PlantedBug } from './bug.ts'
import type { Verdict } from './catch.ts'
import { catchBug } from './catch.ts'
import type { SourceCopy } from './tree.ts'
import { copySource } from './tree.ts'

export class Workshop {
  readonly #copies: readonly SourceCopy[]
  readonly #free: SourceCopy[]
  readonly #waiting: ((copy: SourceCopy) => void)[] = []

  constructor(bugsAtOnce: number) {
    this.#copies = Array.from({ length: bugsAtOnce }, copySource)
    this.#free = [...this.#copies]
  }

  async try(bug: PlantedBug): Promise<Verdict> {
    const copy = this.#free.pop() ?? (await new Promise<SourceCopy>((resolve) => void this.#waiting.push(resolve)))
    try {
      copy.plant(bug.edits)
      return await catchBug(copy, bug)
    } finally {
      copy.restore()
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(copy)
      else next(copy)
    }
  }

  close(): void {
    for (const copy of this.#copies) copy.remove()
  }
}
