/**
 * Transactions on pooled connections. Invariants:
 * T1 A transaction counts as committed only when COMMIT's command tag is COMMIT (a failed one answers ROLLBACK).
 * T2 A client goes back to the pool only when its session is known to be idle; in doubt it is destroyed.
 * T3 Settings about the viewer are local to the transaction, so nothing of one request is seen by the next.
 */

import { isAnswer, TransactionError } from './errors.ts'
import type { Pool, PoolClient } from './pool.ts'

/** Runs `work` in one transaction. @throws TransactionError, or what `work` threw (then everything is rolled back). */
export function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  return run(pool, 'BEGIN', work)
}

/** Who looks: a person of a client organization, or an agent of ours (then `tenantId` is null). */
export interface Viewer {
  readonly tenantId: string | null
  readonly userId: string
  readonly userType: 'client' | 'agent'
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Runs `work` in a READ ONLY transaction that sees what this viewer may see (row-level security, as the api role).
 * @throws TypeError when an id is not a UUID: the caller took it from a verified token.
 */
export async function readOnly<T>(pool: Pool, viewer: Viewer, work: (client: PoolClient) => Promise<T>): Promise<T> {
  for (const id of [viewer.tenantId, viewer.userId]) {
    if (id !== null && !uuid.test(id)) throw new TypeError('a viewer is named by UUIDs')
  }
  return run(pool, 'BEGIN READ ONLY', async (client) => {
    await client.query(
      `select set_config('app.tenant', $1, true), set_config('app.user_id', $2, true), set_config('app.user_type', $3, true)`,
      [viewer.tenantId ?? '', viewer.userId, viewer.userType],
    )
    return work(client)
  })
}

async function run<T>(pool: Pool, begin: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let doubt: Error | undefined
  try {
    await client.query(begin)
    const result = await work(client)
    await commit(client)
    return result
  } catch (error) {
    doubt = await settle(client, error)
    throw error
  } finally {
    client.release(doubt)
  }
}

/** T1. */
async function commit(client: PoolClient): Promise<void> {
  let tag: string
  try {
    tag = (await client.query('COMMIT')).command
  } catch (error) {
    if (isAnswer(error)) throw new TransactionError('ROLLED_BACK', 'the transaction was refused at commit', error)
    throw new TransactionError('OUTCOME_UNKNOWN', 'no answer to COMMIT', error)
  }
  if (tag !== 'COMMIT') throw new TransactionError('ROLLED_BACK', `COMMIT was answered with ${tag}`)
}

/** Rolls back after a failure; the error returned says that the client must not be used again (T2). */
async function settle(client: PoolClient, error: unknown): Promise<Error | undefined> {
  if (error instanceof TransactionError && error.code === 'OUTCOME_UNKNOWN') return error
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (rollbackError) {
    return rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError))
  }
}
