import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import { diskStore, s3Store } from '../../../connectors/storage/index.ts'
import { s3Lacks, startS3 } from '../../../deploy/local/s3.ts'
import { machineClock } from '../../../deploy/machine.ts'
import { objectStoreContract } from '../../contracts/object-store.ts'

const place = (): Promise<string> => mkdtemp(join(tmpdir(), 'objects-'))

const s3At = (endpoint: string) => () =>
  s3Store({
    endpoint,
    region: 'eu-central-1',
    bucket: 'contract',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    timeoutMs: 30_000,
  })

objectStoreContract('disk', async () => {
  const root = await place()
  return {
    open: () => diskStore({ root, bucket: 'objects', clock: machineClock }),
    dispose: () => rm(root, { recursive: true }),
  }
})

objectStoreContract('S3, our stand-in', async () => {
  const directory = await place()
  const sandbox = await startSandbox({ directory, clock: machineClock })
  return {
    open: s3At(sandbox.baseUrls.s3),
    async dispose() {
      await sandbox.close()
      await rm(directory, { recursive: true })
    },
  }
})

const lacks = await s3Lacks()
if (lacks === null) {
  objectStoreContract('S3, moto', async () => {
    const directory = await place()
    const server = await startS3({ directory })
    return {
      open: s3At(server.url),
      async dispose() {
        await server.stop()
        await rm(directory, { recursive: true })
      },
    }
  })
} else {
  describe('object store contract: S3, moto', () => test.skip(lacks, () => undefined))
}
