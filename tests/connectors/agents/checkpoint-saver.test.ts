/** What the official suite does not ask of the saver: prefixes of its rows, compaction, clocks that disagree. */

import { Annotation, Command, END, START, StateGraph, interrupt } from '@langchain/langgraph'
import { emptyCheckpoint } from '@langchain/langgraph-checkpoint'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CheckpointRow, CheckpointRows, RowRange } from '../../../connectors/agents/checkpoint-rows.ts'
import { rowKey } from '../../../connectors/agents/checkpoint-rows.ts'
import { RowCheckpointSaver } from '../../../connectors/agents/checkpoint-saver.ts'
import { packParts, unpackParts } from '../../../connectors/agents/packed-parts.ts'
import { RowOverlay } from '../../../connectors/agents/row-overlay.ts'

/** Rows with a changelog; dies in the middle of a batch when it has `rowsLeft` rows. */
class LoggedRows implements CheckpointRows {
  readonly log: CheckpointRow[] = []
  readonly #rows = new RowOverlay()
  #left: number

  constructor(log: readonly CheckpointRow[] = [], rowsLeft = Infinity) {
    this.#left = Infinity
    for (const row of log) this.write([row])
    this.#left = rowsLeft
  }

  get(key: Buffer): Buffer | undefined {
    return this.#rows.get(key)
  }

  range(range: RowRange): Iterable<readonly [Buffer, Buffer]> {
    return this.#rows.range(range)
  }

  write(rows: readonly CheckpointRow[]): void {
    for (const row of rows) {
      if (this.#left-- <= 0) throw new Error('killed')
      this.#rows.write([row])
      this.log.push(row)
    }
  }
}

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
  by: Annotation<string>(),
})

/** Two tasks side by side, one after them that a person decides, one at the end. */
function review(rows: CheckpointRows, tenant: string) {
  return new StateGraph(State)
    .addNode('left', () => ({ log: [`${tenant} left`] }))
    .addNode('right', () => ({ log: [`${tenant} right`] }))
    .addNode('approve', () => ({ by: interrupt<string, string>('who?') }))
    .addNode('end', ({ by }) => ({ log: [`${tenant} by ${by}`] }))
    .addEdge(START, 'left')
    .addEdge(START, 'right')
    .addEdge(['left', 'right'], 'approve')
    .addEdge('approve', 'end')
    .addEdge('end', END)
    .compile({ checkpointer: new RowCheckpointSaver(rows) })
}

const tenants = ['acme', 'globex'] as const
const configOf = (tenant: string) => ({ configurable: { thread_id: `${tenant}|d1|v1` }, durability: 'sync' as const })

/** Runs the review of both tenants as far as the rows allow; goes on where an earlier run has ended. */
async function play(rows: CheckpointRows): Promise<Record<string, readonly string[]>> {
  const ended: Record<string, readonly string[]> = {}
  for (const tenant of tenants) {
    const graph = review(rows, tenant)
    const config = configOf(tenant)
    const saved = await graph.getState(config)
    if (saved.config.configurable?.['checkpoint_id'] === undefined) await graph.invoke({ log: [] }, config)
    else await graph.invoke(null, config)
    const waiting = await graph.getState(config)
    if (waiting.tasks.some(({ interrupts }) => interrupts.length > 0))
      await graph.invoke(new Command({ resume: 'Ada' }), config)
    ended[tenant] = ((await graph.getState(config)).values as { log: string[] }).log
  }
  return ended
}

describe('the rows of a run', () => {
  test('after any of them a run that was killed goes on from the rows alone, to the same end (CS1, CS2)', async () => {
    const whole = new LoggedRows()
    const expected = await play(whole)
    expect(expected).toEqual({
      acme: ['acme left', 'acme right', 'acme by Ada'],
      globex: ['globex left', 'globex right', 'globex by Ada'],
    })
    for (let kept = 0; kept < whole.log.length; kept++) {
      const killed = new LoggedRows([], kept)
      await play(killed).catch(() => undefined)
      expect(killed.log).toHaveLength(kept)
      expect(await play(new LoggedRows(killed.log)), `killed after row ${kept}`).toEqual(expected)
    }
  })

  test('a task that runs again does not overwrite what it has written, but for an error (CS3)', async () => {
    const saver = new RowCheckpointSaver(new RowOverlay())
    for (const tenant of tenants) {
      const config = await saver.put(
        configOf(tenant),
        emptyCheckpoint(),
        { source: 'input', step: -1, parents: {} },
        {},
      )
      await saver.putWrites(config, [['a', 1], ['__error__', 'one']], 'task') // prettier-ignore
      await saver.putWrites(config, [['a', 2], ['__error__', 'two']], 'task') // prettier-ignore
      const tuple = await saver.getTuple(config)
      expect(tuple?.pendingWrites).toEqual([['task', '__error__', 'two'], ['task', 'a', 1]]) // prettier-ignore
    }
  })
})

