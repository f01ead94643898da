/** A worker: one event loop that hosts applications (a stream thread that runs several). */

import { ApplicationWorker } from './application-worker.ts'
import type { ApplicationWorkerOptions } from './application-worker.ts'
import type { Topology } from '../graph/topology.ts'
import { noCrash } from '../../connectors/kafka/index.ts'
import { Flusher } from './flusher.ts'

export type WorkerOptions = Omit<ApplicationWorkerOptions, 'topology'> & { readonly topologies: readonly Topology[] }

export class Worker {
  readonly applications: readonly ApplicationWorker[]
  readonly #flusher: Flusher

  constructor(options: WorkerOptions) {
    const { topologies, ...shared } = options
    this.applications = topologies.map((topology) => new ApplicationWorker({ ...shared, topology }))
    const notice = (line: string): void => {
      shared.notice(line)
      // A task whose files are damaged is restored, and it may be idle.
      for (const application of this.applications) application.wake()
    }
    this.#flusher = new Flusher(shared.budget, shared.clock, notice, shared.crash ?? noCrash)
  }

  /** Starts all side by side. When one cannot start, those that did are closed and its error is thrown. */
  async start(): Promise<void> {
    const started = await Promise.allSettled(this.applications.map((application) => application.start()))
    const failed = started.find((result) => result.status === 'rejected')
    if (failed === undefined) {
      this.#flusher.start()
      return
    }
    await this.close()
    throw failed.reason
  }

  /** Commits, flushes and closes all side by side. */
  async close(): Promise<void> {
    await this.#flusher.stop()
    const closed = await Promise.allSettled(this.applications.map((application) => application.close()))
    const failed = closed.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  application(name: string): ApplicationWorker | undefined {
    return this.applications.find((application) => application.name === name)
  }
}
