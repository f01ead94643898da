/** The checker, a process of its own: `check.ts --directory d --expect file [--end]`. One line of JSON is its answer. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { openEmbeddedLog } from '../../../connectors/kafka/index.ts'
import { rocksDatabases } from '../../../state-stores/index.ts'
import { machineClock, machineRandom } from '../../machine.ts'
import { bytesBehind, stateLagFindings, taskLags, taskPaths } from '../state-lag.ts'
import { ledgerFindings } from './checks.ts'
import { readLedger } from './read.ts'

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

async function main(directory: string, expected: Expected, isEnd: boolean): Promise<CheckAnswer> {
  const notice = (line: string): void => void process.stderr.write(`check: ${line}\n`)
  const log = await openEmbeddedLog({
    ...{ directory: join(directory, 'log'), clock: machineClock, random: machineRandom, notice },
    ...{ fsync: 'never', fsyncIntervalMs: 1000 },
  })
  const caches = { blockCacheBytes: 8 * 1024 * 1024, writeBufferBytes: 1024 * 1024 }
  const databases = rocksDatabases({ directory: join(directory, 'state'), notice, ...caches })
  try {
    const lags = await taskLags(log, databases, await taskPaths(join(directory, 'state')))
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

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { directory: text, expect: text, end: { type: 'boolean' } } })
const expected = JSON.parse(readFileSync(values.expect ?? '', 'utf8')) as Expected
const answer = await main(values.directory ?? '', expected, values.end === true)
process.stdout.write(`${JSON.stringify(answer)}\n`)
