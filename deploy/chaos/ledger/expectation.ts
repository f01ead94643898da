/** What a checker is told of the run. */

/** The last acknowledged number of each producer. */
export type Acknowledged = ReadonlyMap<string, number>

export interface Expectation {
  readonly seed: number
  readonly acknowledged: Acknowledged
  /** Entries whose append took long, `[producer, first, last]`: they may stand behind later ones (G3). */
  readonly slow: readonly (readonly [string, number, number])[]
  /** Committed offsets of the check before, as in `LedgerData`. */
  readonly committedBefore: ReadonlyMap<string, bigint>
  /** True after a drain (G9). */
  readonly isEnd: boolean
}
