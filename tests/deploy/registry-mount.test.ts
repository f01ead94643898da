/** Who may write at `/registry` of a running process: over real HTTP, by the bytes that a proxy or a web page would send. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EmbeddedRegistry } from '../../connectors/registry/index.ts'
import { openEmbeddedRegistry } from '../../connectors/registry/index.ts'
import type { Config } from '../../deploy/config.ts'
import { registryMount } from '../../deploy/open-registry.ts'
import { raw, serve, statusOf, tenantA, tenantB } from '../api/http/world.ts'
import { clock, memoryLog } from '../connectors/registry/fixtures.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
})
afterAll(() => registry.close())

const schemaOf = (name: string): string =>
  JSON.stringify({ schema: JSON.stringify({ type: 'record', name, fields: [] }) })

const subjects = async (): Promise<unknown> => {
  await using server = await serve([], {}, { mounts: { '/registry': registryMount(registry, 'production') } })
  return await (await fetch(`${server.url}/registry/subjects`)).json()
}

/** Posts a schema under a subject, with these headers; the status. */
async function posted(mode: Config['mode'], subject: string, headers: Readonly<Record<string, string>>) {
  await using server = await serve([], {}, { mounts: { '/registry': registryMount(registry, mode) } })
  const body = schemaOf('Written')
  const lines = Object.entries({ host: `127.0.0.1:${server.port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const head = [`POST /registry/subjects/${subject}/versions HTTP/1.1`, ...lines, 'content-type: application/json']
  const { text } = await raw(server.port, [
    [...head, `content-length: ${body.length}`, 'connection: close', '', body].join('\r\n'),
  ])
  return statusOf(text)
}

describe('writing to the registry', () => {
  test('is for this machine in development', async () => {
    expect(await posted('development', `${tenantA}.Mine`, {})).toBe(200)
    expect(await subjects()).toContain(`${tenantA}.Mine`)
  })

  test.each<readonly [string, Config['mode'], Readonly<Record<string, string>>]>([
    ['through a proxy on this machine', 'development', { 'x-forwarded-for': '203.0.113.9' }],
    ['through a proxy that says Forwarded', 'development', { forwarded: 'for=203.0.113.9' }],
    ['by a web page whose name leads here', 'development', { host: 'evil.example' }],
    ['in production, from this machine too', 'production', {}],
  ])('is refused %s, and nothing is written', async (_, mode, headers) => {
    expect(await posted(mode, `${tenantB}.Theirs`, headers)).toBe(401)
    expect(await subjects()).not.toContain(`${tenantB}.Theirs`)
  })
})
