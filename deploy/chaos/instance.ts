/** The product as a process of its own: started, killed without warning, started again on the same directory. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { appendFileSync, chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../config.ts'
import { environmentWith } from '../config.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

export interface Instance {
  /** Answers once: how the process ended. */
  readonly exited: Promise<Exit>
  /** Resolves true when it is ready for requests, false when it ended before. */
  ready(): Promise<boolean>
  kill(): Promise<Exit>
  /** Asks it to end and waits. */
  stop(): Promise<Exit>
}

export interface Home {
  readonly directory: string
  readonly dataDir: string
  readonly logFile: string
  readonly port: number
  readonly url: string
}

/** A directory and a port for an instance, new and its own. */
export async function newHome(): Promise<Home> {
  const directory = mkdtempSync(join(tmpdir(), 'chaos-'))
  // The embedded PostgreSQL may run under an account of its own, which must be able to pass.
  chmodSync(directory, 0o755)
  const dataDir = join(directory, 'data')
  const logFile = join(directory, 'instance.log')
  writeFileSync(logFile, '')
  const port = await freePort()
  return { directory, dataDir, logFile, port, url: `http://127.0.0.1:${port}` }
}

const main = fileURLToPath(new URL('../bin/start.ts', import.meta.url))

export interface InstanceOptions {
  readonly url: string
  readonly settings: Environment
  /** What it prints goes there. */
  readonly logFile: string
}

export function startInstance({ url, settings, logFile }: InstanceOptions): Instance {
  const child = spawn(process.execPath, [main], { env: environmentWith(settings), stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => appendFileSync(logFile, chunk))
  }
  const exited = exitOf(child)
  let running = true
  void exited.then(() => (running = false))
  return {
    exited,
    ready: async () => {
      while (running) {
        if (await isReady(url)) return true
        await sleep(50)
      }
      return false
    },
    kill: () => end(child, exited, 'SIGKILL'),
    stop: () => end(child, exited, 'SIGTERM'),
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}

function end(child: ChildProcess, exited: Promise<Exit>, signal: 'SIGKILL' | 'SIGTERM'): Promise<Exit> {
  child.kill(signal)
  return exited
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(1_000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/** A port of loopback that is free now; the instance keeps it over all its lives. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
