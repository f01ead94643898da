/**
 * What both players answer. Codes and numbers as they are; ids by the order or the name under which they appeared:
 * producers `p1`, `p2`, members by their name in the script, `m1~2` for a second id.
 *
 * A record is `offset key=value @timestamp producer/epoch#sequence`, ` t` when transactional, then headers; a marker is
 * `offset COMMIT|ABORT producer/epoch`; a batch that compaction has emptied is `last offset EMPTY producer/epoch`. `~` is no key or no value,
 * `<n>` more than 40 letters.
 */

import * as format from '../../connectors/kafka/batch-format.ts'
import type { FetchedPartition } from '../../connectors/kafka/index.ts'
import { RecordCursor } from '../../connectors/kafka/index.ts'

export type Answer = null | boolean | { readonly [name: string]: unknown }

export const shortened = (text: string): string => (text.length > 40 ? `<${text.length}>` : text)

const MARK = '\u0002'

/** What differs from run to run, by a name that does not. */
export class Names {
  readonly #producers = new Map<bigint, string>()
  readonly #nameOfMember = new Map<string, string>()
  readonly #memberOfName = new Map<string, string>()

  producer(id: bigint): string {
    if (id < 0n) return '-'
    const known = this.#producers.get(id) ?? `p${this.#producers.size + 1}`
    this.#producers.set(id, known)
    return known
  }

  /** The id that the coordinator gave to `as`. */
  bind(as: string, memberId: string): string {
    const known = this.#nameOfMember.get(memberId)
    if (known !== undefined) return known
    let name = as
    for (let n = 2; this.#memberOfName.has(name); n++) name = `${as}~${n}`
    this.#nameOfMember.set(memberId, name)
    this.#memberOfName.set(name, memberId)
    return name
  }

  /** A place for the name, which may come with a later answer: `resolve` puts it there. */
  member(memberId: string): string {
    return memberId === '' ? '' : `${MARK}${memberId}${MARK}`
  }

  /** The answers with names where `member` left places, members in the order of their names. */
  resolve(answers: readonly Answer[]): Answer[] {
    return answers.map((answer) => this.#resolve(answer) as Answer)
  }

  #resolve(value: unknown): unknown {
    if (typeof value === 'string') {
      const parts = value.split(MARK)
      return parts.map((part, i) => (i % 2 === 1 ? (this.#nameOfMember.get(part) ?? '?') : part)).join('')
    }
    if (Array.isArray(value)) return value.map((one) => this.#resolve(one))
    if (value === null || typeof value !== 'object') return value
    const entries = Object.entries(value).map(([name, one]) => [name, this.#resolve(one)] as const)
    return Object.fromEntries(entries.map(([name, one]) => [name, name === 'members' ? (one as string[]).sort() : one]))
  }

  /** `@name` is the id behind a name, anything else is itself. */
  memberId(text: string): string {
    if (!text.startsWith('@')) return text
    const id = this.#memberOfName.get(text.slice(1))
    if (id === undefined) throw new Error(`no member ${text}`)
    return id
  }
}

/** Every record and marker of whole batches from `from` on. */
export function recordsOf(fetched: FetchedPartition, from: bigint, names: Names): string[] {
  const lines: string[] = []
  const { batches } = fetched
  for (let at = 0; at + format.BATCH_HEADER_BYTES <= batches.length;) {
    const end = at + format.sizeOf(batches, at)
    if (end > batches.length) break
    lines.push(...batchLines(fetched, batches.subarray(at, end), from, names))
    at = end
  }
  return lines
}

function batchLines(fetched: FetchedPartition, batch: Buffer, from: bigint, names: Names): string[] {
  const who = `${names.producer(format.producerIdOf(batch, 0))}/${format.epochOf(batch, 0)}`
  const last = format.lastOffsetOf(batch, 0)
  if (last < from) return []
  if (format.countOf(batch, 0) === 0) return [`${last} EMPTY ${who}`]
  if (format.isControl(batch, 0)) {
    const type = batch.readInt16BE(markerAt(batch) + 2)
    return [`${format.baseOffsetOf(batch, 0)} ${type === 0 ? 'ABORT' : 'COMMIT'} ${who}`]
  }
  const rest = `${who}#${format.baseSequenceOf(batch, 0)}${format.isTransactional(batch, 0) ? ' t' : ''}`
  const lines: string[] = []
  const cursor = new RecordCursor({ ...fetched, batches: batch, aborted: [] }, from, 'read_uncommitted')
  while (cursor.next()) {
    const headers = cursor.headers().map(({ key, value }) => ` ${key}:${value.toString()}`)
    lines.push(`${cursor.offset} ${pair(cursor)} @${cursor.timestamp} ${rest}${headers.join('')}`)
  }
  return lines
}

/** Where the key of the first record begins: behind its length, attributes, time, offset and the key's length. */
function markerAt(batch: Buffer): number {
  let at = format.BATCH_HEADER_BYTES
  const skip = (): void => {
    while (batch[at++]! >= 0x80);
  }
  skip()
  at++
  for (let field = 0; field < 3; field++) skip()
  return at
}

const text = (bytes: Buffer | null): string => (bytes === null ? '~' : shortened(bytes.toString()))

export const pair = (cursor: RecordCursor): string => `${text(cursor.key())}=${text(cursor.value())}`

/**
 * Metadata and assignments as Kafka's consumers encode them (version 0, no topics, the text as user data): a coordinator
 * reads what members of type `consumer` subscribe to.
 */
export function embedded(text: string): Buffer {
  const data = Buffer.from(text)
  const head = Buffer.alloc(10)
  head.writeInt32BE(data.length, 6)
  return Buffer.concat([head, data])
}

export const extracted = (encoded: Buffer): string => encoded.subarray(10).toString()
