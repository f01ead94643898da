/**
 * Connections to the nodes of a cluster. A broker answers the requests of one connection in their order, so whoever may wait
 * long has one of its own: a *lane* is a connection to a node under a name, made when it is first needed.
 *
 *   KC1  A request that fails before a byte of it was sent had no effect, and is said to be unsent. Any other that gets no
 *       answer is TIMEOUT: nobody knows.
 *   KC2  A connection on which an answer is overdue is closed: an answer that comes later is nobody's.
 *   KC3  Requests that wait at the broker by their meaning have a lane to themselves while they wait.
 *   KC4  Nothing is sent while a connection shows its credentials again: the broker would close it.
 *   KC5  A node that could not be reached, or let a request's time pass, counts as silent until it answers one.
 */

import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { API, ConnectionOptions, SASLOptions } from '@platformatic/kafka'
import {
  AuthenticationError,
  Connection,
  ConnectionStatuses,
  GenericError,
  NetworkError,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface SaslCredentials {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

export interface ConnectionSettings {
  /** Seen in the broker's logs and quotas. */
  readonly clientId: string
  /** Speaks TLS when given, `{}` for the system's certificates. */
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslCredentials | undefined
  readonly connectTimeoutMs: number
}

/** A request that was not sent (KC1). What that means to the caller is the caller's to say. */
export class Unsent extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'Unsent'
  }
}

/** Where a request goes, and how long its answer may take. */
export interface Route {
  readonly to: Address
  /** Null for one that nobody else uses meanwhile (KC3). */
  readonly lane: string | null
  /** From the moment it is sent, in ms. */
  readonly timeoutMs: number
}

interface Lane {
  readonly connection: Connection
  readonly ready: Promise<void>
}

/** Requests of one connection that may be on their way at once. */
const maxInFlight = 64
/** Longer than any of our own bounds: the library's must not end a request first. */
const never = 0x7fff_ffff

export class Connections {
  readonly #settings: ConnectionSettings
  readonly #clock: Clock
  readonly #lanes = new Map<string, Lane>()
  /** Names of lanes for one at a time that nobody uses now, by node. */
  readonly #free = new Map<string, string[]>()
  /** KC5, by name. */
  readonly #silent = new Set<string>()
  #named = 0
  #closed = false
  /** Whether the settings have been right once: what looks like a wrong one afterwards is trouble. */
  #wasReady = false

  constructor(settings: ConnectionSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /**
   * One request, and its answer. An answer with an error in it is an answer.
   * @throws Unsent, LogError TIMEOUT, AUTHENTICATION_FAILED, CLOSED
   */
  async call<A extends unknown[], R>({ to, lane, timeoutMs }: Route, api: API<A, R>, ...args: A): Promise<R> {
    if (lane !== null) return this.#call(to, lane, api, args, timeoutMs)
    const node = nameOf(to)
    let free = this.#free.get(node)
    if (free === undefined) this.#free.set(node, (free = []))
    const own = free.pop() ?? `waiting ${this.#named++}`
    try {
      return await this.#call(to, own, api, args, timeoutMs)
    } finally {
      free.push(own)
    }
  }

  /** KC5 */
  isSilent(node: Address): boolean {
    return this.#silent.has(nameOf(node))
  }

  async close(): Promise<void> {
    this.#closed = true
    const lanes = [...this.#lanes.values()]
    this.#lanes.clear()
    await Promise.allSettled(
      lanes.map(async ({ connection, ready }) => {
        await ready.catch(() => undefined)
        // What is still on its way has no reader any more.
        connection.socket?.destroy()
      }),
    )
  }

  async #call<A extends unknown[], R>(
    to: Address,
    lane: string,
    api: API<A, R>,
    args: A,
    timeoutMs: number,
  ): Promise<R> {
    const connection = await this.#connected(to, lane)
    const what = `request ${api.key} to ${nameOf(to)}`
    const { promise, resolve, reject } = Promise.withResolvers<R>()
    const cancel = this.#clock.after(timeoutMs, () => {
      reject(new LogError('TIMEOUT', `${what}: no answer in ${timeoutMs} ms`, 'retry'))
      this.#silent.add(nameOf(to))
      this.#forget(connection)
      connection.socket.destroy()
    })
    api.async(connection, ...args).then(resolve, reject)
    try {
      const answer = await promise
      this.#silent.delete(nameOf(to))
      return answer
    } catch (error) {
      if (error instanceof ResponseError) {
        this.#silent.delete(nameOf(to))
        return error['response'] as R
      }
      if (error instanceof LogError) throw error
      // It was sent: what it did is as unknown as ever.
      if (this.#closed) throw new LogError('TIMEOUT', `${what}: the log was closed before its answer`, 'stop', error)
      // Anything else is no trouble of the network, but ours.
      if (!(error instanceof GenericError)) throw error
      throw new LogError('TIMEOUT', `${what}: ${reasonOf(error)}`, 'retry', error)
    } finally {
      cancel()
    }
  }

