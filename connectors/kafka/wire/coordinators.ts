/**
 * Which broker coordinates a group or a transactional id. Remembered until it says that it does not any more, or gives no
 * answer; then another node is asked than the one that named it (KM1).
 */

import type { API } from '@platformatic/kafka'
import { findCoordinatorV4 } from '@platformatic/kafka'
import { LogError } from '../port.ts'
import type { Cluster, Told } from './cluster.ts'
import type { Address, Connections } from './connections.ts'
import { Unsent } from './connections.ts'
import { codeOf, errorOf, withCode } from './errors.ts'

/** Whom a coordinator is sought for. */
export interface Coordinated {
  readonly kind: 'group' | 'transaction'
  readonly key: string
}

export interface CoordinatorRoute {
  /** As in `connections.ts`. */
  readonly lane: string | null
  readonly timeoutMs: number
}

const kinds = { group: 0, transaction: 1 } as const

export class Coordinators {
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #known = new Map<string, Told<Address>>()

  constructor(cluster: Cluster, connections: Connections) {
    this.#cluster = cluster
    this.#connections = connections
  }

  /** @throws LogError COORDINATOR_NOT_AVAILABLE when it was not sent (BR1), TIMEOUT */
  async call<A extends unknown[], R>(of: Coordinated, route: CoordinatorRoute, api: API<A, R>, ...args: A): Promise<R> {
    const to = await this.find(of)
    try {
      return await this.#connections.call({ ...route, to }, api, ...args)
    } catch (error) {
      this.#forget(of)
      if (error instanceof Unsent) throw new LogError('COORDINATOR_NOT_AVAILABLE', error.message, 'retry', error)
      throw error
    }
  }

  /** @throws LogError unless the number is 0; one that speaks of the coordinator makes us look for it anew */
  check(of: Coordinated, number: number, what: string): void {
    if (number === 0) return
    const code = codeOf(number)
    if (code === 'NOT_COORDINATOR' || code === 'COORDINATOR_NOT_AVAILABLE') this.#forget(of)
    throw errorOf(number, what)
  }

  /** @throws LogError COORDINATOR_NOT_AVAILABLE while there is none */
  async find(of: Coordinated): Promise<Address> {
    const id = idOf(of)
    const known = this.#known.get(id)
    if (known !== undefined) return known.answer
    const { answer, turn } = await this.#cluster
      .told(findCoordinatorV4.api, kinds[of.kind], [of.key])
      .catch(withCode('COORDINATOR_NOT_AVAILABLE'))
    const [found] = answer.coordinators
    if (found === undefined || found.errorCode !== 0) this.#cluster.doubt(turn)
    if (found === undefined) throw new LogError('COORDINATOR_NOT_AVAILABLE', `no coordinator of ${id}`, 'retry')
    if (found.errorCode !== 0) throw errorOf(found.errorCode, `coordinator of ${id}`, found.errorMessage)
    const address = { host: found.host, port: found.port }
    this.#known.set(id, { answer: address, turn })
    return address
  }

  #forget(of: Coordinated): void {
    const known = this.#known.get(idOf(of))
    if (known === undefined) return
    this.#known.delete(idOf(of))
    this.#cluster.doubt(known.turn)
  }
}

const idOf = ({ kind, key }: Coordinated): string => `${kind} ${key}`
