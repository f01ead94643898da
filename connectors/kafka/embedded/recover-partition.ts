/** Opens a partition's files after any kind of stop. A torn tail is cut; damage elsewhere is for a person to see. */

import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'
import type { LogFile, LogFiles } from './log-files.ts'
import { emptyPartition } from './partition-log.ts'
import type { PartitionContents } from './partition-log.ts'
import { scanSegment } from './scan-segment.ts'
import type { SegmentScan } from './scan-segment.ts'
import { REWRITTEN } from './rewrite-segments.ts'
import { Segment, segmentNamePattern } from './segment.ts'
import { storageError } from './storage-error.ts'

export interface RecoveryContext {
  readonly files: LogFiles
  readonly directory: string
  /** As it was made durable before segments below it were removed. */
  readonly logStart: bigint
  /** Whether what is found must be made durable before it is shown: a kill may have come between write and fsync. */
  readonly sync: boolean
  readonly notice: (line: string) => void
}

/** @throws LogError STORAGE_ERROR when a segment is missing or a sealed one is damaged */
export async function recoverPartition(where: TopicPartition, context: RecoveryContext): Promise<PartitionContents> {
  const contents = { ...emptyPartition(), logStart: context.logStart, nextOffset: context.logStart }
  const found = await findSegments(context)
  if (context.sync && found.length > 0) await context.files.fsyncDirectory(context.directory)
  if (found.length > 0 && found[0]!.baseOffset > context.logStart) throw missing(where, context.logStart, found[0]!)
  for (const [i, segment] of found.entries()) {
    if (segment.baseOffset < contents.nextOffset && i > 0) {
      // A rewritten segment stands for it (L18); a crash came before it was removed.
      await segment.remove()
      continue
    }
    if (i > 0 && segment.baseOffset !== contents.nextOffset) throw missing(where, contents.nextOffset, segment)
    contents.segments.push(segment)
    contents.nextOffset = await recoverSegment(where, segment, i === found.length - 1, contents, context)
  }
  if (contents.nextOffset < contents.logStart) await startAfresh(contents)
  contents.transactions.dropBelow(contents.logStart)
  return contents
}

/** Segments in order; those below the log start, left by a crash in the middle of a deletion, are removed. */
async function findSegments({ files, directory, logStart }: RecoveryContext): Promise<Segment[]> {
  const segments: Segment[] = []
  for (const name of await files.list(directory)) {
    if (name.endsWith(REWRITTEN)) await files.remove(`${directory}/${name}`)
    const match = segmentNamePattern.exec(name)
    if (match !== null) segments.push(new Segment(files, directory, BigInt(match[1]!)))
  }
  while (segments.length > 1 && segments[1]!.baseOffset <= logStart) await segments.shift()!.remove()
  return segments
}

/** A power failure took a tail that had been deleted anyway: offsets go on from the log start. */
async function startAfresh(contents: Mutable<PartitionContents>): Promise<void> {
  for (const segment of contents.segments.splice(0)) await segment.remove()
  contents.transactions = emptyPartition().transactions
  contents.nextOffset = contents.logStart
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Returns the offset after the segment's last batch. */
async function recoverSegment(
  where: TopicPartition,
  segment: Segment,
  newest: boolean,
  contents: PartitionContents,
  context: RecoveryContext,
): Promise<bigint> {
  const file = await segment.file()
  let scan: SegmentScan
  try {
    scan = await scanSegment(file, segment.baseOffset, (bytes, at) => {
      segment.reveal(bytes, at)
      contents.sequences.record(bytes, at)
      contents.transactions.add(bytes, at)
    })
  } catch (error) {
    throw storageError(segment.path, error, 'stop')
  }
  if (scan.fault !== null && !newest) throw damaged(segment, scan)
  if (scan.fault !== null) await cutTail(where, file, scan, context.notice)
  if (newest && context.sync) await file.fsync()
  return scan.nextOffset
}

async function cutTail(
  where: TopicPartition,
  file: LogFile,
  scan: SegmentScan,
  notice: (line: string) => void,
): Promise<void> {
  const cutBytes = scan.fileBytes - scan.goodBytes
  await file.truncate(scan.goodBytes)
  await file.fsync()
  notice(
    `${where.topic}-${where.partition}: cut ${cutBytes} bytes of a torn tail at offset ${scan.nextOffset} (${scan.fault})`,
  )
}

const damaged = (segment: Segment, scan: SegmentScan): LogError =>
  new LogError(
    'STORAGE_ERROR',
    `${segment.path} is damaged at byte ${scan.goodBytes} (offset ${scan.nextOffset}): ${scan.fault}`,
    'stop',
  )

const missing = (where: TopicPartition, offset: bigint, next: Segment): LogError =>
  new LogError(
    'STORAGE_ERROR',
    `${where.topic}-${where.partition}: no segment holds offset ${offset}, the next is ${next.path}`,
    'stop',
  )