describe('compaction (CS4)', () => {
  test('keeps the newest checkpoints of a thread and nothing that they do not need; other threads stay', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), async (keep, runs) => {
        const rows = new LoggedRows()
        const saver = new RowCheckpointSaver(rows)
        for (let run = 0; run < runs; run++)
          for (const tenant of tenants) await review(rows, tenant).invoke({ log: [String(run)] }, configOf(tenant))
        const before = { acme: await all(saver, 'acme'), globex: await all(saver, 'globex') }
        await saver.compact('acme|d1|v1', keep)
        const { length } = before.acme
        expect(await all(saver, 'acme')).toEqual(before.acme.slice(0, Math.min(keep, length)))
        expect(await all(saver, 'globex')).toEqual(before.globex)
        const needed = new Set<string>()
        for (const { checkpoint } of before.acme.slice(0, keep)) {
          needed.add(`c ${checkpoint.id}`)
          for (const [channel, version] of Object.entries(checkpoint.channel_versions))
            needed.add(`b ${channel} ${version}`)
        }
        for (const id of rowIds(rows, 'acme|d1|v1')) expect(needed).toContain(id)
        // It goes on from what is left.
        await review(rows, 'acme').invoke(new Command({ resume: 'Ada' }), configOf('acme'))
      }),
      { numRuns: 15 },
    )
  })

  test('what was put last is the newest, also when the clock that named the others was ahead', async () => {
    const rows = new LoggedRows()
    for (const tenant of tenants) await review(rows, tenant).invoke({ log: [] }, configOf(tenant))
    const ahead = new RowCheckpointSaver(rows)
    const tuple = await ahead.getTuple(configOf('acme'))
    const late = { ...(tuple?.checkpoint ?? emptyCheckpoint()), id: 'ffffffff-ffff-6fff-bfff-ffffffffffff' }
    await ahead.put(configOf('acme'), late, { source: 'loop', step: 9, parents: {} }, {})
    const saver = new RowCheckpointSaver(rows)
    const now = { ...late, id: emptyCheckpoint().id }
    await saver.put(configOf('acme'), now, { source: 'loop', step: 10, parents: {} }, {})
    await saver.compact('acme|d1|v1', 1)
    expect((await all(saver, 'acme')).map(({ checkpoint }) => checkpoint.id)).toEqual([now.id])
    expect(await all(saver, 'globex')).not.toEqual([])
  })

  test.each([0, -1, 1.5])('%d kept checkpoints are refused', async (keep) => {
    await expect(new RowCheckpointSaver(new RowOverlay()).compact('t', keep)).rejects.toThrow('at least 1')
  })
})

test('a thread that is deleted leaves no row, and its neighbour all of them', async () => {
  const rows = new LoggedRows()
  await play(rows)
  const before = rowIds(rows, 'globex|d1|v1')
  await new RowCheckpointSaver(rows).deleteThread('acme|d1|v1')
  expect(rowIds(rows, 'acme|d1|v1')).toEqual([])
  expect(rowIds(rows, 'globex|d1|v1')).toEqual(before)
})

test('an id with a zero byte, which separates the parts of a key, is refused', () => {
  expect(() => rowKey('c', 'a\0b')).toThrow('zero byte')
})

describe('rows in memory over rows that were read', () => {
  const row = (key: string, value: string | null): CheckpointRow => ({ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }) // prettier-ignore

  test('tell each change once, and none that came to nothing', () => {
    const rows = new RowOverlay([[Buffer.from('a'), Buffer.from('1')], [Buffer.from('b'), Buffer.from('2')], [Buffer.from('c'), Buffer.from('3')]]) // prettier-ignore
    rows.write([row('a', null), row('b', '4'), row('d', '5'), row('e', '6')])
    rows.write([row('a', '1'), row('c', null), row('e', null), row('d', '7')])
    expect(rows.changes()).toEqual([row('b', '4'), row('c', null), row('d', '7')])
    const all = { gte: Buffer.from('a'), lt: Buffer.from('z') }
    expect(rows.range({ ...all, reverse: true, limit: 2 }).map(([key]) => key.toString())).toEqual(['d', 'b'])
  })
})

test('packed parts come apart as they were; what ends inside a part is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (parts) => {
      const buffers = parts.map((part) => Buffer.from(part))
      expect(unpackParts(packParts(buffers))).toEqual(buffers)
    }),
  )
  expect(() => unpackParts(packParts([Buffer.from('abc')]).subarray(0, 5))).toThrow(RangeError)
})

const all = (saver: RowCheckpointSaver, tenant: string) => Array.fromAsync(saver.list(configOf(tenant)))

/** `c <checkpoint>`, `b <channel> <version>`; the writes of a checkpoint count as it. */
function rowIds(rows: CheckpointRows, thread: string): string[] {
  const everything = { gte: Buffer.from([0]), lt: Buffer.from([255]) }
  return Array.from(rows.range(everything), ([key]) => key.toString('utf8').split('\0'))
    .filter((parts) => parts[1] === thread)
    .map(([kind = '', , , ...rest]) => (kind === 'b' ? ['b', ...rest] : ['c', rest[0]]).join(' '))
}
