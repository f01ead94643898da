/** The product with its schemas in a registry outside: a real Confluent API over HTTP, here the embedded one behind a server. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EmbeddedRegistry } from '../../connectors/registry/index.ts'
import { openEmbeddedRegistry, registryHandler } from '../../connectors/registry/index.ts'
import type { Environment } from '../../deploy/config.ts'
import { readConfig } from '../../deploy/config.ts'
import { freePort } from '../../deploy/local/free-port.ts'
import type { Platform } from '../../deploy/platform.ts'
import { startPlatform } from '../../deploy/platform.ts'
import type { EventTopic } from '../../schemas/index.ts'
import { schemasOf, topics } from '../../schemas/index.ts'
import { clock, memoryLog } from '../connectors/registry/fixtures.ts'

const directory = mkdtempSync(join(tmpdir(), 'outside-registry-'))
chmodSync(directory, 0o755)
const login = 'Basic ' + Buffer.from('app:hunter22').toString('base64')
const credentials = { SCHEMA_REGISTRY_USERNAME: 'app', SCHEMA_REGISTRY_PASSWORD: 'hunter22' }
let registry: EmbeddedRegistry
let url = ''
let asked: string[] = []
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`)
  registryHandler(registry, { mayWrite: ({ headers }) => headers.authorization === login })(request, response)
})

beforeAll(async () => {
  // Ids of its own: who took them from elsewhere would decode nothing.
  registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  for (let index = 0; index < 300; index++)
    await registry.register('others', {
      type: 'record',
      name: 'O',
      fields: [{ name: `f${index}`, type: 'int', default: 0 }],
    })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}, 60_000)
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

function start(environment: Environment): Promise<Platform> {
  const own = { DATA_DIR: join(directory, 'data'), PORT: '0', RATE_LIMIT_PER_MINUTE: '0', LOG_LEVEL: 'error' }
  const result = readConfig({ ...own, ...environment })
  if ('errors' in result) throw new Error(result.errors.join('\n'))
  const failed = (error: Error): void => void expect(error).toBeUndefined()
  return startPlatform({ config: result.config, version: 'test', notice: () => undefined, failed })
}

async function mailTo(platform: Platform, email: string): Promise<string> {
  const answer = await fetch(`${platform.url}/api/v1/auth/signup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      email,
      password: 'correct horse',
      company_name: email,
      first_name: 'Ada',
      last_name: 'Byron',
    }),
  })
  expect(answer.status).toBe(201)
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    const mails = (await (await fetch(`${platform.url}/sandbox/mail?to=${email}`)).json()) as { text: string }[]
    if (mails.length > 0) return mails[0]!.text
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no mail to ${email}`)
}

test('two tenants sign up, and again after a start that finds everything there', async () => {
  for (const [round, emails] of [
    ['ada@a.example', 'bob@b.example'],
    ['eve@c.example', 'dan@d.example'],
  ].entries()) {
    asked = []
    const platform = await start({ SCHEMA_REGISTRY_URL: url, ...credentials })
    const writes = asked.filter((what) => what.startsWith('POST') && what.endsWith('/versions'))
    const subjects = topics.flatMap((topic) => schemasOf(topic as unknown as EventTopic)).length
    expect(writes).toHaveLength(round === 0 ? subjects : 0)
    expect(registry.table.subjects()).toHaveLength(subjects + 1)
    asked = []
    try {
      for (const email of emails) expect(await mailTo(platform, email)).toMatch(/\d{6}/)
      expect(asked).toEqual([])
      const own = await fetch(`${platform.url}/registry/subjects`)
      expect(own.status).toBe(404)
      expect(await own.text()).toContain('SCHEMA_REGISTRY_URL')
    } finally {
      await platform.close()
    }
  }
}, 120_000)

test('a log that had a registry of its own is not read with another', async () => {
  const DATA_DIR = join(directory, 'before')
  await (await start({ DATA_DIR })).close()
  await expect(start({ DATA_DIR, SCHEMA_REGISTRY_URL: url, ...credentials })).rejects.toThrow(
    /^SCHEMA_REGISTRY_URL: the log had a registry of its own, and (\d+) of its \1 ids mean something else at http:[^\n]+$/,
  )
  await (await start({ DATA_DIR })).close()
}, 120_000)

test('what is wrong with it is said in one line', async () => {
  const line = (environment: Environment): Promise<string> =>
    start(environment).then(
      () => 'it started',
      (error: Error) => error.message,
    )
  const port = await freePort()
  expect(await line({ SCHEMA_REGISTRY_URL: `http://127.0.0.1:${port}/api` })).toBe(
    `the schema registry at http://127.0.0.1:${port}/api cannot be reached (ECONNREFUSED)`,
  )
  const tls = { SCHEMA_REGISTRY_URL: 'https://registry.test' }
  const nowhere = join(directory, 'none.pem')
  expect(await line({ ...tls, SCHEMA_REGISTRY_CA: nowhere })).toBe(
    `SCHEMA_REGISTRY_CA: ${nowhere} cannot be read (ENOENT)`,
  )
  const empty = join(directory, 'empty.pem')
  writeFileSync(empty, 'nothing')
  expect(await line({ ...tls, SCHEMA_REGISTRY_CA: empty })).toBe(
    `SCHEMA_REGISTRY_CA: ${empty} holds no certificate; wanted PEM`,
  )
}, 120_000)
