/** Small documents that are replaced whole: written beside the old one, synced, renamed over it. */

import { LogError } from '../port.ts'
import type { LogFiles } from './log-files.ts'

/** Null when there is none. @throws LogError STORAGE_ERROR when it cannot be read as JSON */
export async function readJson(files: LogFiles, directory: string, name: string): Promise<unknown> {
  if (!(await files.list(directory)).includes(name)) return null
  const path = `${directory}/${name}`
  const file = await files.open(path)
  try {
    return JSON.parse((await file.pread(0, await file.size())).toString()) as unknown
  } catch (error) {
    throw new LogError('STORAGE_ERROR', `${path} is damaged: ${(error as Error).message}`, 'stop', error)
  } finally {
    await file.close()
  }
}

export async function writeJson(files: LogFiles, directory: string, name: string, value: unknown): Promise<void> {
  const path = `${directory}/${name}`
  const file = await files.open(`${path}.tmp`)
  try {
    await file.truncate(0)
    await file.append([Buffer.from(`${JSON.stringify(value, null, 1)}\n`)], 0)
    await file.fsync()
  } finally {
    await file.close()
  }
  await files.rename(`${path}.tmp`, path)
  await files.fsyncDirectory(directory)
}
