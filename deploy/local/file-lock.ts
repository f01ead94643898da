/** One holder at a time among the processes of this machine; the lock of a dead holder is taken over. */

import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeProcess } from './server-process.ts'

/** Runs `work` while holding `<directory>/lock`, which names its holder. Waits as long as it takes. */
export async function withFileLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const lock = join(directory, 'lock')
  await acquire(directory, lock)
  try {
    return await work()
  } finally {
    // The work may have moved the directory away; a lock that stands here now is another's.
    if ((await readFile(lock, 'utf8').catch(() => '')) === String(process.pid)) await rm(lock, { force: true })
  }
}

async function acquire(directory: string, lock: string): Promise<void> {
  const mine = `${lock}.${process.pid}.${++attempts}`
  for (;;) {
    await mkdir(directory, { recursive: true })
    // Written first, then linked: a lock is never seen without its holder's id.
    await writeFile(mine, String(process.pid)).catch(() => undefined)
    const taken = await link(mine, lock).then(
      () => true,
      () => false,
    )
    await rm(mine, { force: true })
    if (taken) return
    const holder = Number(await readFile(lock, 'utf8').catch(() => '0'))
    if (holder > 0 && (await seeProcess(holder)) === null) await rm(lock, { force: true })
    await sleep(25)
  }
}

let attempts = 0
