/**
 * Kafka Streams' own window stores judge ours: what they answered is kept in tests/golden/state-stores/window-store.json.
 * Where Java is present they are asked again; UPDATE_GOLDEN=1 keeps what they say.
 *
 * Four differences are meant. A put as old as the retention is refused at once: Kafka Streams' RocksDB store takes it while its
 * segment lives, and both write it to the changelog, though nobody will ever see it. A null into a store that retains
 * duplicates does nothing at all, as in the RocksDB store; the one in memory lets it move observed time. Rows of several
 * keys come in the order of the RocksDB store; the one in memory has another. And a range up to a key finds the keys that are
 * beginnings of it: Kafka Streams' RocksDB store, and with duplicates also the one in memory, loses such a key when its
 * times stand above what follows in the longer one.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { memoryDatabases } from '../../../state-stores/index.ts'
import type { StateDatabaseSupplier, WindowEntry } from '../../../state-stores/index.ts'
import { kafkaLacks } from '../../../deploy/local/kafka.ts'
import { scratch } from '../rocksdb/scratch.ts'
import type { Scratch } from '../rocksdb/scratch.ts'
import { record } from './oracle/record.ts'
import { windowScripts } from './oracle/scripts.ts'
import type { WindowAnswer, WindowOperation, WindowRecording, WindowScript } from './oracle/scripts.ts'
import { WindowTask } from './window-task.ts'

const file = join(import.meta.dirname, '../../golden/state-stores/window-store.json')
const lacking = await kafkaLacks()
const ci = process.env['CI'] === 'true'
const recordings = JSON.parse(readFileSync(file, 'utf8')) as readonly WindowRecording[]

test('the recording is of the scripts there are', () => {
  expect(recordings.map(({ script }) => script)).toEqual(windowScripts())
  expect(recordings.flatMap(({ script }) => script.ops).length).toBeGreaterThanOrEqual(3000)
  for (const { script, inMemory } of recordings) {
    expect(inMemory.dropped).toBeGreaterThan(10)
    expect(script.ops.some(([verb]) => verb === 'fetchKeys')).toBe(true)
  }
})

test.skipIf(lacking !== null && !ci)(
  `Kafka Streams answers as recorded${lacking === null ? '' : ` (skipped: ${lacking})`}`,
  { timeout: 400_000 },
  async () => {
    const found = await record()
    if (process.env['UPDATE_GOLDEN'] === '1')
      await writeFile(file, `[\n${found.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`)
    else expect(found).toEqual(recordings)
  },
)

/** When a script's task commits, flushes or is killed, by the number of the operation. */
const lives: readonly { readonly name: string; after(task: WindowTask, n: number): void | Promise<void> }[] = [
  { name: 'uncommitted throughout', after: () => undefined },
  { name: 'flushed often', after: (task, n) => (n % 7 === 0 ? task.flush() : undefined) },
  { name: 'committed, flushed, killed', after: (task, n) => mixed(task, n) },
  {
    name: 'restored from the changelog',
    after: (task, n) => (n % 40 === 0 ? (task.commit(), task.wipe()) : undefined),
  },
]

async function mixed(task: WindowTask, n: number): Promise<void> {
  if (n % 5 === 0) task.commit()
  if (n % 11 === 0) await task.flush()
  if (n % 25 === 0) await task.kill()
}

describe.each([['memory'], ['rocksdb']] as const)('as Kafka Streams, over %s', (where) => {
  let disk: Scratch
  beforeAll(async () => {
    disk = await scratch()
  })
  afterAll(() => disk.remove())

  describe.each(recordings.map((recording) => [nameOf(recording.script), recording] as const))('%s', (_, recording) => {
    test.each(lives.map((life) => [life.name, life] as const))('%s', async (_name, life) => {
      const supplier: StateDatabaseSupplier = where === 'memory' ? memoryDatabases() : disk.supplier()
      await supplier.wipe('app/0_0')
      const { script, persistent, inMemory } = recording
      const task = await WindowTask.open(supplier, script)
      const answers: WindowAnswer[] = []
      try {
        for (const [n, operation] of script.ops.entries()) {
          answers.push(play(task, operation))
          await life.after(task, n)
        }
        task.commit()
      } finally {
        await supplier.close()
      }
      expect(answers.map(besidesBeginnings(script))).toEqual(persistent.answers.map(besidesBeginnings(script)))
      if (!script.retainDuplicates) {
        expect(answers.map(byKey)).toEqual(inMemory.answers.map(byKey))
        expect(task.expired).toBe(inMemory.dropped)
      }
      expectChangelog(task, recording)
    })
  })
})

