import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { registeredSchemas } from '../../client/index.ts'
import { openEmbeddedRegistry, registryHandler } from '../../connectors/registry/index.ts'
import { schemasOf, communicationEvents } from '../../schemas/index.ts'
import { clock, memoryLog } from '../connectors/registry/fixtures.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(handler!)
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('gives the ids that the registry has given, and registers nothing', async () => {
  const registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  const [{ subject, schema }, other] = schemasOf(communicationEvents) as [
    ReturnType<typeof schemasOf>[number],
    ReturnType<typeof schemasOf>[number],
  ]
  const id = await registry.register(subject, schema)
  const url = await serve(registryHandler(registry, { mayWrite: () => false }))
  const client = registeredSchemas({ url: `${url}/` })
  expect(await client.register(subject, schema)).toBe(id)
  expect(await client.schemaById(id)).toEqual({ schema: JSON.stringify(schema) })
  expect(await client.schemaById(id + 1)).toBeNull()
  await expect(client.register(other.subject, other.schema)).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
    then: 'retry',
    message: `${other.subject} is not registered in this version at ${url}: start the platform of this version first`,
  })
  expect(registry.table.subjects()).toEqual([subject])
  await registry.close()
})

test.each([
  [500, 'retry'],
  [429, 'retry'],
  [401, 'stop'],
] as const)('a registry that answers %i: %s', async (status, then) => {
  const asked: (string | undefined)[] = []
  const url = await serve((request, response) => {
    asked.push(request.headers.authorization)
    response.writeHead(status).end()
  })
  const client = registeredSchemas({ url, authorization: 'Basic eA==' })
  await expect(client.schemaById(1)).rejects.toMatchObject({ code: 'REGISTRY_FAILED', then })
  expect(asked).toEqual(['Basic eA=='])
})

test('a registry that is away, or does not answer in time, is trouble that may pass', async () => {
  const silent = await serve(() => undefined)
  for (const client of [
    registeredSchemas({ url: 'http://127.0.0.1:1' }),
    registeredSchemas({ url: silent, timeoutMs: 50 }),
  ])
    await expect(client.schemaById(1)).rejects.toMatchObject({ code: 'REGISTRY_FAILED', then: 'retry' })
})
