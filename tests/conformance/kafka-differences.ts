/**
 * Where another Kafka answers our client otherwise than the one that was recorded, script by script and step by step, each
 * with its reasons. The answers: `tests/golden/kafka-differences.json`. One that is no difference any more fails.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer } from './normal-form.ts'
import { answersOf } from './recording.ts'
import type { Recording } from './recording.ts'
import type { Script } from './steps.ts'

/** What is other about a Kafka: the transaction protocol that is finalized there, its version, what it lets our client do. */
export const kinds = ['transaction.version below 2', 'Kafka 3.9', 'secured'] as const
export type Kind = (typeof kinds)[number]

export const reasons = {
  marker: 'a marker carries the epoch of its own transaction; with KIP-890 that of the next',
  fenced: 'the abort of a transaction that timed out has bumped the epoch: its producer is told that it is fenced',
  added: 'what a transaction touches is added by a request before (KP1), and that one is refused as a whole',
  empty:
    'a transaction to which nothing was added is not known to its coordinator: nothing is asked, and the epoch stays',
  sequence: 'the first batch of a producer may begin with any sequence; with KIP-890 only with 0',
  end: 'an end that was decided has bumped the epoch by a request of its own (KP2): whoever asks again is of the one before',
  emptied:
    'compaction leaves an emptied batch where a producer stands; with KIP-890 the marker says that, by its newer epoch',
  offsets:
    'the group coordinator of before says otherwise that a group or member is not there; our client does the same',
  pending: 'the group coordinator of before makes no rebalance when an id leaves that was given and never joined',
  stable: 'the last stable offset is never below the log start there; readers see the same',
  noName: 'nobody has a right to what has no name, so the right is what is missing',
} as const

interface Entry {
  readonly why: readonly (keyof typeof reasons)[]
  /** By the number of the step. */
  readonly ours: Readonly<Record<string, Answer>>
}

export const differencesFile = join(import.meta.dirname, '..', 'golden', 'kafka-differences.json')

export const kafkaDifferences = JSON.parse(readFileSync(differencesFile, 'utf8')) as Readonly<
  Record<Kind, Readonly<Record<string, Entry>>>
>

/** What our client is to be answered by a Kafka of these kinds. */
export function expectedFrom(recording: Recording, script: Script, of: readonly Kind[]): readonly Answer[] {
  const ours = of.map((kind) => kafkaDifferences[kind][script.name]?.ours ?? {})
  return answersOf(recording, script).map((answer, step) => ours.findLast((each) => step in each)?.[step] ?? answer)
}
