/** From a draft to the bytes of its record: the envelope completed, the key derived, the place in the topic known. */

import type { Log, PlacedRecord } from '../../connectors/kafka/index.ts'
import { partitionFor } from '../../connectors/kafka/index.ts'
import type { AnyEvent, KeyRing } from '../../schemas/index.ts'
import { completeEvent, submittedHeaders, submittedKey } from '../../schemas/index.ts'
import { BadRecord } from '../../topology/errors.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Draft } from './accept.ts'
import { logUnavailable } from './trouble.ts'

/** The serde of a topic's events. */
export type Codec = (topic: string) => { serialize(event: AnyEvent, key: Buffer | null): Buffer }

export interface Encoder {
  /** One record per draft, in order; `eventIds` name the events. @throws ApiProblem 422, 503 */
  encode(drafts: readonly Draft[], eventIds: readonly string[]): Promise<readonly PlacedRecord[]>
}

export function eventEncoder(log: Log, codec: Codec, keyRing: KeyRing): Encoder {
  /** A topic keeps its number of partitions for ever: keys depend on it. */
  const partitionCounts = new Map<string, number>()

  async function loadTopics(names: readonly string[]): Promise<void> {
    const missing = names.filter((name) => !partitionCounts.has(name))
    if (missing.length === 0) return
    for (const { name, partitions } of await log.metadata(missing)) partitionCounts.set(name, partitions)
  }

  function place(draft: Draft, eventId: string): PlacedRecord {
    const partitions = partitionCounts.get(draft.topic.name)
    if (partitions === undefined) throw logUnavailable()
    const key = submittedKey(draft)
    return {
      topic: draft.topic.name,
      partition: partitionFor(key, partitions),
      timestamp: draft.timestamp,
      key,
      value: codec(draft.topic.name).serialize(completeEvent(draft, eventId, 'ingest'), key),
      headers: submittedHeaders(draft),
    }
  }

  return {
    async encode(drafts, eventIds) {
      await loadTopics([...new Set(drafts.map(({ topic }) => topic.name))])
      await keyRing.load([...new Set(drafts.map(({ tenantId }) => tenantId))])
      return drafts.map((draft, index) => {
        try {
          return place(draft, eventIds[index]!)
        } catch (error) {
          if (!(error instanceof BadRecord)) throw error
          const extra = drafts.length === 1 ? {} : { index, reason: error.reason }
          throw new ApiProblem(422, error.reason, `${error.message}.`, { extra })
        }
      })
    },
  }
}
