/** The embedded registry, the client of an outside one over ours, and over Apicurio's where it can run. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import type { ConfluentRegistry } from '../../../connectors/registry/index.ts'
import { openConfluentRegistry, openEmbeddedRegistry, registryHandler } from '../../../connectors/registry/index.ts'
import { startRegistry } from '../../../deploy/local/registry.ts'
import { machineClock } from '../../../deploy/machine.ts'
import type { RegistryFixture } from '../../contracts/registry.ts'
import { registryContract } from '../../contracts/registry.ts'
import { whyNoRegistry } from '../../deploy/why-no-registry.ts'
import { clock, memoryLog } from './fixtures.ts'

const lacks = await whyNoRegistry()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`the client of a registry is not held to Apicurio's: ${lacks}`)

registryContract('embedded', async () => {
  const registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  return {
    open: () => Promise.resolve(registry),
    levelOf: (subject) => Promise.resolve(registry.table.level(subject)),
    versionsOf: (subject) => Promise.resolve(registry.table.versions(subject).length),
    dispose: () => registry.close(),
  }
})

registryContract('the client, over the embedded one', async () => {
  const registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  const server = createServer(registryHandler(registry, { mayWrite: () => true }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return clientFixture(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
    await new Promise((resolve) => server.close(resolve))
    await registry.close()
  })
})

describe.skipIf(lacks !== null && !inCI)(`Apicurio${lacks === null ? '' : ` (${lacks})`}`, () => {
  registryContract('the client, over Apicurio', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'registry-contract-'))
    const server = await startRegistry({ directory })
    return clientFixture(server.url, async () => {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    })
  })
})

function clientFixture(url: string, dispose: () => Promise<void>): RegistryFixture {
  const opened: ConfluentRegistry[] = []
  const said = async (path: string): Promise<unknown> => (await fetch(url + path)).json()
  return {
    async open(schemas = []) {
      const address = { url, credentials: null, ca: null }
      const client = await openConfluentRegistry({ ...address, schemas, clock: machineClock, notice: () => undefined })
      opened.push(client)
      return client
    },
    levelOf: async (subject) =>
      ((await said(`/config/${encodeURIComponent(subject)}`)) as { compatibilityLevel: string }).compatibilityLevel,
    versionsOf: async (subject) =>
      ((await said(`/subjects/${encodeURIComponent(subject)}/versions`)) as unknown[]).length,
    async dispose() {
      for (const client of opened) client.close()
      await dispose()
    },
  }
}
