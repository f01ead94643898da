/** What a node of a Kafka is told: its place, its listeners, and as many replicas as there are nodes for. */

import { join } from 'node:path'
import type { SecuredPorts } from './kafka-security.ts'

/** A node, and what stays its own while it is away. */
export interface Place {
  readonly id: number
  readonly directory: string
  /** Its server.properties. */
  readonly file: string
  readonly port: number
  readonly controllerPort: number
  readonly secured: SecuredPorts
  /** A second listener, whose address for clients is a proxy's in front of it. Brokers use the first among themselves. */
  readonly proxied: { readonly port: number; readonly proxyPort: number } | null
}

export const dataOf = (directory: string): string => join(directory, 'data')

export const propertiesOf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')

const loopback = (listener: string, port: number): string => `${listener}://127.0.0.1:${port}`

/** @param isAddress for clients, instead of where it listens */
function listenersOf({ port, controllerPort, proxied }: Place, isAddress: boolean): string {
  const own = [loopback('PLAINTEXT', port), loopback('CONTROLLER', controllerPort)]
  const second = proxied === null ? [] : [loopback('PROXIED', isAddress ? proxied.proxyPort : proxied.port)]
  return [...own, ...second].join(',')
}

export const settingsOf = (place: Place, all: readonly Place[]): Record<string, string> => {
  const { id, directory, controllerPort } = place
  const replicas = String(Math.min(3, all.length))
  const inSync = all.length >= 3 ? '2' : '1'
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.listener.names': 'CONTROLLER',
    ...(all.length === 1
      ? { 'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}` }
      : { 'controller.quorum.voters': all.map((one) => `${one.id}@127.0.0.1:${one.controllerPort}`).join(',') }),
    listeners: listenersOf(place, false),
    'advertised.listeners': listenersOf(place, true),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'log.dirs': dataOf(directory),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': '0',
  }
}
