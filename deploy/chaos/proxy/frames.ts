/**
 * Kafka's frames on a connection: four bytes that say how long, then the message. And what of a request a fault is chosen by;
 * the rest of its bytes is nobody's business here.
 */

/** More than any broker takes: what is longer is no frame. */
const longest = 256 * 1024 * 1024

/** Cuts a stream of bytes into frames, wherever the chunks end. */
export class FrameSplitter {
  #chunks: Buffer[] = []
  #length = 0

  /** @returns the frames that are whole now, each with its length before it. @throws RangeError when it is no frame */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const frames: Buffer[] = []
    for (let wanted = this.#wanted(); this.#length >= wanted; wanted = this.#wanted()) {
      const bytes = this.#joined()
      frames.push(bytes.subarray(0, wanted))
      this.#chunks = [bytes.subarray(wanted)]
      this.#length -= wanted
    }
    return frames
  }

  /** How many bytes there must be for the next step: the length, or all of the frame. */
  #wanted(): number {
    if (this.#length < 4) return 4
    const first = this.#chunks[0]!
    const length = (first.length >= 4 ? first : this.#joined()).readInt32BE(0)
    if (length < 0 || length > longest) throw new RangeError(`a frame of ${length} bytes`)
    return 4 + length
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }
}

/** The requests that write, or that a commit consists of, and those of groups. By api key. */
const names: ReadonlyMap<number, string> = new Map([
  [0, 'Produce'],
  [1, 'Fetch'],
  [3, 'Metadata'],
  [8, 'OffsetCommit'],
  [9, 'OffsetFetch'],
  [10, 'FindCoordinator'],
  [11, 'JoinGroup'],
  [12, 'Heartbeat'],
  [13, 'LeaveGroup'],
  [14, 'SyncGroup'],
  [18, 'ApiVersions'],
  [22, 'InitProducerId'],
  [24, 'AddPartitionsToTxn'],
  [25, 'AddOffsetsToTxn'],
  [26, 'EndTxn'],
  [28, 'TxnOffsetCommit'],
])

/** Those whose first field is a transactional id, in the versions that our driver speaks. */
const transactional: ReadonlySet<string> = new Set([
  'Produce',
  'InitProducerId',
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'EndTxn',
  'TxnOffsetCommit',
])

/** Those whose first field is a group. */
const ofGroups: ReadonlySet<string> = new Set(['JoinGroup', 'LeaveGroup', 'SyncGroup', 'Heartbeat'])

export interface Request {
  /** As Kafka calls it; `Api <key>` for one that is none of ours. */
  readonly api: string
  readonly version: number
  readonly correlationId: number
  readonly clientId: string
  /** Null also where the request names none. */
  readonly transactionalId: string | null
  readonly group: string | null
}

/** @param frame with its length before it */
export function requestOf(frame: Buffer): Request {
  const key = frame.readInt16BE(4)
  const api = names.get(key) ?? `Api ${key}`
  const length = Math.max(0, frame.readInt16BE(12))
  const first = firstText(frame, 14 + length)
  return {
    ...{ api, version: frame.readInt16BE(6), correlationId: frame.readInt32BE(8) },
    clientId: frame.toString('utf8', 14, 14 + length),
    transactionalId: transactional.has(api) ? first : null,
    group: ofGroups.has(api) ? first : null,
  }
}

/** The compact text behind the header's tagged fields, of which our driver sends none. */
function firstText(frame: Buffer, tagged: number): string | null {
  return frame[tagged] === 0 ? compactText(frame, tagged + 1).text : null
}

function compactText(frame: Buffer, at: number): { readonly text: string | null; readonly end: number } {
  const { value, end } = variable(frame, at)
  if (value === 0) return { text: null, end }
  return { text: frame.toString('utf8', end, end + value - 1), end: end + value - 1 }
}

/** An unsigned number of variable length, as it stands before what is compact. */
function variable(frame: Buffer, at: number): { readonly value: number; readonly end: number } {
  let [value, end] = [0, at]
  for (let shift = 0, more = true; more && end < frame.length; shift += 7) {
    const byte = frame[end++]!
    value |= (byte & 0x7f) << shift
    more = byte >= 0x80
  }
  return { value, end }
}

export const correlationOf = (answer: Buffer): number => answer.readInt32BE(4)

/** Those whose answer begins with a throttle time and an error, behind a header with tagged fields. */
const withError: ReadonlySet<string> = new Set(['EndTxn', 'InitProducerId', 'AddOffsetsToTxn'])
const header = 4 + 4 + 1
const throttle = 4

/** The error of an answer, 0 for none, of several partitions the first one's; null where it stands nowhere near the front. */
export function errorIn({ api }: Request, answer: Buffer): number | null {
  if (withError.has(api)) return answer.readInt16BE(header + throttle)
  if (api === 'Produce') return partitionError(answer, header)
  return api === 'TxnOffsetCommit' ? partitionError(answer, header + throttle) : null
}

/** At a list of topics, each with a name and a list of partitions, each with its number and an error. */
function partitionError(answer: Buffer, at: number): number | null {
  const topics = variable(answer, at)
  const partitions = variable(answer, compactText(answer, topics.end).end)
  return partitions.end + 6 <= answer.length ? answer.readInt16BE(partitions.end + 4) : null
}
