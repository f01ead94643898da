/** What must be true of an instance after the kills; `chaos.ts` says which. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedLog } from '../../connectors/kafka/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import { topics } from '../../schemas/index.ts'
import { projections } from '../../sinks/index.ts'
import { askAdmin } from '../admin-socket.ts'
import { machineClock, machineRandom } from '../machine.ts'
import { collectEventIds } from './event-ids.ts'
import type { Rows } from './rows.ts'
import { differentRows, embeddedDatabaseUrl, readRows } from './rows.ts'

/** K3: a rebuild gives the rows that stand there, and calls nobody. */
export async function checkRebuild(
  dataDir: string,
  url: string,
  say: (line: string) => void,
): Promise<{ rows: number; findings: readonly string[] }> {
  const callsBefore = await providerCalls(url)
  const before = await rowsNow(dataDir)
  await askAdmin(dataDir, { command: 'projections rebuild', args: ['all'] }, say)
  await caughtUp(url)
  const after = await rowsNow(dataDir)
  const callsAfter = await providerCalls(url)
  const findings = differentRows(before, after)
  if (callsAfter !== callsBefore) findings.push(`the rebuild called providers ${callsAfter - callsBefore} times`)
  return { rows: [...after.values()].reduce((sum, rows) => sum + rows.length, 0), findings }
}

async function rowsNow(dataDir: string): Promise<Rows> {
  const pool = openPool(embeddedDatabaseUrl(dataDir), { applicationName: 'chaos', max: 1, statementTimeoutMs: 60_000 })
  try {
    return await readRows(
      pool,
      projections.flatMap(({ tables }) => tables.map(({ name }) => `lifecycle.${name}`)),
    )
  } finally {
    await pool.end()
  }
}

async function providerCalls(url: string): Promise<number> {
  const response = await fetch(`${url}/sandbox/calls?limit=1`)
  return ((await response.json()) as { total: number }).total
}

async function caughtUp(url: string): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    const { lag } = (await (await fetch(`${url}/health`)).json()) as { lag: Readonly<Record<string, number>> }
    if (Object.values(lag).every((records) => records === 0)) return
    await sleep(100)
  }
  throw new Error('the sinks did not catch up after the rebuild')
}

/** K2: reads the log of a stopped instance. */
export async function checkEventIds(dataDir: string): Promise<{ events: number; repeated: readonly string[] }> {
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    clock: machineClock,
    random: machineRandom,
    fsync: 'never',
    fsyncIntervalMs: 1000,
    notice: () => undefined,
  })
  try {
    return await collectEventIds(
      log,
      topics.map(({ name }) => name),
    )
  } finally {
    await log.close()
  }
}
