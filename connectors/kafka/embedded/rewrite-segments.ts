/**
 * Writes sealed segments anew.
 *
 *   L18 Neighbours become one file beside them, synced, then renamed over the first: its name and its end stay those of the
 *       range it stands for. Then the others are removed; a start finds those that a crash left, because they begin before
 *       the end of the one that stands for them, and removes them.
 */

import { sizeOf } from '../batch-format.ts'
import { endOffset } from '../end-offset.ts'
import type { LogFile, LogFiles } from './log-files.ts'
import { Segment } from './segment.ts'

/** Ends the name of a file that is not finished. */
export const REWRITTEN = '.rewritten'
const CHUNK_BYTES = 1024 * 1024

export interface SealedSegment {
  readonly segment: Segment
  /** The offset after its last: the base of the next. */
  readonly end: bigint
}

export interface Rewriting {
  /**
   * What takes the place of the batch at `bytes[at]`; null takes it away.
   * @param last whether it is the last of the file and must stay, if only as a header, so that the file has its end
   */
  readonly batch: (bytes: Buffer, at: number, last: boolean) => Buffer | null
  /** Lets others work between two pieces. @throws when there is no time to go on */
  readonly pause: () => Promise<void>
}

export interface Written {
  /** Where it stands until it is renamed. */
  readonly path: string
  /** As it will be read when it is renamed. */
  readonly segment: Segment
}

/** Synced, not renamed. Nothing is left of a file that could not be finished, as far as that can be had. */
export async function writeAnew(
  files: LogFiles,
  directory: string,
  former: readonly SealedSegment[],
  rewriting: Rewriting,
): Promise<Written> {
  const segment = new Segment(files, directory, former[0]!.segment.baseOffset)
  const path = `${segment.path}${REWRITTEN}`
  const file = await files.open(path)
  try {
    await file.truncate(0)
    await copy(file, segment, former, rewriting)
    await file.fsync()
  } catch (error) {
    await file.close()
    await files.remove(path).catch(() => undefined)
    throw error
  }
  await file.close()
  return { path, segment }
}

async function copy(
  file: LogFile,
  written: Segment,
  former: readonly SealedSegment[],
  { batch, pause }: Rewriting,
): Promise<void> {
  const fileEnd = former.at(-1)!.end
  for (const { segment, end } of former) {
    await eachChunk(segment, segment.baseOffset, end, async (chunk) => {
      const kept: Buffer[] = []
      const position = written.size
      for (let at = 0; at < chunk.length; at += sizeOf(chunk, at)) {
        const next = at + sizeOf(chunk, at)
        const last = next === chunk.length && endOffset(chunk.subarray(at)) === fileEnd
        const replaced = batch(chunk, at, last)
        if (replaced === null) continue
        written.reveal(replaced, 0)
        kept.push(replaced)
      }
      if (kept.length > 0) await file.append(kept, position)
      await pause()
    })
  }
}

/** Whole batches of a segment from `from` to `end`, some at a time. */
export async function eachChunk(
  segment: Segment,
  from: bigint,
  end: bigint,
  onChunk: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  for (let at = from; at < end;) {
    const chunk = await segment.read(at, end, CHUNK_BYTES)
    if (chunk.length === 0) return
    await onChunk(chunk)
    at = endOffset(chunk)!
  }
}
