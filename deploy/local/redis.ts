/** A Redis of our own in a directory, for a laptop: the program is the machine's, the data stays in the directory. */

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import type { Waiting } from './server-program.ts'
import { ServerProgram } from './server-program.ts'

const run = promisify(execFile)

export interface RedisOptions extends Waiting {
  /** Made when it is missing. */
  readonly directory: string
  /** A free one unless told. */
  readonly port?: number
}

export interface Redis {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** One line that says what this machine lacks to run Redis, or null. */
export async function redisLacks(): Promise<string | null> {
  return run('redis-server', ['--version'], { timeout: 30_000 }).then(
    () => null,
    () => 'Redis needs redis-server in PATH: apt-get install redis-server (Debian), or brew install redis (macOS)',
  )
}

/** Resolves when it answers. On loopback only; every write is in its file within a second. @throws Error with one line */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true })
  const port = options.port ?? (await freePort())
  const server = await ServerProgram.start({
    ...options,
    name: 'Redis',
    directory,
    program: 'redis-server',
    words: ['--port', String(port), '--bind', '127.0.0.1', '--appendonly', 'yes', '--daemonize', 'no'],
    port,
    isReady: () => answersPing(port),
    readyWithinMs: 60_000,
    endWithinMs: 15_000,
  })
  const { pid, ended } = server
  return { url: `redis://127.0.0.1:${port}`, port, pid, ended, stop: () => server.stop() }
}

/** It answers an error instead while it reads its file. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((done, failed) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: 5_000 }, () => socket.write('PING\r\n'))
    socket.once('data', (bytes) => {
      done(bytes.toString('latin1').startsWith('+PONG'))
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy(new Error('no answer')))
    socket.once('error', failed)
    socket.once('close', () => done(false))
  })
}
