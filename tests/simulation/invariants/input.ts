/** I1 and I3 of what was fed: acknowledged is in the log once, aborted is seen by nobody, nothing is there twice. */

import type { Evidence, Fed, Violation } from '../program.ts'

export function checkInput(evidence: Evidence, fed: readonly Fed[]): Violation[] {
  const topics = [...new Set(fed.map(({ record }) => record.topic))]
  const found = new Map<string, number>()
  for (const topic of topics)
    for (let partition = 0; partition < evidence.partitions(topic); partition++)
      for (const { value } of evidence.committed(topic, partition)) {
        const text = `${topic} ${value?.toString() ?? ''}`
        found.set(text, (found.get(text) ?? 0) + 1)
      }
  return fed.flatMap(({ record, outcome }): Violation[] => {
    const times = found.get(`${record.topic} ${record.value}`) ?? 0
    if (times > 1) return [{ invariant: 'I2', what: `record ${record.id} is in ${record.topic} ${times} times` }]
    if (outcome === 'acked' && times === 0)
      return [{ invariant: 'I1', what: `record ${record.id} was acknowledged and is not in ${record.topic}` }]
    if (outcome === 'aborted' && times > 0)
      return [{ invariant: 'I3', what: `record ${record.id} was aborted and a reader of ${record.topic} gets it` }]
    return []
  })
}
