/** `npm run local -- kafka registry`: servers for a laptop, in the foreground until Ctrl-C. */

import process from 'node:process'
import { readLocalArguments, usage } from '../local/arguments.ts'
import { runCompose } from '../local/compose.ts'
import { runLocal } from '../local/run-local.ts'

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const words = process.argv.slice(2)

if (words.length === 0 || words[0] === 'help' || words.includes('--help')) {
  print(usage)
  process.exitCode = words.length === 0 ? 64 : 0
} else {
  process.exit(await run())
}

/** One Ctrl-C may come twice, to us and through npm: what follows at once is the same one. */
const sameWithinMs = 1_000

async function run(): Promise<number> {
  const end = new AbortController()
  let askedAt = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Asked again we end at once: what we have started is killed with us.
      if (end.signal.aborted && performance.now() - askedAt > sameWithinMs) process.exit(1)
      if (!end.signal.aborted) askedAt = performance.now()
      end.abort()
    })
  }
  if (words.length === 1 && words[0] === 'kafka-ui-compose') return runCompose({ say, signal: end.signal })
  const asked = readLocalArguments(words)
  if (typeof asked !== 'string') return runLocal(asked, { say, print, signal: end.signal })
  say(`${asked} (npm run local -- --help)`)
  return 64
}
