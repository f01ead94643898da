/** S3 for tests: moto, another people's S3 with versions and conditions. In memory: its objects end with it. */

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { freePort } from './free-port.ts'
import type { PythonPackages } from './python.ts'
import { pythonLacks, pythonWith } from './python.ts'
import type { Waiting } from './server-program.ts'
import { ServerProgram } from './server-program.ts'

const moto: PythonPackages = {
  what: "moto's S3 (140 MB)",
  requirements: join(import.meta.dirname, 'moto-requirements.txt'),
  cache: join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'moto'),
  name: 'moto',
}

export interface S3Options extends Waiting {
  /** For its log; made when it is missing. */
  readonly directory: string
  /** A free one unless told. */
  readonly port?: number
}

export interface S3 {
  readonly url: string
  readonly pid: number
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** One line that says what this machine lacks to run it, or null. */
export const s3Lacks = (): Promise<string | null> => pythonLacks("moto's S3")

/** Resolves when it answers, on loopback only; the first time it is installed. @throws Error with one line */
export async function startS3(options: S3Options): Promise<S3> {
  const program = await pythonWith(moto, options)
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true })
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const server = await ServerProgram.start({
    ...options,
    name: 'S3',
    directory,
    program,
    words: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    port,
    isReady: () => answers(url),
    readyWithinMs: 60_000,
    endWithinMs: 10_000,
  })
  return { url, pid: server.pid, ended: server.ended, stop: () => server.stop() }
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  await answer.arrayBuffer()
  return answer.ok
}
