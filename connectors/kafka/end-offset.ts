import { lastOffsetOf, sizeOf } from './batch-format.ts'

/** The offset after the last whole batch of fetched bytes, markers and gaps included; null when there is none. */
export function endOffset(batches: Buffer): bigint | null {
  let end: bigint | null = null
  for (let at = 0; at + 61 <= batches.length; at += sizeOf(batches, at)) {
    if (at + sizeOf(batches, at) > batches.length) break
    end = lastOffsetOf(batches, at) + 1n
  }
  return end
}
