/** What a Kafka holds of processes that are gone: members in their groups, transactions that nobody has ended. */

import { Connection, listTransactionsV1 } from '@platformatic/kafka'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../connectors/kafka/index.ts'
import { applications } from './log.ts'

/** Longer than a group keeps a member that is silent, in ms. */
const patienceMs = 10_000

/** One line for each; those that their brokers forget in time are none. @param bootstrap of every node */
export async function leftBehind(log: Log, bootstrap: readonly string[]): Promise<readonly string[]> {
  const until = Date.now() + patienceMs
  for (let left = await lookOnce(log, bootstrap); ; left = await lookOnce(log, bootstrap)) {
    if (left.length === 0 || Date.now() > until) return left
    await sleep(200)
  }
}

async function lookOnce(log: Log, bootstrap: readonly string[]): Promise<readonly string[]> {
  const groups = await log.describeGroups(applications)
  const members = groups.flatMap(({ groupId, members: of }) =>
    of.map(({ memberId }) => `member ${memberId} is left in group ${groupId}`),
  )
  const open = await Promise.all(bootstrap.map((address) => openTransactions(address)))
  return [...members, ...open.flat()]
}

const unfinished = ['ONGOING', 'PREPARE_ABORT', 'COMMITTING'] as const

async function openTransactions(address: string): Promise<readonly string[]> {
  const [host = '', port] = address.split(':')
  const connection = new Connection('checker')
  try {
    await connection.connect(host, Number(port))
    const listed = await listTransactionsV1.api.async(connection, [...unfinished], [], -1n, null)
    return listed.transactionStates.map(
      ({ transactionalId, transactionState }) => `transaction of ${transactionalId} is ${transactionState}`,
    )
  } finally {
    await connection.close()
  }
}