  async #connected(to: Address, name: string): Promise<Connection> {
    if (this.#closed) throw closed()
    const id = `${nameOf(to)} ${name}`
    const lane = this.#lanes.get(id) ?? this.#open(to, id)
    try {
      await lane.ready
      this.#wasReady = true
      // KC4
      if (lane.connection.status === ConnectionStatuses.REAUTHENTICATING) await lane.connection.ready()
    } catch (error) {
      if (this.#closed) throw closed()
      if (isRefused(error, this.#wasReady))
        throw new LogError('AUTHENTICATION_FAILED', `${nameOf(to)}: ${reasonOf(error)}`, 'stop', error)
      this.#silent.add(nameOf(to))
      throw new Unsent(`${nameOf(to)}: ${reasonOf(error)}`, error)
    }
    if (this.#closed) throw closed()
    // A socket that was destroyed says so a moment later.
    if (!lane.connection.isConnected() || lane.connection.socket.destroyed)
      throw new Unsent(`${nameOf(to)}: the connection was closed`, null)
    return lane.connection
  }

  #open({ host, port }: Address, id: string): Lane {
    const { clientId, tls, sasl, connectTimeoutMs } = this.#settings
    const options: ConnectionOptions = {
      connectTimeout: connectTimeoutMs,
      requestTimeout: never,
      maxInflights: maxInFlight,
      // An address is no name that a server could be asked for by.
      ...(tls === undefined ? {} : { tls: { ...(isNumeric(host) ? {} : { servername: host }), ...tls } }),
      ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
    }
    const connection = new Connection(clientId, options)
    const lane: Lane = { connection, ready: connection.connect(host, port) as Promise<void> }
    this.#lanes.set(id, lane)
    const gone = (): void => {
      this.#forget(connection)
      // One that is gone goes on with its timers otherwise, and shows its credentials to nobody.
      if (connection.status === ConnectionStatuses.CLOSED) connection.close(() => undefined)
    }
    // Who waits for the connection hears of its failure; later ones end the requests that are on their way.
    connection.on('error', gone)
    connection.on('close', gone)
    connection.on('closing', gone)
    lane.ready.catch(gone)
    return lane
  }

  /** The next request on its lane opens another. */
  #forget(connection: Connection): void {
    for (const [id, lane] of this.#lanes) if (lane.connection === connection) this.#lanes.delete(id)
  }
}

/** An address of IPv4 or IPv6, not a name. */
const isNumeric = (host: string): boolean => /^[\d.]+$|:/.test(host)

export const nameOf = ({ host, port }: Address): string => `${host}:${port}`

/**
 * Trying again would not help: the credentials are wrong, or one side speaks TLS and the other does not. A node that goes away
 * in the middle of a handshake looks like the latter, and is not once the settings were right.
 */
function isRefused(error: unknown, wasReady: boolean): boolean {
  const causes = causesOf(error)
  // What the library wraps around it is always trouble of the network; what lies beneath is why.
  const refusal = causes.findIndex((cause) => cause instanceof AuthenticationError)
  if (refusal >= 0) return !causes.slice(refusal).some(isOfNetwork)
  return !wasReady && causes.some((cause) => cause instanceof UserError)
}

const isOfNetwork = (cause: Error): boolean =>
  cause instanceof NetworkError || cause instanceof TimeoutError || 'syscall' in cause

function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause)
  return causes
}

/** The deepest cause says most: ECONNREFUSED instead of "connection failed". Of an answer its error, and the broker's words. */
function reasonOf(error: unknown): string {
  const deepest = causesOf(error).at(-1)
  if (!(deepest instanceof ResponseError)) return deepest?.message ?? String(error)
  const { apiId, serverErrorMessage } = deepest.errors[0] as { apiId?: string; serverErrorMessage?: string | null }
  return [apiId ?? deepest.message, serverErrorMessage].filter((said) => said != null && said !== '').join(': ')
}

const closed = (): LogError => new LogError('CLOSED', 'the log is closed', 'stop')
