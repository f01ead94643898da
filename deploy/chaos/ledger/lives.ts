/** A life of the process: from its start until it ends or is killed. What it says is remembered as it says so. */

import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { childOfBefore } from './build-before.ts'
import type { Progress } from './progress.ts'
import type { Site } from './site.ts'
import { dataOf, save } from './site.ts'

export interface LifeOptions {
  /** `a`, or `b` and `c` for more of the same applications. */
  readonly process?: string
  /** Which build it is of: this one unless told. */
  readonly build?: 'this' | 'before'
  /** Further words of its command line. */
  readonly further?: readonly string[]
}

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** The longest a start may take, in ms. */
const readyMs = 180_000
const lookEveryMs = 20

export class Life {
  readonly process: string
  /** Resolves when it is over, after all it said was read. */
  readonly ended: Promise<Ended>
  #ended: Ended | null = null
  #isReady = false
  #notices = ''
  readonly #child: Child
  readonly #site: Site
  readonly #tasks = new Map<string, number>()

  constructor(site: Site, { process: name = 'a', build = 'this', further = [] }: LifeOptions) {
    const { progress, options, directory, brokers } = site
    this.process = name
    this.#site = site
    if (!progress.processes.includes(name)) progress.processes.push(name)
    const numbers = { seed: progress.seed, life: progress.lives++, 'flush-bytes': options.stateFlushBytes }
    const given = Object.entries(numbers).flatMap(([word, value]) => [`--${word}`, String(value)])
    const at = brokers === null ? [] : ['--kafka', brokers.proxied]
    const own = (): string => fileURLToPath(new URL('./child.ts', import.meta.url))
    const script = build === 'this' ? own() : childOfBefore(options.before, directory)
    const words = [script, '--directory', dataOf(directory, name), '--process', name, ...at, ...given, ...further]
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    save(site)
    site.children.add(child)
    // A process that is killed does not read to the end.
    child.stdin.on('error', () => undefined)
    child.stderr.on('data', (chunk: Buffer) => this.#noticed(chunk))
    createInterface({ input: child.stdout }).on('line', (line) => this.#heard(line))
    this.ended = this.#end()
  }

  get isReady(): boolean {
    return this.#isReady
  }

  get isOver(): boolean {
    return this.#ended !== null
  }

  /** Those it runs now, of all its applications. */
  get tasks(): number {
    return [...this.#tasks.values()].reduce((sum, tasks) => sum + tasks, 0)
  }

  /** What it has told people. @param since a `length` of it */
  said(since = 0): string {
    return this.#notices.slice(since)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** It stands still, and does not know. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** It closes in order, and ends. */
  leave(): void {
    this.#child.kill('SIGTERM')
  }

  /** One that was told to `--wait` joins now. */
  go(): void {
    this.#child.stdin.write('go\n')
  }

  /** True when it is so, false when it is not in time or the life is over. */
  async until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    for (const end = performance.now() + withinMs; performance.now() < end && !this.isOver; await sleep(lookEveryMs))
      if (isSo()) return true
    return isSo()
  }

  /** Also when it has ended before: false. @throws Error when it neither is ready nor ends */
  async ready(): Promise<boolean> {
    await this.until(() => this.#isReady, readyMs)
    if (!this.#isReady && !this.isOver)
      throw new Error(`the process was not ready in ${readyMs} ms; see ${this.#site.logFile}`)
    return this.#isReady
  }

  /** Ends it without warning. @throws Error when it has ended by itself */
  async killed(): Promise<void> {
    this.kill()
    const { code, signal } = await this.ended
    if (signal !== 'SIGKILL')
      throw new Error(`process ${this.process} ended by itself with code ${code}; see ${this.#site.logFile}`)
  }

  #noticed(chunk: Buffer): void {
    appendFileSync(this.#site.logFile, chunk)
    this.#notices += chunk.toString()
  }

  #heard(line: string): void {
    const [what, name = '', ...numbers] = line.split(' ')
    if (what === 'ready') this.#isReady = true
    if (what === 'acked') acknowledge(this.#site.progress, name, Number(numbers[0]))
    if (what === 'slow') this.#site.progress.slow.push([name, Number(numbers[0]), Number(numbers[1])])
    if (what === 'owns') this.#tasks.set(name, Number(numbers[0]))
  }

  #end(): Promise<Ended> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      // After its pipes: everything it said has been read by then.
      child.once('close', (code, signal) => {
        this.#site.children.delete(child)
        this.#tasks.clear()
        resolve((this.#ended = { code, signal }))
      })
    })
  }
}

function acknowledge({ acknowledged }: Progress, producer: string, last: number): void {
  const known = acknowledged.findLast(([name]) => name === producer)
  if (known === undefined) acknowledged.push([producer, last])
  else known[1] = last
}
