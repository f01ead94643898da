/**
 * The stream applications of this process. One worker runs in the main thread; several have a thread each, so that they have
 * a core each, and share the partitions as members of the same groups. They are numbered: a restart finds each where it was.
 */

import type { ApplicationWorker } from '../../topology/index.ts'
import type { Foundation } from '../foundation.ts'
import type { Providers } from '../providers.ts'
import { visitorsModelAt } from '../providers.ts'
import type { HostedApplication } from './hosted-application.ts'
import { hostedHere, merged } from './hosted-application.ts'
import { StreamThread } from './stream-thread.ts'
import { startStreamWorker } from './stream-worker.ts'

export type { HostedApplication } from './hosted-application.ts'

export interface Streams {
  readonly applications: readonly HostedApplication[]
  /** Those that run in this thread: all of them, or none. */
  readonly here: readonly ApplicationWorker[]
  close(): Promise<void>
}

/** Resolves when all of them run. @throws EngineError or LogError, one clear line */
export async function startStreams(
  foundation: Foundation,
  providers: Providers,
  notice: (line: string) => void,
  failed: (error: Error) => void,
): Promise<Streams> {
  if (foundation.config.stream.workers > 1) return startThreads(foundation, providers, notice, failed)
  const model = visitorsModelAt(foundation, providers.addresses)
  const options = { foundation, providers: providers.list, model, index: 0, notice, failed }
  const { worker, close } = await startStreamWorker(options)
  return { applications: worker.applications.map(hostedHere), here: worker.applications, close }
}

async function startThreads(
  foundation: Foundation,
  { addresses }: Providers,
  notice: (line: string) => void,
  failed: (error: Error) => void,
): Promise<Streams> {
  let isClosing = false
  let hasFailed = false
  const failedOnce = (error: Error): void => {
    if (!hasFailed && !isClosing) failed(error)
    hasFailed = true
  }
  const threads = Array.from({ length: foundation.config.stream.workers }, (_, index) => {
    const seed = { foundation: foundation.seed, providers: addresses, index }
    return new StreamThread({ seed, notice: (line) => notice(`stream ${index}: ${line}`), failed: failedOnce })
  })
  const close = async (): Promise<void> => {
    isClosing = true
    await Promise.all(threads.map((thread) => thread.close()))
  }
  try {
    const hosted = (await Promise.all(threads.map((thread) => thread.started))).flat()
    return { applications: [...Map.groupBy(hosted, ({ name }) => name).values()].map(merged), here: [], close }
  } catch (error) {
    await close()
    throw error
  }
}
