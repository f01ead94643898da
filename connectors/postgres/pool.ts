/** Connections to PostgreSQL: one pool per database role, bounded in number and in time. */

import pg from 'pg'

export type Pool = pg.Pool
export type PoolClient = pg.PoolClient
/** What can run a statement: a pool, or a client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>

export interface PoolOptions {
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string
  /** Most connections; 8 unless told. */
  readonly max?: number
  /** How long to wait for a connection, in ms. */
  readonly connectTimeoutMs?: number
  /** The server ends a statement that runs longer, in ms. */
  readonly statementTimeoutMs?: number
  /** The server ends a wait for a lock that lasts longer, in ms. */
  readonly lockTimeoutMs?: number
  /** One line about a connection lost while idle. */
  readonly notice?: (line: string) => void
}

/**
 * A pool of connections. Values of type int8 and numeric arrive as strings (exact); timestamptz as Date.
 * A client lost at any moment is one notice, never an unhandled 'error' event that ends the process.
 */
export function openPool(url: string, options: PoolOptions): Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 10_000
  const pool = new pg.Pool({
    connectionString: url,
    application_name: options.applicationName,
    max: options.max ?? 8,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    allowExitOnIdle: true,
    statement_timeout: statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? Math.min(5_000, statementTimeoutMs),
    idle_in_transaction_session_timeout: 30_000,
    // The server's limit comes first; this one is for a server that no longer answers.
    query_timeout: statementTimeoutMs + 5_000,
  })
  const lost = (error: Error): void => {
    // Connections that end while the pool does are no news.
    if (!pool.ending) options.notice?.(`database connection lost (${options.applicationName}): ${error.message}`)
  }
  pool.on('error', lost)
  // A checked-out client has no listener of the pool's: without this one its 'error' event would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
