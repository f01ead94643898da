/** Starts the product: `npm start`. Everything configurable is in deploy/config.ts. */

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { services } from '../../processors/index.ts'
import { exitConfig, readConfig } from '../config.ts'
import { banner } from '../banner.ts'
import type { Platform } from '../platform.ts'
import { startPlatform } from '../platform.ts'

/** Exit code after a part could not go on (EX_SOFTWARE). */
const exitFailed = 70

const startedAt = performance.now()
const say = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)
const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version

let platform: Platform | null = null
let ending: Promise<void> | null = null

/** Ends once: cleanly on a signal, with code 70 after a failure. A second signal ends at once. */
function end(code: number, why: string): Promise<void> {
  if (ending !== null && code === 0) process.exit(1)
  ending ??= (async () => {
    say(why)
    process.exitCode = code
    const giveUp = setTimeout(() => process.exit(code === 0 ? 1 : code), 20_000)
    await platform?.close().catch((error: unknown) => say(`closing failed: ${messageOf(error)}`))
    clearTimeout(giveUp)
    say('stopped')
    process.exit(code)
  })()
  return ending
}

const messageOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? `${String(error.code)}: ` : ''
  return `${code}${error instanceof Error ? error.message : String(error)}`
}

process.on('SIGINT', () => void end(0, 'stopping (SIGINT)'))
process.on('SIGTERM', () => void end(0, 'stopping (SIGTERM)'))
process.on(
  'unhandledRejection',
  (error) => void end(exitFailed, `bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
)
process.on('uncaughtException', (error) => void end(exitFailed, `bug: ${error.stack ?? error.message}`))

const result = readConfig(
  undefined,
  services().map((service) => service.name),
)
if ('errors' in result) {
  for (const line of result.errors) process.stderr.write(`${line}\n`)
  process.exit(exitConfig)
}
try {
  platform = await startPlatform({
    config: result.config,
    version,
    notice: say,
    failed: (error) => void end(exitFailed, `cannot go on: ${messageOf(error)}`),
  })
  process.stdout.write(banner(platform.url, platform.endpoints.length > 0, performance.now() - startedAt))
} catch (error) {
  await end(exitFailed, messageOf(error))
}
