import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rocksDatabases } from '../../../state-stores/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'

const MIB = 1024 * 1024

export interface Scratch {
  readonly directory: string
  readonly notices: string[]
  supplier(): StateDatabaseSupplier
  remove(): Promise<void>
}

/** A directory of its own and suppliers over it. */
export async function scratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'state-'))
  const notices: string[] = []
  return {
    directory,
    notices,
    supplier: () =>
      rocksDatabases({
        directory,
        blockCacheBytes: 16 * MIB,
        writeBufferBytes: 96 * MIB,
        notice: (line) => notices.push(line),
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
