/** One of the npm scripts as a process: what deploy/bootstrap.mjs runs for it. (The bootstrap itself might install.) */

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export interface Command {
  /** Its standard output so far. */
  printed(): string
  /** Its standard error so far. */
  said(): string
  /** Its exit code. */
  readonly ended: Promise<number | null>
  /** Resolves when a text is there. @throws Error with all it said, when it ends before */
  until(text: string, where?: 'printed' | 'said'): Promise<void>
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** @param script the file in deploy/bin */
export function npmCommand(
  script: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Command {
  const child = spawn(process.execPath, [join(root, 'deploy', 'bin', `${script}.ts`), ...words], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { printed: '', said: '' }
  child.stdout.on('data', (chunk: Buffer) => (texts.printed += chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => (texts.said += chunk.toString('utf8')))
  let hasEnded = false
  const ended = new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('close', (code) => {
      hasEnded = true
      done(code)
    })
  })
  return {
    printed: () => texts.printed,
    said: () => texts.said,
    ended,
    async until(text, where = 'printed') {
      while (!texts[where].includes(text)) {
        if (hasEnded) throw new Error(`it ended before it said "${text}":\n${texts.printed}${texts.said}`)
        await new Promise((done) => setTimeout(done, 20))
      }
    },
    end(signal) {
      if (!hasEnded) child.kill(signal)
      return ended
    },
  }
}
