import { LogError } from './port.ts'
import type { Log, TopicSpec } from './port.ts'

/** Creates those topics that do not exist; others may be doing the same. What exists is not looked at. */
export async function createMissing(log: Log, specs: readonly TopicSpec[]): Promise<void> {
  for (;;) {
    const known = new Set((await log.metadata(specs.map(({ name }) => name))).map(({ name }) => name))
    const missing = specs.filter(({ name }) => !known.has(name))
    if (missing.length === 0) return
    try {
      await log.createTopics(missing)
    } catch (error) {
      // Somebody was faster with one of them.
      if (!(error instanceof LogError) || error.code !== 'TOPIC_ALREADY_EXISTS') throw error
    }
  }
}