const nameOf = ({ retentionMs, windowSizeMs, retainDuplicates }: WindowScript): string =>
  `${retentionMs} ms of ${windowSizeMs}${retainDuplicates ? ', duplicates' : ''}`

const bytes = (text: string | null): Buffer => Buffer.from(text ?? '', 'latin1')
const bound = (text: string | null): Buffer | null => (text === null ? null : bytes(text))
const rows = (entries: Iterable<WindowEntry>): WindowAnswer =>
  [...entries].map(({ key, windowStart, value }) => [key.toString('latin1'), windowStart, value.toString('latin1')])

function play({ store }: WindowTask, operation: WindowOperation): WindowAnswer {
  if (operation[0] === 'put') {
    store.put(bytes(operation[1]), operation[2], bound(operation[3]))
    return null
  }
  if (operation[0] === 'get') return store.get(bytes(operation[1]), operation[2])?.toString('latin1') ?? null
  if (operation[0] === 'all') return rows(store.all({ reverse: operation[1] }))
  if (operation[0] === 'fetchAll') return rows(store.fetchAll(operation[1], operation[2], { reverse: operation[3] }))
  if (operation[0] === 'fetch')
    return rows(store.fetch(bytes(operation[1]), operation[2], operation[3], { reverse: operation[4] }))
  const [, first, last, from, to, reverse] = operation
  return rows(store.fetchKeys(bound(first), bound(last), from, to, { reverse }))
}

/** Answers without the rows that Kafka Streams' range up to a longer key may lose. */
const besidesBeginnings =
  ({ ops }: WindowScript) =>
  (answer: WindowAnswer, n: number): WindowAnswer => {
    const operation = ops[n]
    if (operation?.[0] !== 'fetchKeys' || answer === null || typeof answer === 'string') return answer
    const last = operation[2]
    return last === null ? answer : answer.filter(([key]) => key === last || !last.startsWith(key))
  }

/** Rows of one key in their order, keys in any. */
function byKey(answer: WindowAnswer): unknown {
  if (answer === null || typeof answer === 'string') return answer
  return Object.groupBy(answer, ([key]) => key)
}

/** The same keys and last values, but for puts that were refused here. */
function expectChangelog(task: WindowTask, { script, persistent }: WindowRecording): void {
  const ours = new Map(task.changelog.map(({ key, value }) => [key.toString('hex'), value?.toString('latin1') ?? null]))
  const refused = refusedWindows(script)
  if (script.retainDuplicates) {
    const shown = (key: string, value: string | null): string => `${key.slice(0, -8)}=${value}`
    const theirs = persistent.changelog.filter(([, value]) => value !== null).map(([key, value]) => shown(key, value))
    const kept = theirs.filter((row) => !refused.has(row.split('=')[0] as string))
    const own = [...ours].map(([key, value]) => shown(key, value))
    expect(own.filter((row) => !refused.has(row.split('=')[0] as string)).sort()).toEqual(kept.sort())
    return
  }
  const theirs = persistent.changelog.filter(([key]) => !refused.has(key.slice(0, -8)))
  expect([...ours].filter(([key]) => !refused.has(key.slice(0, -8))).sort()).toEqual([...theirs].sort())
  expect(theirs.length).toBeGreaterThan(100)
}

/** Key and start, in hex, of every window that a put came too late for. */
function refusedWindows({ ops, retentionMs, retainDuplicates }: WindowScript): Set<string> {
  const refused = new Set<string>()
  let observed = -1
  for (const operation of ops) {
    if (operation[0] !== 'put' || (retainDuplicates && operation[3] === null)) continue
    const [, key, windowStart] = operation
    if (windowStart <= observed - retentionMs)
      refused.add(bytes(key).toString('hex') + windowStart.toString(16).padStart(16, '0'))
    else observed = Math.max(observed, windowStart)
  }
  return refused
}
