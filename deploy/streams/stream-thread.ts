/**
 * A stream worker in a thread of its own, as the rest of the process sees it. What it says and is asked goes through its
 * port; the other end is `thread.ts`. The thread has its own connections and codecs: only settings travel to it.
 */

import { Worker } from 'node:worker_threads'
import type { FoundationSeed } from '../foundation.ts'
import type { BlockedKeyOfTask, HostedApplication } from './hosted-application.ts'
import type { ApplicationStatus } from '../../topology/index.ts'
import type { ProviderAddresses } from '../providers.ts'

export interface ThreadSeed {
  readonly foundation: FoundationSeed
  /** Null when every provider is live. */
  readonly providers: ProviderAddresses | null
  readonly index: number
}

/** What the thread is asked. */
export type Question =
  | { readonly what: 'status' | 'lag' | 'blocked'; readonly application: string }
  | { readonly what: 'redrive'; readonly application: string; readonly key: Uint8Array; readonly skipFirst: boolean }
  | { readonly what: 'close' }

/** What it says by itself, and what it answers. */
export type Said =
  | { readonly kind: 'notice'; readonly line: string }
  | { readonly kind: 'started'; readonly applications: readonly string[] }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: Error }

export interface StreamThreadOptions {
  readonly seed: ThreadSeed
  readonly notice: (line: string) => void
  /** Called once when it cannot go on. */
  readonly failed: (error: Error) => void
}

export class StreamThread {
  readonly #worker: Worker
  readonly #options: StreamThreadOptions
  readonly #started = Promise.withResolvers<readonly HostedApplication[]>()
  readonly #exited = Promise.withResolvers<void>()
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #asks = 0
  #closing = false
  #end: Error | null = null

  constructor(options: StreamThreadOptions) {
    this.#options = options
    // The build has it as JavaScript.
    const entry = import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js'
    this.#worker = new Worker(new URL(entry, import.meta.url), {
      workerData: options.seed,
      name: `stream ${options.seed.index}`,
    })
    this.#started.promise.catch(() => undefined)
    this.#worker.on('message', (said: Said) => this.#heard(said))
    this.#worker.on('error', (error) => this.#failed(error))
    this.#worker.on('exit', (code) => this.#ended(code))
  }

  /** Resolves when its applications run. @throws what stopped it, in one line */
  get started(): Promise<readonly HostedApplication[]> {
    return this.#started.promise
  }

  /** Commits, flushes and closes what it runs. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      await this.#ask({ what: 'close' }).catch((error: unknown) => this.#options.notice(String(error)))
    }
    await this.#exited.promise
  }

  #heard(said: Said): void {
    if (said.kind === 'notice') this.#options.notice(said.line)
    else if (said.kind === 'failed') this.#failed(said.error)
    else if (said.kind === 'started') this.#started.resolve(said.applications.map((name) => this.#hosted(name)))
    else {
      const asked = this.#asked.get(said.id)
      this.#asked.delete(said.id)
      if (said.kind === 'answer') asked?.resolve(said.value)
      else asked?.reject(said.error)
    }
  }

  #failed(error: Error): void {
    this.#started.reject(error)
    if (!this.#closing) this.#options.failed(error)
  }

  #ended(code: number): void {
    const error = (this.#end = new Error(`stream thread ${this.#options.seed.index} ended with code ${code}`))
    for (const asked of this.#asked.values()) asked.reject(error)
    this.#asked.clear()
    this.#started.reject(error)
    if (!this.#closing) this.#options.failed(error)
    this.#closing = true
    this.#exited.resolve()
  }

  #hosted(application: string): HostedApplication {
    return {
      name: application,
      status: () => this.#ask({ what: 'status', application }) as Promise<ApplicationStatus>,
      lag: () => this.#ask({ what: 'lag', application }) as Promise<bigint>,
      blocked: () => this.#ask({ what: 'blocked', application }) as Promise<readonly BlockedKeyOfTask[]>,
      redrive: (key, { skipFirst }) => this.#ask({ what: 'redrive', application, key, skipFirst }) as Promise<number>,
    }
  }

  #ask(question: Question): Promise<unknown> {
    if (this.#end !== null) return Promise.reject(this.#end)
    const id = this.#asks++
    const asked = Promise.withResolvers<unknown>()
    this.#asked.set(id, asked)
    this.#worker.postMessage({ id, ...question })
    return asked.promise
  }
}
