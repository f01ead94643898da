/** The checker, a process of its own: `check.ts --directory d [--kafka host:port] --expect file [--end]`. Its answer is one line of JSON. */

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Log } from '../../../connectors/kafka/index.ts'
import { rocksDatabases } from '../../../state-stores/index.ts'
import { bytesBehind, stateLagFindings, taskLags, taskPaths } from '../state-lag.ts'
import { ledgerFindings } from './checks.ts'
import { openLedgerLog, stateDirectoryOf, transactionalIdOf } from './log.ts'
import { openPartitions, readLedger } from './read.ts'

/** What the parent knows. */
export interface Expected {
  readonly seed: number
  readonly flushBytes: number
  readonly acknowledged: readonly (readonly [string, number])[]
  readonly committedBefore: readonly (readonly [string, string])[]
}

export interface CheckAnswer {
  readonly findings: readonly string[]
  readonly entries: number
  /** Records of all topics and changelogs that were read. */
  readonly records: number
  readonly bytesBehindMax: number
  readonly committed: readonly (readonly [string, string])[]
}

async function main(directory: string, kafka: string | null, expected: Expected, isEnd: boolean): Promise<CheckAnswer> {
  const notice = (line: string): void => void process.stderr.write(`check: ${line}\n`)
  const log = await openLedgerLog({ directory, kafka, notice })
  const caches = { blockCacheBytes: 8 * 1024 * 1024, writeBufferBytes: 1024 * 1024 }
  const databases = rocksDatabases({ directory: stateDirectoryOf(directory), notice, ...caches })
  try {
    if (kafka !== null) await settled(log)
    const lags = await taskLags(log, databases, await taskPaths(stateDirectoryOf(directory)))
    const data = await readLedger(log, databases)
    const { seed, flushBytes } = expected
    const acknowledged = new Map(expected.acknowledged)
    const committedBefore = new Map(expected.committedBefore.map(([place, offset]) => [place, BigInt(offset)]))
    const read = [data.entries, data.postings, data.moved, data.groups, data.checked].flat(2).length
    return {
      findings: [
        ...ledgerFindings(data, { seed, acknowledged, committedBefore, isEnd }),
        ...stateLagFindings(lags, flushBytes).map((line) => `K5 ${line}`),
      ],
      entries: data.entries.flat().length,
      records: read + data.stores.reduce((sum, { changelog }) => sum + changelog.length, 0),
      bytesBehindMax: Math.max(0, ...lags.map(({ stores }) => bytesBehind(stores))),
      committed: [...data.committed].map(([place, offset]) => [place, String(offset)]),
    }
  } finally {
    await databases.close()
    await log.close()
  }
}

/**
 * A broker goes on by itself: a transaction that was decided as its process died gets its markers while we read. Who opens its
 * id hears that it is over.
 */
async function settled(log: Log): Promise<void> {
  for (const application of ['ledger', 'audit']) {
    const transactionalId = transactionalIdOf(application)
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

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: { directory: text, kafka: text, expect: text, end: { type: 'boolean' } },
})
const expected = JSON.parse(readFileSync(values.expect ?? '', 'utf8')) as Expected
const answer = await main(values.directory ?? '', values.kafka ?? null, expected, values.end === true)
process.stdout.write(`${JSON.stringify(answer)}\n`)
