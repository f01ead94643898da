import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Names this process in transactional ids; made once per DATA_DIR and kept, so that a restart fences its predecessor. */
export function processIdentity(directory: string): string {
  const file = join(directory, 'process-id')
  try {
    const id = readFileSync(file, 'utf8').trim()
    if (/^[0-9a-f-]{36}$/.test(id)) return id
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const id = randomUUID()
  writeFileSync(`${file}.new`, `${id}\n`)
  renameSync(`${file}.new`, file)
  return id
}
