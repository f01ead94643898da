/** Time and chance come in as arguments, so that the same engine runs on a machine, in a test and in a simulation. */

export interface Clock {
  /** Wall clock, integer milliseconds since the epoch. */
  now(): number
  /** Calls once after `delayMs`; the returned function cancels. */
  after(delayMs: number, call: () => void): () => void
}

export interface Random {
  /** Bytes that nobody can guess (process ids, member ids). */
  bytes(length: number): Buffer
}
