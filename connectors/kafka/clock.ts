/** Time and chance, as the log is given them. They have the shape of the engine's own (`topology/clock.ts`). */

export interface Clock {
  /** Integer milliseconds since the epoch. */
  now(): number
  /** Calls once after `delayMs`; the returned function cancels. */
  after(delayMs: number, call: () => void): () => void
}

export interface Random {
  bytes(length: number): Buffer
}
