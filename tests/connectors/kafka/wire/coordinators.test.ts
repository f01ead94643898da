/** Who is asked for a coordinator, when a node names one that is none (KM1). The nodes are ours, and name whom they are told to. */

import { findCoordinatorV4, heartbeatV4, metadataV12 } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { Cluster } from '../../../../connectors/kafka/wire/cluster.ts'
import type { Address, Connections, Route } from '../../../../connectors/kafka/wire/connections.ts'
import { Coordinators } from '../../../../connectors/kafka/wire/coordinators.ts'
import { HandClock } from '../hand-clock.ts'

const brokers = [1, 2].map((nodeId) => ({ nodeId, host: `node-${nodeId}`, port: 9092, rack: null }))
const notCoordinator = 16
const notAvailable = 15
const groups = ['g', 'h'].map((key) => ({ kind: 'group', key }) as const)

/** @param names the coordinator that a node names, null for none now */
async function coordinatorsOf(names: (host: string) => string | null): Promise<Coordinators> {
  const call = async ({ to }: Route, api: unknown): Promise<unknown> => {
    if (api === metadataV12.api) return { brokers, clusterId: 'c', topics: [] }
    expect(api).toBe(findCoordinatorV4.api)
    const host = names(to.host)
    return { coordinators: [{ errorCode: host === null ? notAvailable : 0, errorMessage: null, host, port: 9092 }] }
  }
  const connections = { call, isSilent: (_node: Address) => false } as unknown as Connections
  const cluster = new Cluster(connections, [{ host: 'node-1', port: 9092 }], new HandClock(), 1_000)
  await cluster.refresh([])
  return new Coordinators(cluster, connections)
}

test('one that says that it is none is sought at another node than the one that named it', async () => {
  const coordinators = await coordinatorsOf((host) => host)
  for (const group of groups) expect((await coordinators.find(group)).host).toBe('node-1')
  for (const group of groups) expect(() => coordinators.check(group, notCoordinator, 'Heartbeat')).toThrow()
  for (const group of groups) expect((await coordinators.find(group)).host).toBe('node-2')
})

test('so is one that does not answer', async () => {
  const coordinators = await coordinatorsOf((host) => host)
  const route = { lane: 'g', timeoutMs: 1_000 }
  await expect(coordinators.call(groups[0]!, route, heartbeatV4.api, 'g', 1, 'm', null)).rejects.toThrow()
  expect((await coordinators.find(groups[0]!)).host).toBe('node-2')
})

test('a node that knows of none is not asked twice in a row', async () => {
  const coordinators = await coordinatorsOf((host) => (host === 'node-1' ? null : host))
  await expect(coordinators.find(groups[0]!)).rejects.toMatchObject({ code: 'COORDINATOR_NOT_AVAILABLE' })
  expect((await coordinators.find(groups[0]!)).host).toBe('node-2')
})
