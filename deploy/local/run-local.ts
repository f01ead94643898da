/** `npm run local`: starts servers, says where they are, and ends them when it is told to or when one of them ends. */

import { exitConfig } from '../config.ts'
import { lockDirectory } from '../../state-stores/index.ts'
import type { AskedServer } from './arguments.ts'
import type { RunningServer } from './servers.ts'
import { localServers } from './servers.ts'

/** EX_SOFTWARE of sysexits.h: a server could not be started, or ended by itself. */
export const exitFailed = 70
/** What a shell says of a program that a Ctrl-C ended. */
export const exitInterrupted = 130

export interface LocalRun {
  /** One line about what happens. */
  readonly say: (line: string) => void
  /** What the person came for. */
  readonly print: (line: string) => void
  /** When all is to end. */
  readonly signal: AbortSignal
}

interface Started extends RunningServer {
  readonly asked: AskedServer
}

/** @returns the exit code, when nothing of it runs any more */
export async function runLocal(asked: readonly AskedServer[], run: LocalRun): Promise<number> {
  const lacks = await Promise.all(asked.map(({ name }) => localServers[name].lacks()))
  if (lacks.some((line) => line !== null)) {
    for (const line of lacks) if (line !== null) run.say(line)
    return exitConfig
  }
  const locks: { release(): Promise<void> }[] = []
  try {
    for (const server of asked) locks.push(await lockDirectory(server.directory))
    return await startAndWait(asked, run)
  } catch (error) {
    run.say(error instanceof Error ? error.message : String(error))
    return exitFailed
  } finally {
    for (const lock of locks) await lock.release()
  }
}

async function startAndWait(asked: readonly AskedServer[], run: LocalRun): Promise<number> {
  const { started, failures } = await startAll(asked, run)
  try {
    if (run.signal.aborted) return exitInterrupted
    for (const line of failures) run.say(line)
    if (failures.length > 0) return exitFailed
    for (const line of readyLines(started)) run.print(line)
    const ended = await firstEnd(started, run.signal)
    if (ended === null) return 0
    run.say(`${ended.asked.name}: ended by itself; its log is in ${ended.asked.directory}`)
    return exitFailed
  } finally {
    if (started.length > 0) run.say('stopping')
    await Promise.all(started.map((server) => server.stop()))
    run.say('stopped')
  }
}

/** All at once; when one cannot, the others give up. */
async function startAll(
  asked: readonly AskedServer[],
  { say, signal }: LocalRun,
): Promise<{ started: readonly Started[]; failures: readonly string[] }> {
  const failed = new AbortController()
  const failures: string[] = []
  const start = async (server: AskedServer): Promise<Started | null> => {
    const { name } = server
    const notice = (line: string): void => say(`${name}: ${line}`)
    const startedAt = performance.now()
    try {
      notice('starting')
      const waiting = { notice, signal: AbortSignal.any([signal, failed.signal]) }
      const running = await localServers[name].start(server, waiting)
      notice(`ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
      return { ...running, asked: server }
    } catch (error) {
      if (!signal.aborted && !failed.signal.aborted)
        failures.push(error instanceof Error ? error.message : String(error))
      failed.abort()
      return null
    }
  }
  const all = await Promise.all(asked.map(start))
  return { started: all.filter((one) => one !== null), failures }
}

/** The server that ended by itself, or null when all are to end. */
function firstEnd(started: readonly Started[], signal: AbortSignal): Promise<Started | null> {
  return new Promise((done) => {
    if (signal.aborted) done(null)
    signal.addEventListener('abort', () => done(null))
    for (const server of started) void server.ended.then(() => done(server))
  })
}

function readyLines(started: readonly Started[]): string[] {
  const servers = started.map(
    ({ asked, address }) => `${asked.name.padEnd(9)} ${address}   (data in ${asked.directory})`,
  )
  const settings = started.map((server) => server.settings).filter((text) => text !== null)
  const start = settings.length === 0 ? [] : ['to run the product on it:', `  ${inOrder(settings).join(' ')} npm start`]
  return ['', ...servers, '', ...start, 'Ctrl-C stops it']
}

/** Variables first: what follows `env` is its. */
const inOrder = (settings: readonly string[]): string[] =>
  settings.toSorted((a, b) => Number(a.startsWith('env ')) - Number(b.startsWith('env ')))
