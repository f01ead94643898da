/** The registry that we start ourselves, asked as a client of Confluent's asks. */

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Registry } from '../../deploy/local/registry.ts'
import { startRegistry } from '../../deploy/local/registry.ts'
import { seeProcess } from '../../deploy/local/server-process.ts'
import { whyNoRegistry } from './why-no-registry.ts'

const lacks = await whyNoRegistry()

const schemaOf = (fields: readonly string[]): string =>
  JSON.stringify({ type: 'record', name: 'Opened', fields: fields.map((name) => ({ name, type: 'string' })) })

async function ask(url: string, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${url}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    signal: AbortSignal.timeout(20_000),
  })
  return { status: response.status, answer: await response.json() }
}

describe.skipIf(lacks !== null)(`the registry on this machine${lacks === null ? '' : ` (skipped: ${lacks})`}`, () => {
  let directory: string
  let registry: Registry
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'registry-'))
    registry = await startRegistry({ directory })
  }, 120_000)
  afterAll(async () => {
    await registry?.stop()
    await rm(directory, { recursive: true, force: true })
  }, 60_000)

  test('gives an id for a schema, the same for the same one, and the schema for the id', async () => {
    const schema = schemaOf(['tenant_id'])
    const first = await ask(registry.url, '/subjects/tenant-a.Opened/versions', { schema })
    expect(first).toEqual({ status: 200, answer: { id: expect.any(Number) as number } })
    expect(await ask(registry.url, '/subjects/tenant-b.Opened/versions', { schema })).toEqual(first)
    const { id } = first.answer as { id: number }
    expect((await ask(registry.url, `/schemas/ids/${id}`)).answer).toMatchObject({ schema })
    expect((await ask(registry.url, '/subjects')).answer).toEqual(['tenant-a.Opened', 'tenant-b.Opened'])
  })

  test('keeps what it was told over a stop and a start, on another port too', async () => {
    const { answer } = await ask(registry.url, '/subjects/kept.Opened/versions', { schema: schemaOf(['kept']) })
    const before = registry
    await registry.stop()
    await before.ended
    expect(await seeProcess(before.pid)).toBeNull()
    await expect(ask(before.url, '/subjects')).rejects.toThrow()
    registry = await startRegistry({ directory })
    expect(registry.port).not.toBe(before.port)
    expect(await ask(registry.url, '/subjects/kept.Opened/versions/1')).toMatchObject({ status: 200, answer })
  }, 120_000)

  test('SP1: one that a killed starter left behind is ended, and the next goes on with its data', async () => {
    await registry.stop()
    const starter = spawn(process.execPath, [join(import.meta.dirname, 'start-registry.ts'), directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = await new Promise<string>((done) => starter.stdout.once('data', (bytes) => done(String(bytes))))
    const { url, pid } = JSON.parse(said) as { url: string; pid: number }
    await ask(url, '/subjects/left.Opened/versions', { schema: schemaOf(['left']) })
    starter.kill('SIGKILL')
    await new Promise((done) => starter.once('exit', done))
    expect(await seeProcess(pid)).toMatchObject({ command: 'java', directory })
    const notices: string[] = []
    registry = await startRegistry({ directory, notice: (line) => void notices.push(line) })
    expect(notices).toEqual([`ending the registry left running (process ${pid})`])
    expect(await seeProcess(pid)).toBeNull()
    expect((await ask(registry.url, '/subjects')).answer).toContain('left.Opened')
  }, 120_000)

  test('on a port that is taken: one line, and nothing is started', async () => {
    const own = join(directory, 'taken')
    const starting = startRegistry({ directory: own, port: registry.port })
    await expect(starting).rejects.toThrow(`registry: port ${registry.port} is taken; choose another`)
    expect(await readdir(own)).toEqual([])
  })

  test('SP3: one that ends while it starts is one line that names its log', async () => {
    const own = join(directory, 'broken')
    // What should be the directory of its data is a file.
    await mkdir(own)
    await writeFile(join(own, 'data'), '')
    const starting = startRegistry({ directory: own })
    await expect(starting).rejects.toThrow(`registry did not become ready: see ${join(own, 'server.log')}`)
    expect(await readFile(join(own, 'server.log'), 'utf8')).toContain('Exception')
    expect(await readdir(own)).not.toContain('server.pid')
  }, 120_000)

  test('gives up when it is told to while it starts, and leaves no process', async () => {
    const own = join(directory, 'given-up')
    const starting = startRegistry({ directory: own, signal: AbortSignal.timeout(500) })
    await expect(starting).rejects.toThrow('timeout')
    expect(await readdir(own)).not.toContain('server.pid')
  }, 60_000)
})
