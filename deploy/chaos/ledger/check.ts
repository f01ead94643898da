/** The checker, a process of its own: `check.ts <file>`, the file being what it should find. Its answer is one line of JSON. */

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { rocksDatabases } from '../../../state-stores/index.ts'
import type { TaskLag } from '../state-lag.ts'
import { bytesBehind, stateLagFindings, taskLags, taskPaths } from '../state-lag.ts'
import { ledgerFindings } from './checks.ts'
import { applications, openLedgerLog, stateDirectoryOf, transactionalIdOf } from './log.ts'
import { leftBehind } from './left-behind.ts'
import type { LedgerData } from './read.ts'
import { openPartitions, readLedger } from './read.ts'

/** What the parent knows. */
export interface Expected {
  readonly seed: number
  readonly flushBytes: number
  readonly acknowledged: readonly (readonly [producer: string, last: number])[]
  readonly slow: readonly (readonly [producer: string, first: number, last: number])[]
  readonly committedBefore: readonly (readonly [place: string, offset: string])[]
  readonly isEnd: boolean
  /** host:port of brokers; null for the embedded log, which is in the first directory. */
  readonly kafka: string | null
  /** Every process that has been there, and a copy of its directory. */
  readonly processes: readonly (readonly [name: string, directory: string])[]
}

export interface CheckAnswer {
  readonly findings: readonly string[]
  readonly entries: number
  /** Records of all topics and changelogs that were read. */
  readonly records: number
  readonly bytesBehindMax: number
  readonly committed: readonly (readonly [string, string])[]
}

const notice = (line: string): void => void process.stderr.write(`check: ${line}\n`)
const caches = { blockCacheBytes: 8 * 1024 * 1024, writeBufferBytes: 1024 * 1024 }

async function main(expected: Expected): Promise<CheckAnswer> {
  const { kafka, processes, seed, isEnd } = expected
  const log = await openLedgerLog({ directory: processes[0]![1], kafka, notice })
  const states = processes.map(([name, directory]): State => {
    const own = stateDirectoryOf(directory)
    return { name, directory: own, databases: rocksDatabases({ directory: own, notice, ...caches }) }
  })
  try {
    if (kafka !== null) await settled(log, expected)
    const lags = await lagsOf(log, states)
    const left = kafka !== null && isEnd ? await leftBehind(log, kafka.split(',')) : []
    const data = { ...(await readLedger(log, states)), left }
    const findings = ledgerFindings(data, {
      ...{ seed, isEnd, acknowledged: new Map(expected.acknowledged), slow: expected.slow },
      committedBefore: new Map(expected.committedBefore.map(([place, offset]) => [place, BigInt(offset)])),
    })
    return { ...answerOf(data, lags), findings: [...findings, ...lagFindings(lags, expected.flushBytes)] }
  } finally {
    await Promise.all(states.map(({ databases }) => databases.close()))
    await log.close()
  }
}

interface State {
  readonly name: string
  readonly directory: string
  readonly databases: StateDatabaseSupplier
}

/** Of each process. */
const lagsOf = async (log: Log, states: readonly State[]): Promise<readonly (readonly TaskLag[])[]> =>
  Promise.all(states.map(async ({ directory, databases }) => taskLags(log, databases, await taskPaths(directory))))

/** No process is ahead of the log; and of those that have a task's state one is as near to it as its owner must be. */
function lagFindings(lags: readonly (readonly TaskLag[])[], flushBytes: number): string[] {
  const ahead = lags.flatMap((of) => stateLagFindings(of, Infinity))
  return [...ahead, ...stateLagFindings(nearest(lags), flushBytes)].map((line) => `K5 ${line}`)
}

function nearest(lags: readonly (readonly TaskLag[])[]): TaskLag[] {
  const byTask = Map.groupBy(lags.flat(), ({ task }) => task)
  return [...byTask.values()].map((of) => {
    // A process that was never given the task has written none of its stores.
    const had = of.filter(({ stores }) => stores.some(({ position }) => position !== null))
    return (had.length > 0 ? had : of).reduce((best, lag) =>
      bytesBehind(lag.stores) < bytesBehind(best.stores) ? lag : best,
    )
  })
}

function answerOf(data: LedgerData, lags: readonly (readonly TaskLag[])[]): Omit<CheckAnswer, 'findings'> {
  const { entries, postings, moved, groups, checked, passed, dead } = data
  const read = [entries, postings, moved, groups, checked, passed, dead].flat(2).length
  return {
    entries: entries.flat().length,
    records: read + data.stores.reduce((sum, { changelog }) => sum + changelog.length, 0),
    bytesBehindMax: Math.max(0, ...nearest(lags).map(({ stores }) => bytesBehind(stores))),
    committed: [...data.committed].map(([place, offset]) => [place, String(offset)]),
  }
}

/**
 * A broker goes on by itself: a transaction that was decided as its process died gets its markers while we read. Who opens its
 * id hears that it is over.
 */
async function settled(log: Log, { processes }: Expected): Promise<void> {
  for (const [name] of processes)
    for (const application of applications) {
      const transactionalId = transactionalIdOf(application, name)
      await (await log.openProducer({ transactionalId, transactionTimeoutMs: 10_000 })).close()
    }
  const until = Date.now() + settleMs
  for (let open = await openPartitions(log); open.length > 0; open = await openPartitions(log)) {
    if (Date.now() > until) throw new Error(`transactions hang: ${open.join(', ')}`)
    await sleep(100)
  }
}

/** The longest that markers of what is decided may take, in ms. */
const settleMs = 60_000

const answer = await main(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Expected)
process.stdout.write(`${JSON.stringify(answer)}\n`)
