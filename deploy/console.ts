/** What the console's pages need of the running process beside the query API. */

import type { Endpoint, Identity, ReadEvent } from '../api/index.ts'
import { operatorEndpoints, readAt } from '../api/index.ts'
import { BadRecord } from '../topology/index.ts'
import type { Foundation } from './foundation.ts'
import { platformView } from './platform-view.ts'
import type { Running } from './running.ts'

/** One event, decoded; null for what is not there, or no event of ours. */
export function eventReader({ log, codec }: Foundation): ReadEvent {
  return async (topic, partition, offset) => {
    const record = await readAt(log, topic, partition, offset)
    if (record === null || record.value === null) return null
    const serde = codec({ name: topic })
    await serde.prepare([record])
    try {
      return serde.deserialize(record.value, record.key)
    } catch (error) {
      if (error instanceof BadRecord) return null
      throw error
    }
  }
}

/** For the accounts that CONSOLE_OPERATORS names. */
export function operatorPages(
  running: Running,
  identity: Identity,
  notice: (line: string) => void,
): readonly Endpoint[] {
  const { log, codec, config } = running.foundation
  const operators = {
    named: new Set(config.console.operators),
    emailOf: async (principal: Parameters<Identity['profile']>[0]) => (await identity.profile(principal)).email,
  }
  return operatorEndpoints({ log, codec, operators, platform: platformView(running), notice })
}
