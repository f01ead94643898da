/**
 * Records name their schemas by ids, which are one registry's. A log that had its registry in it, and is now to be read with
 * another, would be read wrong: every record of before would be set aside, or taken for something else.
 */

import type { Json } from '../../schemas/index.ts'
import { canonicalText } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { Log } from '../kafka/index.ts'
import { LogError } from '../kafka/index.ts'
import type { RegistryClient } from './port.ts'
import { RegistryTable } from './registry-table.ts'
import { registryNames, SchemasTopic } from './schemas-topic.ts'

export interface StrangeIds {
  /** Ids that the registry in the log has given to these subjects. */
  readonly given: number
  /** Of those, how many mean something else at the other registry, or nothing. */
  readonly strange: number
}

/**
 * Compares the registry that was in a log with another one. Ids that are not there at all count only when none is: a single
 * schema may have been deleted since.
 * @param subjects those that records of this log are written under
 */
export async function strangeIds(
  log: Log,
  clock: Clock,
  registry: RegistryClient,
  subjects: readonly string[],
): Promise<StrangeIds> {
  const before = await registeredIn(log, clock)
  const given = new Map(subjects.flatMap((subject) => before.versions(subject).map(({ id, schema }) => [id, schema])))
  let missing = 0
  let other = 0
  for (const [id, schema] of given) {
    const found = await registry.schemaById(id)
    if (found === null) missing++
    else if (textOf(found.schema) !== textOf(schema)) other++
  }
  return { given: given.size, strange: missing === given.size ? missing : other }
}

/** A topic that we have no right to read is not one that we have written. */
async function registeredIn(log: Log, clock: Clock): Promise<RegistryTable> {
  const table = new RegistryTable()
  try {
    const [known] = await log.metadata([registryNames.topic])
    if (known !== undefined) await new SchemasTopic(log, clock, (record) => table.apply(record)).refresh()
    return table
  } catch (error) {
    if (error instanceof LogError && error.code === 'TOPIC_AUTHORIZATION_FAILED') return new RegistryTable()
    throw error
  }
}

const textOf = (schema: string): string => canonicalText(JSON.parse(schema) as Json)
