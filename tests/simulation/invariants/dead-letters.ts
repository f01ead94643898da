/** I12: a dead letter holds the original bytes and says where they came from; no record has two of one application. */

import type { Evidence, SeenRecord, Violation } from '../program.ts'

export function checkDeadLetters(evidence: Evidence): Violation[] {
  const seen = new Set<string>()
  return evidence
    .topics()
    .filter((topic) => topic.endsWith('.dlq'))
    .flatMap((topic) =>
      Array.from({ length: evidence.partitions(topic) }, (_, partition) => evidence.committed(topic, partition)).flat(),
    )
    .flatMap((letter) => checkOne(evidence, letter, seen))
}

function checkOne(evidence: Evidence, letter: SeenRecord, seen: Set<string>): Violation[] {
  const say = (name: string): string => letter.headers.find(({ key }) => key === `dlq-${name}`)?.value.toString() ?? ''
  const [topic, partition, offset] = [say('topic'), Number(say('partition')), say('offset')]
  const at = `${letter.topic}-${letter.partition}@${letter.offset}`
  if (offset === '-1') return []
  const place = `${say('application')} ${topic}-${partition}@${offset}`
  if (seen.has(place)) return [{ invariant: 'I12', what: `${place} was dead-lettered twice, the second time at ${at}` }]
  seen.add(place)
  const original = evidence.committed(topic, partition).find((record) => String(record.offset) === offset)
  if (original === undefined)
    return [{ invariant: 'I12', what: `dead letter ${at} is of ${place}, which nobody can read` }]
  const same = isSame(original.key, letter.key) && isSame(original.value, letter.value)
  return same ? [] : [{ invariant: 'I12', what: `dead letter ${at} has other bytes than ${place}` }]
}

const isSame = (a: Buffer | null, b: Buffer | null): boolean => (a === null || b === null ? a === b : a.equals(b))
