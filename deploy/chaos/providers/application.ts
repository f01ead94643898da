/** The application as a process that is killed and started again on the same directory, whatever it is doing. */

import type { Environment } from '../../config.ts'
import type { Instance } from '../instance.ts'
import { startInstance } from '../instance.ts'

export interface ApplicationOptions {
  readonly url: string
  readonly settings: Environment
  readonly logFile: string
  /** Done while it is down, before each of its lives. */
  readonly between: () => Promise<void>
  readonly say: (line: string) => void
}

export class Application {
  readonly #options: ApplicationOptions
  #instance: Instance | null = null
  #closing = false
  #killedBy: string | null = null
  #running: Promise<void> = Promise.resolve()
  readonly #places: string[] = []
  /** What killed each of its lives. */
  readonly deaths: string[] = []
  /** Ends that nobody wished. */
  readonly findings: string[] = []

  constructor(options: ApplicationOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#live()
  }

  /** The next lives each get one of these as their CRASH_POINT. */
  dieAt(places: readonly string[]): void {
    this.#places.push(...places)
  }

  /** Forgets the places that no life has been given. @returns how many */
  spare(): number {
    return this.#places.splice(0).length
  }

  /** At once; while it is down already, nothing. */
  kill(why: string): void {
    if (this.#instance === null || this.#killedBy !== null) return
    this.#killedBy = why
    void this.#instance.kill()
  }

  /** True when it takes requests, false when it has ended for good. */
  async ready(): Promise<boolean> {
    for (;;) {
      if (this.#closing || this.findings.length > 0) return false
      if ((await this.#instance?.ready()) === true) return true
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    this.#closing = true
    await this.#instance?.stop()
    await this.#running
  }

  async #live(): Promise<void> {
    while (!this.#closing) {
      const { url, settings, logFile, between, say } = this.#options
      await between()
      const place = this.deaths.length === 0 ? undefined : this.#places.shift()
      const more = place === undefined ? {} : { CRASH_POINT: place }
      this.#killedBy = null
      this.#instance = startInstance({ url, settings: { ...settings, ...more }, logFile })
      const { code, signal } = await this.#instance.exited
      this.#instance = null
      if (this.#closing) {
        if (code !== 0) this.findings.push(`the application did not stop cleanly: ${signal ?? `code ${code}`}`)
        return
      }
      if (signal !== 'SIGKILL') {
        this.findings.push(`the application ended by itself with ${signal ?? `code ${code}`}; its log says why`)
        return
      }
      const why = this.#killedBy ?? `place ${place ?? '?'}`
      this.deaths.push(why)
      say(`kill ${this.deaths.length}: ${why}`)
    }
  }
}
