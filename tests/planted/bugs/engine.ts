/** Bugs of the engine: what a commit, a task, a restore or an operator could get wrong. */

import type { PlantedBug } from '../bug.ts'
import { bug, bySeeds } from '../bug.ts'

const transaction = 'topology/runtime/transaction.ts'
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
    bySeeds('ledger'),
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
    caughtBy: bySeeds('ledger'),
  },
  bug(
    'the fencing of a producer at its commit is swallowed',
    transaction,
    'await ended\n',
    `await ended.catch((error: unknown) => {\n      if ((error as { code?: string }).code !== 'PRODUCER_FENCED') throw error\n    })\n`,
    bySeeds('calls', 23),
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
    {
      file: 'tests/topology/runtime/restore-target.test.ts',
      test: 'waits for a transaction that was open when it began',
    },
  ),
  bug('what a throwing step wrote stays in the state', step, '      this.#state.rollback()\n', '', bySeeds('poison')),
  bug(
    'what a throwing step sent is sent all the same',
    step,
    'for (const part of this.#staged) part.rollback()',
    'for (const part of this.#staged.slice(1)) part.rollback()',
    bySeeds('poison'),
  ),
  bug('rows of an aborted transaction stay in the state', taskSet, '    task.state.abort()\n', '', bySeeds('ledger')),
  bug(
    'a task that was given up goes on: its timers and records too',
    taskSet,
    '      else await this.#discardState(id, task.state)\n    }\n    this.#changed()',
    '      else await this.#discardState(id, task.state)\n    }',
    bySeeds('ledger'),
  ),
  bug(
    'positions are written in a second batch, before the rows',
    'state-stores/buffer/task-state.ts',
    'await this.#database.write(rows, positions)',
    'await this.#database.write([], positions)\n    await this.#database.write(rows, new Map())',
    bySeeds('ledger'),
  ),
  bug(
    'the gate of timers asks for the last stable offset',
    'topology/runtime/timer-gate.ts',
    `listOffsets(task.queues, 'latest')`,
    `listOffsets(task.queues, 'stable')`,
    { file: 'tests/topology/runtime/timers-backlog.test.ts', test: 'committed later: it saves' },
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
    'a worker forgets the start times of the calls of a task that it gave up',
    taskSet,
    'this.#memos.set(id, { ...noMemo, starts })',
    'void [id, starts]',
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
    'a timer that came due while the task was down does not wait out the grace',
    'topology/runtime/timers.ts',
    'dueAt < this.#startedAt ? this.#startedAt + this.#graceMs : dueAt',
    'dueAt < this.#startedAt ? this.#startedAt : dueAt',
    {
      file: 'tests/topology/runtime/timers-backlog.test.ts',
      test: 'with the saving event two services upstream, slower than ours, no deadline fires',
    },
  ),
  bug(
    'what the registry cannot give while it is down is a dead letter',
    'topology/runtime/fetcher.ts',
    `    } catch (error) {
      throw new EngineError(
        'PREPARE_FAILED',`,
    `    } catch (error) {
      return
      throw new EngineError(
        'PREPARE_FAILED',`,
    {
      file: 'tests/topology/runtime/fetcher.test.ts',
      test: 'that cannot be loaded now is tried again; the record is not poison',
    },
  ),
  bug(
    'each session has a transactional id of its own',
    transaction,
    'transactionalId: this.#transactionalId,',
    'transactionalId: `${this.#transactionalId}-${this.#clock.now()}`,',
    {
      file: 'tests/topology/runtime/workers.test.ts',
      test: 'fenced once it goes back and goes on; again and again it has a double, and stops with one line (W9)',
    },
  ),
  bug(
    'repartition records are dropped before their commit',
    'topology/runtime/committer.ts',
    '    const ends = await transaction.commit(this.#collector, group, offsets)',
    `    purge.committed(offsets)
    const ends = await transaction.commit(this.#collector, group, offsets)`,
    bySeeds('two-hop'),
  ),
  bug(
    'one repartition record too many is dropped',
    'topology/runtime/purge.ts',
    '{ topic, partition, offset })',
    '{ topic, partition, offset: offset + 2n })',
    bySeeds('two-hop'),
  ),
]
