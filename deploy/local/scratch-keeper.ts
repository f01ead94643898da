/** Ends the scratch server of a directory when no test process uses it any more. Started by scratch-database.ts. */

import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { withFileLock } from './file-lock.ts'
import { seeProcess } from './server-process.ts'

const idleMs = 15_000
const lookEveryMs = 1_000

const site = process.argv[2] ?? ''
async function clientsLeft(): Promise<number> {
  const names = await readdir(join(site, 'clients')).catch(() => [])
  const gone = await Promise.all(names.map(async (name) => (await seeProcess(Number(name))) === null))
  await Promise.all(names.filter((_, i) => gone[i]).map((name) => rm(join(site, 'clients', name), { force: true })))
  return gone.filter((isGone) => !isGone).length
}

async function keep(): Promise<void> {
  for (let idleSince = performance.now(); ; await sleep(lookEveryMs)) {
    if ((await clientsLeft()) > 0) idleSince = performance.now()
    else if (performance.now() - idleSince > idleMs && (await end())) return
  }
}

/** Under the lock nobody can join meanwhile. */
const end = (): Promise<boolean> =>
  withFileLock(site, async () => {
    if ((await clientsLeft()) > 0) return false
    const server = await startEmbeddedPostgres({
      directory: join(site, 'server'),
      durable: false,
      notice: () => undefined,
    })
    await server.stop()
    // Renamed first: whoever comes from now on begins a directory of their own, instead of one that is being emptied.
    const gone = `${site}.gone-${process.pid}`
    await rename(site, gone)
    await rm(gone, { recursive: true, force: true })
    return true
  })

await keep()
