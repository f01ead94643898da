/** One stream worker: the applications of this process in one event loop, with its share of the budgets. */

import { join } from 'node:path'
import type { ChatModel } from '../../connectors/agents/index.ts'
import type { Provider } from '../../connectors/effects/index.ts'
import { topics } from '../../schemas/index.ts'
import { StateBudget, rocksDatabases } from '../../state-stores/index.ts'
import type { RuntimeSettings, Topology } from '../../topology/index.ts'
import { Worker, defaultRuntimeSettings } from '../../topology/index.ts'
import type { Config } from '../config.ts'
import type { StreamFoundation } from '../foundation.ts'
import { topicConfigOf } from '../foundation.ts'
import { machineClock } from '../machine.ts'
import { hostedTopologies } from './hosted-topologies.ts'

export interface StreamWorkerOptions {
  readonly foundation: StreamFoundation
  readonly providers: readonly Provider[]
  /** What visitors of a demo talk with. */
  readonly model: ChatModel
  /** Which of STREAM_WORKERS it is, from 0. */
  readonly index: number
  /** One line for the operator. */
  readonly notice: (line: string) => void
  /** Called once when an application cannot go on. */
  readonly failed: (error: Error) => void
}

export interface StreamWorker {
  readonly worker: Worker
  close(): Promise<void>
}

/** Resolves when all its applications run. @throws EngineError or LogError, one clear line */
export async function startStreamWorker(options: StreamWorkerOptions): Promise<StreamWorker> {
  const { foundation, providers, model, index, notice, failed } = options
  const { config, log, processId } = foundation
  const topologies = hostedTopologies(foundation, providers, model)
  const databases = rocksDatabases({
    databases: await taskCount(foundation, topologies),
    directory: join(config.dataDir, 'state'),
    blockCacheBytes: 64 * 1024 * 1024,
    writeBufferBytes: 4 * 1024 * 1024,
    notice,
  })
  const worker = new Worker({
    topologies,
    log,
    databases,
    budget: budgetOf(config),
    clock: machineClock,
    time: foundation.time,
    watch: () => performance.now(),
    settings: settingsOf(config),
    processId,
    workerIndex: index,
    sharesDisk: config.stream.workers > 1,
    notice,
    failed,
    crash: foundation.crash,
  })
  await worker.start()
  return {
    worker,
    close: () => worker.close().finally(() => databases.close()),
  }
}

/** One database per task: they share the budget evenly. */
async function taskCount({ log }: StreamFoundation, topologies: readonly Topology[]): Promise<number> {
  const parts = topologies.reduce((sum, topology) => sum + topology.subTopologies.length, 0)
  const known = await log.metadata(topics.map((topic) => topic.name))
  return Math.max(1, parts * Math.max(1, ...known.map((topic) => topic.partitions)))
}

/** Of all the process may buffer, this worker's share. */
function budgetOf({ state, stream }: Config): StateBudget {
  const bytes = Math.floor(state.bufferBytes / stream.workers)
  const flushBytes = Math.min(state.flushBytes, bytes)
  return new StateBudget({ bytes, flushBytes, flushMs: state.flushMs, now: () => machineClock.now() })
}

/** What has a name of its own in the configuration; the rest is as the engine has it. */
function settingsOf(config: Config): RuntimeSettings {
  const { stream } = config
  const { commitIntervalMs, commitMinIntervalMs, transactionTimeoutMs, timerRestartGraceMs } = stream
  const { sessionTimeoutMs, heartbeatIntervalMs, standbyReplicas, leaveOnClose } = stream
  return {
    ...defaultRuntimeSettings,
    ...{ commitIntervalMs, commitMinIntervalMs, transactionTimeoutMs, timerRestartGraceMs },
    ...{ sessionTimeoutMs, heartbeatIntervalMs, standbyReplicas, leaveOnClose },
    staticMembership: true,
    topicConfig: topicConfigOf(config),
  }
}
