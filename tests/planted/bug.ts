/** What a planted bug is. */

export interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  readonly edits: readonly Edit[]
  readonly caughtBy: BySeeds | ByTest
}

/** The simulator finds it within so many seeds, of this program or of all. */
export interface BySeeds {
  readonly seeds: number
  readonly program?: string
  /** Tried before the others: what found it once finds it sooner, as long as the code runs as it did then. */
  readonly first?: readonly number[]
}

/** A test of this file fails whose name holds `test`. */
export interface ByTest {
  readonly file: string
  readonly test: string
}

/** A bug of one place. */
export const bug = (
  name: string,
  file: string,
  find: string,
  replace: string,
  caughtBy: PlantedBug['caughtBy'],
): PlantedBug => ({ name, edits: [{ file, find, replace }], caughtBy })

/** How many seeds a bug may hide for. */
export const bySeeds = (program?: string, ...first: readonly number[]): BySeeds => ({
  ...(program === undefined ? {} : { program }),
  seeds: 200,
  first,
})
