/** A schema registry in this process, kept in a topic of the log. Reads are lookups in memory; writes go one at a time. */

import type { CompatibilityLevel } from '../../schemas/index.ts'
import { SchemaError } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { Log } from '../kafka/index.ts'
import { LogError } from '../kafka/index.ts'
import type { RegistryClient } from './port.ts'
import type { RegisteredSchema } from './registry-table.ts'
import { RegistryTable } from './registry-table.ts'
import { SchemasTopic } from './schemas-topic.ts'

export interface EmbeddedRegistry extends RegistryClient {
  /** What is known, for reading. */
  readonly table: Omit<RegistryTable, 'apply' | 'next'>
  /**
   * Registers the text of a schema, or finds it.
   * @throws SchemaError BAD_SCHEMA, INCOMPATIBLE_SCHEMA, REGISTRY_FAILED
   */
  registerText(subject: string, schema: string): Promise<RegisteredSchema>
  /** Sets the level of a subject, or of all without their own (null). Subjects of our own events stay FULL_TRANSITIVE. */
  setLevel(subject: string | null, level: CompatibilityLevel): Promise<void>
  close(): Promise<void>
}

/** Opens the registry of a log: reads the whole `_schemas` topic, creating it when it is missing. */
export async function openEmbeddedRegistry(options: {
  readonly log: Log
  readonly clock: Clock
}): Promise<EmbeddedRegistry> {
  const table = new RegistryTable()
  const topic = new SchemasTopic(options.log, options.clock, (record) => table.apply(record))
  await topic.open()
  const oneAtATime = turns()

  async function registerText(subject: string, schema: string): Promise<RegisteredSchema> {
    const known = table.find(subject, schema)
    if (known !== undefined) return known
    return oneAtATime(() =>
      unlessFenced(options.clock, async () => {
        await topic.ready()
        const found = table.find(subject, schema)
        if (found !== undefined) return found
        const conflicts = table.conflicts(subject, schema)
        if (conflicts.length > 0)
          throw new SchemaError('INCOMPATIBLE_SCHEMA', `${subject} (${table.level(subject)}): ${conflicts.join('; ')}`)
        const record = table.next(subject, schema)
        await topic.append(record)
        return record.value
      }),
    )
  }

  return {
    table,
    registerText: (subject, schema) => troubled(registerText(subject, schema)),
    register: async (subject, schema) => (await troubled(registerText(subject, JSON.stringify(schema)))).id,
    async schemaById(id) {
      // Another process may have registered it since.
      if (table.textOf(id) === undefined) await troubled(oneAtATime(() => topic.refresh()))
      const schema = table.textOf(id)
      return schema === undefined ? null : { schema }
    },
    setLevel: (subject, level) =>
      troubled(
        oneAtATime(() =>
          unlessFenced(options.clock, async () => {
            if (table.isFixed(subject) && level !== table.configured(subject))
              throw new SchemaError('INCOMPATIBLE_SCHEMA', `the level of ${subject} is fixed`)
            await topic.ready()
            if (table.isFixed(subject)) return
            await topic.append({ key: { keytype: 'CONFIG', subject, magic: 0 }, value: { compatibilityLevel: level } })
          }),
        ),
      ),
    close: () => oneAtATime(() => topic.close()),
  }
}

/** Runs one piece of work after the other, whatever became of the one before. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(work, work)
    last = turn.catch(() => undefined)
    return turn
  }
}

/** Processes that start together take the place of the writer from one another; each has little to write. */
const writerTries = 100
/** For that little. Who came last writes at once, so each time one of them gets on. */
const writerWaitMs = 50

/** What a writer is told when another becomes it: Kafka says the second when that happens while it commits. */
const contended: ReadonlySet<string> = new Set(['PRODUCER_FENCED', 'STORAGE_ERROR', 'CONCURRENT_TRANSACTIONS'])

/** Again when another process became the writer in between (S1, S2): what it wrote may decide otherwise. */
async function unlessFenced<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LogError && contended.has(error.code)) || tries === writerTries) throw error
    }
    await new Promise<void>((resolve) => void clock.after(writerWaitMs, resolve))
  }
}

/** Trouble of the log, in the words of a registry. */
async function troubled<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof LogError) throw new SchemaError('REGISTRY_FAILED', error.message, error.then, error)
    throw error
  }
}
