/**
 * Where our broker answers otherwise than Kafka on purpose, each with its reason. The default is that ours is mended: an
 * entry that is no difference any more fails the suite.
 */

import type { Answer } from './normal-form.ts'

export interface Difference {
  readonly why: string
  /** Ours, by the number of the step. */
  readonly ours: Readonly<Record<number, Answer>>
}

export const differences: Readonly<Record<string, Difference>> = {}
