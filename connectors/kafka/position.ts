/** Where an event lies: `topic-partition@offset`. What a command answers with and a read may wait for. */

import type { TopicPartition } from './port.ts'

export interface Position extends TopicPartition {
  readonly offset: bigint
}

const form = /^([A-Za-z0-9._-]{1,249})-(\d{1,9})@(\d{1,19})$/

export const positionText = ({ topic, partition, offset }: Position): string =>
  `${topic}-${String(partition)}@${String(offset)}`

export function parsePosition(text: string): Position | null {
  const match = form.exec(text)
  return match === null ? null : { topic: match[1]!, partition: Number(match[2]), offset: BigInt(match[3]!) }
}

/** The last position in each partition: having seen these, a reader has seen all. */
export function lastPositions(positions: readonly string[]): string[] {
  const last = new Map<string, { readonly text: string; readonly offset: bigint }>()
  for (const text of positions) {
    const position = parsePosition(text)
    if (position === null) continue
    const place = `${position.topic}-${String(position.partition)}`
    const held = last.get(place)
    if (held === undefined || held.offset < position.offset) last.set(place, { text, offset: position.offset })
  }
  return [...last.values()].map(({ text }) => text)
}
