/** Looking at a process of this machine by its id: is it alive, what does it run, and ending it within a bound. */

import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface ProcessSeen {
  /** Base name of its program. */
  readonly command: string
  /** Its working directory, where the system tells. */
  readonly directory: string | null
}

/** The live process with this id, or null. A process that has ended and waits for its parent counts as gone. */
export async function seeProcess(pid: number): Promise<ProcessSeen | null> {
  if (!exists(pid)) return null
  return process.platform === 'linux' ? seeInProc(pid) : seeWithPs(pid)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function seeInProc(pid: number): Promise<ProcessSeen | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (stat === null) return null
  const end = stat.lastIndexOf(')')
  if (stat[end + 2] === 'Z') return null
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => null)
  return { command: stat.slice(stat.indexOf('(') + 1, end), directory }
}

async function seeWithPs(pid: number): Promise<ProcessSeen | null> {
  const { stdout } = await run('ps', ['-o', 'stat=,comm=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const [stat, ...command] = stdout.trim().split(/\s+/)
  if (stat === undefined || stat === '' || stat.startsWith('Z')) return null
  return { command: command.join(' ').split('/').at(-1) ?? '', directory: null }
}

/** Sends each signal in turn and waits its time; resolves when the process is gone. @throws when it outlives the last. */
export async function endProcess(
  pid: number,
  steps: readonly { signal: NodeJS.Signals; waitMs: number }[],
): Promise<void> {
  for (const { signal, waitMs } of steps) {
    try {
      process.kill(pid, signal)
    } catch {
      return
    }
    const endAt = performance.now() + waitMs
    while (performance.now() < endAt) {
      if ((await seeProcess(pid)) === null) return
      await sleep(20)
    }
  }
  throw new Error(`process ${pid} does not end`)
}
