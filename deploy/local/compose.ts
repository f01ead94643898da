/** `npm run local -- kafka-ui-compose`: the containers of deploy/compose, where a Docker engine answers. */

import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { exitConfig } from '../config.ts'

const run = promisify(execFile)
const file = join('deploy', 'compose', 'compose.yaml')
const command = `docker compose -f ${file} up`
const instead = 'start what you need without containers: npm run local -- kafka registry redis postgres'

export interface ComposeRun {
  readonly say: (line: string) => void
  /** When it is to end. */
  readonly signal: AbortSignal
}

/** @returns the exit code */
export async function runCompose({ say, signal }: ComposeRun): Promise<number> {
  const lacks = await dockerLacks()
  if (lacks !== null) {
    say(lacks)
    return exitConfig
  }
  say(command)
  const [program = '', ...words] = command.split(' ')
  const child = spawn(program, words, { cwd: join(import.meta.dirname, '..', '..'), stdio: 'inherit' })
  signal.addEventListener('abort', () => {
    // On a terminal Ctrl-C has reached it already; a second one would kill the containers instead of stopping them.
    if (process.stdin.isTTY !== true) child.kill('SIGINT')
  })
  const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done))
  return signal.aborted ? 0 : (code ?? 1)
}

/** One line with the cure, or null. */
async function dockerLacks(): Promise<string | null> {
  const answers = async (...words: string[]): Promise<boolean> =>
    run('docker', words, { timeout: 30_000 }).then(
      () => true,
      () => false,
    )
  if (!(await answers('--version')))
    return `docker is not installed: install Docker with its compose plugin, or ${instead}`
  if (!(await answers('info'))) return `no Docker engine answers: start Docker, or ${instead}`
  if (!(await answers('compose', 'version'))) return `docker has no compose plugin: install it, or ${instead}`
  return null
}
