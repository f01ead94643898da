import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockDirectory } from '../../state-stores/index.ts'

describe('lockDirectory', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lock-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test('one holder at a time, within one process too; another directory is another lock', async () => {
    const lock = await lockDirectory(join(directory, 'made/on/the/way'))
    const other = await lockDirectory(directory)
    await expect(lockDirectory(directory)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      then: 'stop',
      message: `${directory} is in use by process ${process.pid}: stop it, or choose another directory`,
    })
    await other.release()
    await other.release()
    await (await lockDirectory(directory)).release()
    await lock.release()
  })

  test('it goes with its process, kill -9 included, and names the holder until then', async () => {
    for (let i = 0; i < 3; i++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'lock-child.ts'), directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      await expect(lockDirectory(directory)).rejects.toMatchObject({
        code: 'STATE_LOCKED',
        message: `${directory} is in use by process ${child.pid}: stop it, or choose another directory`,
      })
      child.kill('SIGKILL')
      await once(child, 'close')
      await (await lockDirectory(directory)).release()
    }
  })

  test('a directory that cannot be used is trouble, in one line', async () => {
    const file = join(directory, 'file')
    await writeFile(file, '')
    await expect(lockDirectory(file)).rejects.toMatchObject({ code: 'STATE_IO', then: 'stop' })
    await expect(lockDirectory(file)).rejects.toThrow(`${file} cannot be locked: `)
  })
})
