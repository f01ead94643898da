/** Walks a segment file batch by batch when the log is opened, trusting nothing in it. */

import { baseOffsetOf, batchFault, BATCH_HEADER_BYTES, lastOffsetOf, sizeOf } from '../batch-format.ts'
import type { LogFile } from './log-files.ts'

const WINDOW_BYTES = 1024 * 1024

export interface SegmentScan {
  /** Bytes of whole, intact batches in offset order. */
  readonly goodBytes: number
  readonly fileBytes: number
  /** The offset after the last good batch. */
  readonly nextOffset: bigint
  /** Why the bytes after the good ones are none; null when there are no more. */
  readonly fault: string | null
}

/** @param onBatch is called for each good batch with the bytes it lies in */
export async function scanSegment(
  file: LogFile,
  baseOffset: bigint,
  onBatch: (bytes: Buffer, at: number) => void,
): Promise<SegmentScan> {
  const fileBytes = await file.size()
  let nextOffset = baseOffset
  let position = 0
  let window = WINDOW_BYTES
  while (position < fileBytes) {
    const bytes = await file.pread(position, Math.min(window, fileBytes - position))
    const last = position + bytes.length >= fileBytes
    let at = 0
    let fault: string | null = null
    while (at < bytes.length) {
      fault = batchFault(bytes, at) ?? (baseOffsetOf(bytes, at) < nextOffset ? 'offsets go backwards' : null)
      if (fault !== null) break
      onBatch(bytes, at)
      nextOffset = lastOffsetOf(bytes, at) + 1n
      at += sizeOf(bytes, at)
    }
    position += at
    if (fault === null) continue
    const needed = bytes.length - at < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : sizeOf(bytes, at)
    if (last || needed <= bytes.length - at || position + needed > fileBytes) {
      return { goodBytes: position, fileBytes, nextOffset, fault }
    }
    window = Math.max(WINDOW_BYTES, needed)
  }
  return { goodBytes: position, fileBytes, nextOffset, fault: null }
}
