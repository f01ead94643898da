/** What all workloads share: a worker over some topologies, in one life of a process. */

import type { TopicSpec } from '../../../connectors/kafka/index.ts'
import { StateBudget } from '../../../state-stores/index.ts'
import type { RuntimeSettings, Topology } from '../../../topology/index.ts'
import { Worker } from '../../../topology/index.ts'
import type { Machine, Running } from '../program.ts'

export async function startWorker(
  machine: Machine,
  settings: RuntimeSettings,
  topologies: readonly Topology[],
  tend?: (worker: Worker) => Promise<void>,
): Promise<Running> {
  const worker = new Worker({
    topologies,
    log: machine.log,
    databases: machine.databases,
    budget: new StateBudget({
      bytes: 4 * 1024 * 1024,
      flushBytes: 8 * 1024,
      flushMs: 400,
      now: () => machine.clock.now(),
    }),
    clock: machine.clock,
    watch: () => machine.watch(),
    settings,
    processId: machine.name,
    workerIndex: 0,
    notice: (line) => machine.notice(line),
    failed: (error) => machine.failed(error),
    crash: machine.crash,
  })
  await worker.start()
  const running = { close: () => worker.close() }
  return tend === undefined ? running : { ...running, tend: () => tend(worker) }
}

export const kept = (name: string, partitions: number): TopicSpec => ({
  name,
  partitions,
  config: { 'retention.ms': '-1' },
})
