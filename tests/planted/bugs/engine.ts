/** Bugs of the engine: what a commit, a task, a restore or an operator could get wrong. */

import type { PlantedBug } from '../bug.ts'
import { bug, bySeeds } from '../bug.ts'

const transaction = 'topology/runtime/transaction.ts'
const worker = 'topology/runtime/application-worker.ts'
const step = 'topology/runtime/task-step.ts'
const task = 'topology/runtime/task.ts'
const taskSet = 'topology/runtime/task-set.ts'
const operator = 'topology/runtime/async-operator.ts'

export const engineBugs: readonly PlantedBug[] = [
  bug(
    'offsets are committed before the records they stand for',
    transaction,
    'session.begin()',
    `session.begin()\n    await session.sendOffsets(group, offsets)\n    await session.end('commit')\n    session.begin()`,
    bySeeds(),
  ),
  {
    name: 'the append of a changelog is not awaited, and its failure is forgotten',
    edits: [
      {
        file: transaction,
        find: 'note(await appended, counts, ends)',
        replace: 'void appended.then((answers) => note(answers, counts, ends)).catch(() => undefined)',
      },
      {
        file: 'connectors/kafka/client/producer-session.ts',
        find: 'if (transaction !== null) transaction.failure = failure',
        replace: 'void failure',
      },
    ],
    caughtBy: bySeeds(),
  },
  bug(
    'the fencing of a producer at its commit is swallowed',
    transaction,
    'await ended\n',
    `await ended.catch((error: unknown) => {\n      if ((error as { code?: string }).code !== 'PRODUCER_FENCED') throw error\n    })\n`,
    bySeeds(),
  ),
  bug(
    'a dead letter is written outside of the transaction',
    transaction,
    'session.begin()\n    const rounds = collector.take()',
    `session.begin()
    const all = collector.take()
    const rounds = all.map((round) => round.filter(({ topic }) => !topic.endsWith('.dlq')))
    for (const round of all) await session.append(round.filter(({ topic }) => topic.endsWith('.dlq')))
    await session.end('commit')
    session.begin()`,
    bySeeds('poison'),
  ),
  {
    name: 'a restore reads what was not committed',
    edits: [
      {
        file: 'topology/runtime/restore.ts',
        find: `isolation: 'read_committed'`,
        replace: `isolation: 'read_uncommitted'`,
      },
      {
        file: 'topology/runtime/changelog.ts',
        find: `reading.position, 'read_committed'`,
        replace: `reading.position, 'read_uncommitted'`,
      },
    ],
    caughtBy: bySeeds(),
  },
  bug(
    'a restore ends one short of the last stable offset',
    'topology/runtime/changelog.ts',
    `    log.listOffsets(partitions, 'latest'),`,
    `    log.listOffsets(partitions, 'stable').then((ends) => ends.map((end) => (end > 0n ? end - 1n : end))),`,
    bySeeds(),
  ),
  bug('what a throwing step wrote stays in the state', step, '      this.#state.rollback()\n', '', bySeeds()),
  bug(
    'what a throwing step sent is sent all the same',
    step,
    'for (const part of this.#staged) part.rollback()',
    'for (const part of this.#staged.slice(1)) part.rollback()',
    bySeeds('poison'),
  ),
  bug('rows of an aborted transaction stay in the state', taskSet, '    task.state.abort()\n', '', bySeeds()),
  bug(
    'a task that was given up goes on: its timers and records too',
    taskSet,
    '      else await this.#discardState(id, task.state)\n    }\n    this.#changed()',
    '      else await this.#discardState(id, task.state)\n    }',
    bySeeds(),
  ),
  bug(
    'a task that moves is not closed before the group goes on',
    worker,
    'await tasks.release(ids, committed)',
    'void committed',
    bySeeds(),
  ),
  bug(
    'positions are written in a second batch, before the rows',
    'state-stores/buffer/task-state.ts',
    'await this.#database.write(rows, positions)',
    'await this.#database.write([], positions)\n    await this.#database.write(rows, new Map())',
    bySeeds(),
  ),
  bug(
    'the gate of timers asks for the last stable offset',
    'topology/runtime/timer-gate.ts',
    `listOffsets(task.queues, 'latest')`,
    `listOffsets(task.queues, 'stable')`,
    bySeeds('timers'),
  ),
  bug(
    'a timer that came due while the task was down does not wait out the grace',
    'topology/runtime/timers.ts',
    'dueAt < this.#startedAt ? this.#startedAt + this.#graceMs : dueAt',
    'dueAt < this.#startedAt ? this.#startedAt : dueAt',
    bySeeds('timers'),
  ),
  bug(
    'a timer forgets that it fired',
    'topology/runtime/timers.ts',
    'this.#store.put(row, rowValue(none, timer.dueAt))',
    'this.#store.delete(row)',
    bySeeds('timers'),
  ),
  bug(
    'a record of a blocked key is processed',
    task,
    'const blocked = rawKey !== null && this.#poison.isBlocked(rawKey)',
    'const blocked = rawKey !== null && head.offset % 2n === 0n && this.#poison.isBlocked(rawKey)',
    bySeeds('poison'),
  ),
  bug(
    'which calls are open is not committed',
    'topology/runtime/open-offsets.ts',
    'this.#done.put(row, offsetList(next, open))',
    'void next',
    bySeeds('calls'),
  ),
  bug(
    'the row of a call that waited stays in the waiting store',
    operator,
    '        if (entry.row !== null) this.#waiting.delete(entry.row)\n        this.#staged.push(() => this.#close(entry))',
    '        this.#staged.push(() => this.#close(entry))',
    bySeeds('calls'),
  ),
  bug(
    'answers of finished calls are forgotten with an abort',
    operator,
    'return { calls, starts: this.#limits.started }',
    'return { calls: new Map([...calls].slice(0, 0)), starts: this.#limits.started }',
    bySeeds('calls'),
  ),
  bug(
    'the commit goes past calls that are open',
    task,
    'this.#operator?.lowestOpen(topic, partition) ?? position',
    'position',
    bySeeds('calls'),
  ),
  bug(
    'an answer to a fetch from before the tasks went back is taken',
    'topology/runtime/fetcher.ts',
    '      if (generation !== this.#generation) return\n      this.#abort = null\n      for',
    '      this.#abort = null\n      for',
    bySeeds(),
  ),
  bug(
    'the partition with the lowest offset goes first, not the lowest timestamp',
    task,
    'lowest = head.timestamp',
    'lowest = Number(head.offset)',
    bySeeds(),
  ),
]
