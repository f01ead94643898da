/**
 * Where our broker answers otherwise than Kafka on purpose, each with its reason. The default is that ours is mended: an
 * entry that is no difference any more fails the suite.
 */

import type { Answer } from './normal-form.ts'
import { answersOf } from './recording.ts'
import type { Recording } from './recording.ts'
import type { Script } from './steps.ts'

export interface Difference {
  readonly why: string
  /** Ours, by the number of the step. */
  readonly ours: Readonly<Record<number, Answer>>
}

const kindsOfBatches = 'a batch and its request are both transactional or neither is: no client sends anything else'
const noMarkers =
  'compaction writes what was committed as not transactional, so its markers go at once; readers see the same'

export const differences: Readonly<Record<string, Difference>> = {
  'transactions: a batch that is not transactional from a transactional producer': {
    why: kindsOfBatches,
    ours: {
      2: { offsets: ['INVALID_RECORD'] },
      3: { offsets: [0] },
      5: { records: ['0 b=2 @1000 p1/0#0 t', '1 COMMIT p1/1'], aborted: [], high: 2, stable: 2, start: 0 },
    },
  },
  'transactions: a batch that is not transactional inside a transaction': {
    why: kindsOfBatches,
    ours: { 3: { offsets: ['INVALID_RECORD'] } },
  },
  'transactions: a transactional batch of a producer without a transactional id': {
    why: kindsOfBatches,
    ours: { 2: { offsets: ['INVALID_RECORD'] } },
  },
  'transactions: a transactional batch in a request without a transactional id': {
    why: kindsOfBatches,
    ours: { 2: { offsets: ['INVALID_RECORD'] } },
  },
  'transactions: batches of both kinds of producer in one request': {
    why: kindsOfBatches,
    ours: { 3: { offsets: [0, 'INVALID_RECORD'] }, 5: { offset: 0 } },
  },
  'transactions: a record too large alone, then abort': {
    why: 'a partition belongs to a transaction once something is written there, so it gets no marker for what was refused',
    ours: { 4: { records: [], aborted: [], high: 0, stable: 0, start: 0 } },
  },
  'aborted: those that overlap what is answered, and no more': {
    why: 'Kafka lists aborted transactions up to the end of the segment, ours only those that overlap the answer: readers see the same',
    ours: {
      11: { records: ['0 a=1 @1000 p1/0#0 t'], aborted: ['0 p1'], high: 8, stable: 8, start: 0 },
      12: { records: ['1 ABORT p1/1'], aborted: ['0 p1'], high: 8, stable: 8, start: 0 },
    },
  },
  'epochs: opening again while one is open is first told to wait': {
    why: 'ours answers when the abort is done, instead of telling the client to ask again',
    ours: { 3: { producer: 'p1', epoch: 2 } },
  },
  'offsets: metadata of 4097 bytes, beside a good one': {
    why: 'the broker port answers a commit as a whole, so one bad offset refuses all (BR1); Kafka commits the others',
    ours: { 2: { offsets: [null, null] } },
  },
  'offsets: of an unknown member of a group that does not exist': {
    why: 'the client does the same with both codes, and version 8 of the request still had this one',
    ours: { 1: { error: 'ILLEGAL_GENERATION' } },
  },
  'delete: past the first record of an open transaction': {
    why: 'a last stable offset below the log start says nothing; readers start at the log start either way',
    ours: { 7: { offset: 2 }, 8: { records: [], aborted: [], high: 3, stable: 2, start: 2 } },
  },
  'compaction: aborted records go, committed ones stay': {
    why: noMarkers,
    ours: {
      14: {
        records: ['0 a=1 @1000 p1/0#0', '1 b=1 @1001 p1/0#0', '6 d=3 @1000 p1/2#0'],
        aborted: [],
        high: 11,
        stable: 11,
        start: 0,
      },
    },
  },
  'compaction: an aborted record does not take the committed one with its key': {
    why: noMarkers,
    ours: { 12: { records: ['0 a=1 @1000 p1/0#0', '3 ABORT p1/2'], aborted: [], high: 6, stable: 6, start: 0 } },
  },
  'compaction: markers go when their records are gone and their time is over': {
    why: `${noMarkers}; the last batch of a producer stays, with us as the marker that it is`,
    ours: {
      11: { records: ['3 ABORT p1/2', '4 a=3 @1000 p2/0#0'], aborted: [], high: 7, stable: 7, start: 0 },
      14: { records: ['3 ABORT p1/2', '4 a=3 @1000 p2/0#0'], aborted: [], high: 8, stable: 8, start: 0 },
      17: { records: ['3 ABORT p1/2', '4 a=3 @1000 p2/0#0'], aborted: [], high: 9, stable: 9, start: 0 },
    },
  },
  'compaction: a segment is also sealed by time, that of its records': {
    why: 'segments are sealed by size alone: the embedded log has no use for small ones',
    ours: { 8: { records: ['0 a=1', '1 a=2', '2 z=1'], next: 3 } },
  },
}

/** What is expected of our broker. */
export function expectedOf(recording: Recording, script: Script): readonly Answer[] {
  const ours = differences[script.name]?.ours
  return answersOf(recording, script).map((answer, i) => ours?.[i] ?? answer)
}
