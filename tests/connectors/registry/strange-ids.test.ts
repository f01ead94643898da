import { expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { LogError } from '../../../connectors/kafka/index.ts'
import type { RegistryClient } from '../../../connectors/registry/index.ts'
import { openEmbeddedRegistry, strangeIds } from '../../../connectors/registry/index.ts'
import type { AvroSchema } from '../../../schemas/index.ts'
import { clock, memoryLog } from './fixtures.ts'

const schemaOf = (name: string): AvroSchema => ({ type: 'record', name, fields: [{ name: 'id', type: 'string' }] })
const names = ['A', 'B', 'C']

/** A log whose own registry gave 1, 2, 3 to A, B, C. */
async function logWithRegistry(): Promise<Log> {
  const log = memoryLog()
  const own = await openEmbeddedRegistry({ log, clock })
  for (const name of names) await own.register(name, schemaOf(name))
  await own.register('somebody else', schemaOf('Other'))
  await own.close()
  return log
}

/** Says what each id means; of no other it knows. */
const knowing = (schemas: Readonly<Record<number, string>>): RegistryClient => ({
  register: () => Promise.reject(new Error('nothing is registered here')),
  schemaById: (id) => Promise.resolve(schemas[id] === undefined ? null : { schema: schemas[id] }),
})
const text = (name: string): string => JSON.stringify(schemaOf(name))

test.each<[string, Readonly<Record<number, string>>, number]>([
  ['the same', { 1: text('A'), 2: text('B'), 3: text('C') }, 0],
  [
    'the same, written otherwise',
    { 1: text('A').replace('{"type":"record",', '{').replace(/}$/, ',"type":"record"}'), 2: text('B'), 3: text('C') },
    0,
  ],
  ['one deleted since', { 1: text('A'), 3: text('C') }, 0],
  ['two in each other’s place', { 1: text('B'), 2: text('A'), 3: text('C') }, 2],
  ['another’s, and nothing', { 1: text('X') }, 1],
  ['ids that begin elsewhere', { 100_001: text('A'), 100_002: text('B'), 100_003: text('C') }, 3],
])('a registry that knows %s', async (_, schemas, strange) => {
  expect(await strangeIds(await logWithRegistry(), clock, knowing(schemas), names)).toEqual({ given: 3, strange })
})

test('a log that had none is anybody’s, and gets none', async () => {
  const log = memoryLog()
  expect(await strangeIds(log, clock, knowing({}), names)).toEqual({ given: 0, strange: 0 })
  expect(await log.metadata(['_schemas'])).toEqual([])
})

test.each(['metadata', 'listOffsets'] as const)(
  'a topic of that name without the right to it (%s) is somebody else’s',
  async (verb) => {
    const log = await logWithRegistry()
    const failing = (code: 'TOPIC_AUTHORIZATION_FAILED' | 'TIMEOUT'): Log =>
      new Proxy(log, {
        get: (target, name: keyof Log) =>
          name === verb
            ? () => Promise.reject(new LogError(code, 'no', 'stop'))
            : (target[name] as (...words: unknown[]) => unknown).bind?.(target),
      })
    expect(await strangeIds(failing('TOPIC_AUTHORIZATION_FAILED'), clock, knowing({}), names)).toEqual({
      given: 0,
      strange: 0,
    })
    await expect(strangeIds(failing('TIMEOUT'), clock, knowing({}), names)).rejects.toMatchObject({ code: 'TIMEOUT' })
  },
)
