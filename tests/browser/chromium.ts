/** A headless Chromium: the machine's, or Debian's, installed the first time where we may. */

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const run = promisify(execFile)
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const macOs = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

export type Found = { readonly path: string } | { readonly lacks: string }

/** Tests that come to it at the same time take turns, and the second finds it done. */
const installation = 'command -v chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }'

/** Where it is, or why it cannot be had, in one line. */
export async function findChromium(): Promise<Found> {
  const found = installed()
  if (found !== null) return { path: found }
  if (process.getuid?.() !== 0 || inPath('apt-get') === null)
    return { lacks: 'no Chromium on this machine, and only root can install Debian’s: apt-get install chromium' }
  try {
    await run('flock', [join(tmpdir(), 'chromium.lock'), 'sh', '-c', installation], {
      timeout: 600_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      maxBuffer: 64 * 1024 * 1024,
    })
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { lacks: `Chromium could not be installed: ${line ?? ''}` }
  }
  const now = installed()
  return now === null ? { lacks: 'Debian’s chromium was installed and is not in PATH' } : { path: now }
}

function installed(): string | null {
  const found = names.map(inPath).find((path) => path !== null)
  return found ?? (isProgram(macOs) ? macOs : null)
}

function inPath(name: string): string | null {
  const places = (process.env['PATH'] ?? '').split(':').filter((place) => place !== '')
  return places.map((place) => join(place, name)).find(isProgram) ?? null
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Asks nobody outside. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

export const launch = (path: string): Promise<Browser> => chromium.launch({ executablePath: path, args: flags })
