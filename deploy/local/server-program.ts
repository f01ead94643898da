/**
 * A server that we start as a process in a directory of its own, and end by its id.
 *
 * SP1 At most one server runs in a directory: one that a killed starter left behind is ended before the next is started.
 * SP2 It ends with us: asked to when there is time, killed when our process exits. Only a kill -9 of us leaves it behind.
 * SP3 Nothing waits for it for ever: neither for its being ready nor for its end.
 *
 * The directory holds: server.log (everything it prints), server.pid (while it runs).
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { portIsFree, portTaken } from './free-port.ts'
import { endProcess, seeProcess } from './server-process.ts'

/** Whoever waits: hears what is done, and may give up. */
export interface Waiting {
  /** Is told in a line what a person may want to know. */
  readonly notice?: ((line: string) => void) | undefined
  /** What is under way is ended, the promise is rejected with its reason, and nothing is left running. */
  readonly signal?: AbortSignal | undefined
}

export interface ServerProgramOptions extends Waiting {
  /** Begins what is said of it: `Kafka did not become ready`. */
  readonly name: string
  /** Where it runs; made when it is missing. */
  readonly directory: string
  readonly program: string
  readonly words: readonly string[]
  /** The port on loopback that it will listen on; it is not started when another listens there. */
  readonly port: number
  /** Asked again and again until it says yes; what it throws means not yet. */
  readonly isReady: () => Promise<boolean>
  readonly readyWithinMs: number
  /** How long it may take to end when it is asked to, in ms. */
  readonly endWithinMs: number
}

const killed = { signal: 'SIGKILL', waitMs: 5_000 } as const
const askAgainMs = 50

const living = new Set<ServerProgram>()
process.on('exit', () => living.forEach((server) => server.kill()))

export class ServerProgram {
  /** Resolves when its process has ended, whoever ended it. */
  readonly ended: Promise<void>
  readonly #options: ServerProgramOptions
  readonly #child: ChildProcess
  #hasEnded = false
  #failure: Error | null = null

  private constructor(options: ServerProgramOptions) {
    this.#options = options
    this.#child = launch(options)
    living.add(this)
    this.ended = new Promise<void>((done) => {
      this.#child.once('error', (error) => {
        this.#failure = error
        done()
      })
      this.#child.once('exit', () => done())
    }).then(() => {
      this.#hasEnded = true
      living.delete(this)
    })
  }

  /** Resolves when it takes requests. @throws Error with one line, when it has been ended again */
  static async start(options: ServerProgramOptions): Promise<ServerProgram> {
    await mkdir(options.directory, { recursive: true })
    await endWhatWasLeft(options)
    const { name, port } = options
    // Otherwise another server's answer could be taken for its being ready.
    if (!(await portIsFree(port))) throw new Error(`${name}: ${portTaken(port)}`)
    const server = new ServerProgram(options)
    try {
      await writeFile(pidFileIn(options.directory), `${server.pid}\n`)
      await server.#becomesReady()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async stop(): Promise<void> {
    const { directory, endWithinMs } = this.#options
    if (!this.#hasEnded && this.pid > 0)
      await endProcess(this.pid, [{ signal: 'SIGTERM', waitMs: endWithinMs }, killed])
    await this.ended
    await rm(pidFileIn(directory), { force: true })
  }

  /** Without warning. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #becomesReady(): Promise<void> {
    const { name, directory, isReady, readyWithinMs, signal } = this.#options
    const endAt = performance.now() + readyWithinMs
    while (performance.now() < endAt && !this.#hasEnded) {
      signal?.throwIfAborted()
      if (await isReady().catch(() => false)) return
      await Promise.race([sleep(askAgainMs), this.ended])
    }
    if (this.#failure !== null) throw new Error(`${name} cannot be run: ${this.#failure.message}`)
    throw new Error(`${name} did not become ready: see ${join(directory, 'server.log')}`)
  }
}

/** In our process group: what ends the whole group (a closed terminal, a test that took too long) ends it too. */
function launch({ directory, program, words }: ServerProgramOptions): ChildProcess {
  const log = openSync(join(directory, 'server.log'), 'a', 0o600)
  try {
    return spawn(program, words, { cwd: directory, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

const pidFileIn = (directory: string): string => join(directory, 'server.pid')

/** SP1. Ends only what runs the same program in this very directory: an id may have become another's. */
async function endWhatWasLeft({ name, directory, program, notice }: ServerProgramOptions): Promise<void> {
  const pid = Number((await readFile(pidFileIn(directory), 'utf8').catch(() => '')).trim())
  if (!Number.isInteger(pid) || pid <= 1) return
  const seen = await seeProcess(pid)
  if (seen?.command === basename(program) && seen.directory === (await realpath(directory))) {
    notice?.(`ending the ${name} left running (process ${pid})`)
    await endProcess(pid, [{ signal: 'SIGTERM', waitMs: 10_000 }, killed])
  }
  await rm(pidFileIn(directory), { force: true })
}
