/** What runs in a stream thread: one stream worker, and the answers to what the rest of the process asks (`stream-thread.ts`). */

import { parentPort, workerData } from 'node:worker_threads'
import type { ApplicationWorker } from '../../topology/index.ts'
import { openStreamFoundation } from '../foundation.ts'
import { openObjectStore } from '../object-store.ts'
import { visitorsModelAt, providersAt } from '../providers.ts'
import { hostedHere } from './hosted-application.ts'
import type { Question, Said, ThreadSeed } from './stream-thread.ts'
import type { StreamWorker } from './stream-worker.ts'
import { startStreamWorker } from './stream-worker.ts'

const seed = workerData as ThreadSeed
const port = parentPort!
const say = (said: Said): void => port.postMessage(said)
const notice = (line: string): void => say({ kind: 'notice', line })
const failed = (error: unknown): void => say({ kind: 'failed', error: plain(error) })

/** An error keeps its message on its way to another thread, and loses its code: it becomes part of the message. */
function plain(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const code = 'code' in error ? `${String(error.code)}: ` : ''
  return new Error(`${code}${error.message}`)
}

async function run(): Promise<() => Promise<void>> {
  const foundation = await openStreamFoundation(seed.foundation, notice)
  try {
    const objects = openObjectStore(foundation.config)
    const providers = providersAt(foundation, seed.providers, objects)
    const model = visitorsModelAt(foundation, seed.providers)
    const stream = await startStreamWorker({ foundation, providers, model, index: seed.index, notice, failed })
    // Its connections would keep the thread alive.
    const close = (): Promise<void> =>
      stream
        .close()
        .finally(() => objects.close())
        .finally(() => foundation.close())
    port.on('message', (asked: Question & { id: number }) => void answer(stream, close, asked))
    say({ kind: 'started', applications: stream.worker.applications.map(({ name }) => name) })
    return close
  } catch (error) {
    await foundation.close()
    throw error
  }
}

async function answer(
  stream: StreamWorker,
  close: () => Promise<void>,
  question: Question & { readonly id: number },
): Promise<void> {
  try {
    say({ kind: 'answer', id: question.id, value: await answerOf(stream, close, question) })
  } catch (error) {
    say({ kind: 'refusal', id: question.id, error: plain(error) })
  } finally {
    if (question.what === 'close') port.close()
  }
}

async function answerOf({ worker }: StreamWorker, close: () => Promise<void>, question: Question): Promise<unknown> {
  if (question.what === 'close') return close()
  const application = hostedHere(worker.application(question.application) as ApplicationWorker)
  if (question.what !== 'redrive') return application[question.what]()
  return application.redrive(Buffer.from(question.key), { skipFirst: question.skipFirst })
}

run().catch((error: unknown) => {
  failed(error)
  port.close()
})
