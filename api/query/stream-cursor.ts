/**
 * Where a stream of events stands: the next offset of every partition of every topic it follows, as `Last-Event-ID` says
 * it: `client_events:41.7.0;review_events:3.0.9`. Exact, because the sinks move each of these numbers in the transaction
 * that writes the rows before it.
 */

/** Next offsets by topic, by partition. */
export type StreamCursor = ReadonlyMap<string, readonly bigint[]>

export const cursorText = (cursor: StreamCursor): string =>
  [...cursor].map(([topic, offsets]) => `${topic}:${offsets.join('.')}`).join(';')

const form = /^[a-z_]{1,64}:(\d{1,18}(\.\d{1,18}){0,1023})?(;[a-z_]{1,64}:(\d{1,18}(\.\d{1,18}){0,1023})?){0,17}$/

/** Null when the text is none, or is of other topics than these. */
export function parseCursor(text: string, topics: readonly string[]): StreamCursor | null {
  if (!form.test(text)) return null
  const parts = text.split(';').map((part): [string, bigint[]] => {
    const [topic = '', offsets = ''] = part.split(':')
    return [topic, offsets === '' ? [] : offsets.split('.').map(BigInt)]
  })
  const cursor = new Map(parts)
  const same = cursor.size === topics.length && topics.every((topic) => cursor.has(topic))
  return same && parts.length === cursor.size ? cursor : null
}

/** True when `to` is past `from` somewhere. */
export const isBehind = (from: readonly bigint[], to: readonly bigint[]): boolean =>
  to.some((offset, partition) => offset > (from[partition] ?? 0n))

/** The later of both, partition by partition: a rebuild of the rows begins at zero, and nothing is told twice. */
export const later = (from: readonly bigint[], to: readonly bigint[]): readonly bigint[] =>
  Array.from({ length: Math.max(from.length, to.length) }, (_, partition) => {
    const [a, b] = [from[partition] ?? 0n, to[partition] ?? 0n]
    return a > b ? a : b
  })
