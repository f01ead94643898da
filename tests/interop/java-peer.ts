/** The Java program of `java/`, compiled and run once for all tests: a question is a line of JSON, and so is its answer. */

import { execFile, spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { endProcess } from '../../deploy/local/server-process.ts'

const run = promisify(execFile)
const sources = join(import.meta.dirname, 'java')
const answerWithinMs = 60_000

interface Answer {
  readonly ok?: unknown
  readonly error?: string
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

/** @returns the directory with the classes */
export async function compilePeer(jars: string, scratch: string): Promise<string> {
  const classes = join(scratch, 'classes')
  await mkdir(classes)
  await run('javac', ['-cp', join(jars, '*'), '-d', classes, ...globSync(join(sources, '*.java'))], {
    timeout: 120_000,
  })
  return classes
}

export class JavaPeer {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #waiting: Waiting[] = []
  #said = ''

  constructor(jars: string, classes: string, bootstrap: string) {
    const words = ['-Xmx512m', '-cp', [classes, join(jars, '*')].join(':'), 'Peer', bootstrap]
    this.#process = spawn('java', words)
    this.#process.stderr.on('data', (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-4_000)))
    createInterface({ input: this.#process.stdout }).on('line', (line) =>
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer),
    )
    this.#process.on('exit', () => {
      for (const one of this.#waiting.splice(0)) one.reject(new Error(`the Java program ended: ${this.#said}`))
    })
  }

  /** @throws Error with what Java says */
  async ask<T = null>(verb: string, asked: object = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const timer = setTimeout(() => reject(new Error(`no answer to ${verb}: ${this.#said}`)), answerWithinMs)
    this.#waiting.push({ resolve, reject })
    this.#process.stdin.write(`${JSON.stringify({ do: verb, ...asked })}\n`)
    const answer = await promise.finally(() => clearTimeout(timer))
    if (answer.error !== undefined) throw new Error(`${verb}: ${answer.error}`)
    return answer.ok as T
  }

  /** What a command-line tool of Kafka prints, line by line. */
  async tool(main: string, ...words: readonly string[]): Promise<string[]> {
    const text = await this.ask<string>('tool', { main: `org.apache.kafka.tools.${main}`, words })
    return text.split('\n').filter((line) => line.trim() !== '')
  }

  async stop(): Promise<void> {
    this.#process.stdin.end()
    const { pid, exitCode } = this.#process
    if (pid === undefined || exitCode !== null) return
    await endProcess(pid, [
      { signal: 'SIGTERM', waitMs: 5_000 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ])
  }
}
