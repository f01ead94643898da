/** The stream applications of this process: the services it hosts, and the effect worker. */

import { join } from 'node:path'
import { effectsTopology } from '../connectors/effects/index.ts'
import type { Provider } from '../connectors/effects/index.ts'
import { compileService, services } from '../processors/index.ts'
import type { EventTopic } from '../schemas/index.ts'
import { topics } from '../schemas/index.ts'
import { StateBudget, rocksDatabases } from '../state-stores/index.ts'
import type { Topology } from '../topology/index.ts'
import { Worker, defaultRuntimeSettings } from '../topology/index.ts'
import type { Config } from './config.ts'
import type { Foundation } from './foundation.ts'
import { machineClock } from './machine.ts'

export interface Streams {
  readonly worker: Worker
  close(): Promise<void>
}

/** Topologies this process hosts by its ROLES and SERVICES. */
export function hostedTopologies(foundation: Foundation, providers: readonly Provider[]): Topology[] {
  const { config, keyRing, codec } = foundation
  const hosted = config.roles.includes('worker') ? services().filter(({ name }) => isHosted(config, name)) : []
  const compiled = hosted.map((service) => compileService(service, { event: codec, keyRing }))
  if (!config.roles.includes('effects')) return compiled
  return [...compiled, effectsTopology({ providers, topics: callTopics(), codec, clock: machineClock })]
}

const isHosted = (config: Config, service: string): boolean =>
  config.services === 'all' || config.services.includes(service)

/** Topics that some service of today writes calls to: the others would be read for nothing. */
function callTopics(): EventTopic[] {
  const written = new Set(
    services().flatMap((service) =>
      service.processors.flatMap((processor) => processor.writes.map((topic) => topic.name)),
    ),
  )
  return topics.filter(
    (topic) => written.has(topic.name) && 'call_requested' in topic.events,
  ) as unknown as EventTopic[]
}

/** One database per task: they share the budget evenly. */
async function taskCount(foundation: Foundation, topologies: readonly Topology[]): Promise<number> {
  const parts = topologies.reduce((sum, topology) => sum + topology.subTopologies.length, 0)
  const known = await foundation.log.metadata(topics.map((topic) => topic.name))
  return Math.max(1, parts * Math.max(1, ...known.map((topic) => topic.partitions)))
}

export async function startStreams(
  foundation: Foundation,
  providers: readonly Provider[],
  notice: (line: string) => void,
  failed: (error: Error) => void,
): Promise<Streams> {
  const { config, log, processId } = foundation
  const topologies = hostedTopologies(foundation, providers)
  const databases = rocksDatabases({
    databases: await taskCount(foundation, topologies),
    directory: join(config.dataDir, 'state'),
    blockCacheBytes: 64 * 1024 * 1024,
    writeBufferBytes: 4 * 1024 * 1024,
    notice,
  })
  const { bufferBytes, flushBytes, flushMs } = config.state
  const { commitIntervalMs, commitMinIntervalMs, transactionTimeoutMs, timerRestartGraceMs } = config.stream
  const { sessionTimeoutMs, heartbeatIntervalMs } = config.stream
  const worker = new Worker({
    topologies,
    log,
    databases,
    budget: new StateBudget({ bytes: bufferBytes, flushBytes, flushMs, now: () => machineClock.now() }),
    clock: machineClock,
    watch: () => performance.now(),
    settings: {
      ...defaultRuntimeSettings,
      commitIntervalMs,
      commitMinIntervalMs,
      transactionTimeoutMs,
      sessionTimeoutMs,
      heartbeatIntervalMs,
      timerRestartGraceMs,
    },
    processId,
    workerIndex: 0,
    notice,
    failed,
    crash: foundation.crash,
  })
  await worker.start()
  return {
    worker,
    close: async () => {
      await worker.close()
      await databases.close()
    },
  }
}
