/** Sequence numbers of a producer's records in one partition: they wrap from 2^31 - 1 to 0. */

const MAX_SEQUENCE = 0x7fffffff

/** The sequence `by` records later. */
export const nextSequence = (sequence: number, by: number): number =>
  sequence > MAX_SEQUENCE - by ? by - (MAX_SEQUENCE - sequence) - 1 : sequence + by
