import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { ObjectStore } from '../../../connectors/storage/index.ts'
import { diskStore, sha256Of } from '../../../connectors/storage/index.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const text = { contentType: 'text/plain' }

async function place(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'disk-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  return root
}
const storeIn = (root: string): ObjectStore => diskStore({ root, bucket: 'objects', clock: { now: () => now } })

/** A process that puts without end, and says each put that was answered. */
function writer(root: string, key: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'put-for-ever.ts'), root, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: { version_id: string; sha256: string }[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    said.push(...lines.map((line) => JSON.parse(line) as { version_id: string; sha256: string }))
  })
  return { child, said }
}

test('what was answered is there after kill -9 at any point, whole, and every version is (DS1, DS2)', async () => {
  const root = await place()
  const keys = ['tenants/t1/a', 'tenants/t2/a']
  for (let round = 0; round < 4; round++) {
    // Two processes on the same key, one on another tenant's.
    const writers = [writer(root, keys[0]!), writer(root, keys[0]!), writer(root, keys[1]!)]
    for (const { said } of writers) while (said.length < 3) await sleep(5)
    await sleep(round * 7)
    const ended = writers.map(({ child }) => once(child, 'close'))
    for (const { child } of writers) child.kill('SIGKILL')
    await Promise.all(ended)
    const store = storeIn(root)
    for (const [index, { said }] of writers.entries()) {
      const key = keys[index === 2 ? 1 : 0]!
      for (const { version_id, sha256 } of said) {
        const read = await store.get(key, version_id)
        expect([version_id, read?.sha256, read && sha256Of(read.content)]).toEqual([version_id, sha256, sha256])
      }
    }
    for (const key of keys)
      for (const { version_id } of await store.versions(key)) expect(await store.get(key, version_id)).not.toBeNull()
  }
  const told = (await storeIn(root).versions(keys[0]!)).map(({ version_id }) => Number(version_id.split('-')[0]))
  expect(told).toEqual(Array.from({ length: told.length }, (_, index) => told.length - index))
}, 120_000)

test('leftovers of killed processes go after a day, younger ones stay: somebody may be writing them', async () => {
  const root = await place()
  await mkdir(join(root, '@new'), { recursive: true })
  for (const [name, hours] of [
    ['old', 25],
    ['young', 23],
  ] as const) {
    await writeFile(join(root, '@new', name), 'half')
    await utimes(join(root, '@new', name), now / 1000, now / 1000 - hours * 3600)
  }
  await storeIn(root).ready()
  expect(await readdir(join(root, '@new'))).toEqual(['young'])
})

test('bytes that changed on the disk are said to be damaged, never given out', async () => {
  const root = await place()
  const store = storeIn(root)
  await store.put('tenants/t1/a', Buffer.from('whole'), text)
  await store.put('tenants/t2/a', Buffer.from('other'), text)
  await appendFile(join(root, 'tenants', 't1', 'a', '@00000001'), '!')
  await expect(store.get('tenants/t1/a')).rejects.toMatchObject({ reason: 'damaged' })
  expect((await store.get('tenants/t2/a'))?.content.toString()).toBe('other')
})

test('keys that differ in case alone have folders that differ in more (DS3)', async () => {
  const root = await place()
  const store = storeIn(root)
  await store.put('tenants/t1/Aa', Buffer.from('1'), text)
  await store.put('tenants/t1/aA', Buffer.from('2'), text)
  const names = await readdir(join(root, 'tenants', 't1'))
  expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(2)
  expect(await readFile(join(root, 'tenants', 't1', '%aa', '@00000001'), 'utf8')).toContain('\n1')
})

test('a root that is no folder is trouble with a line, not a bug', async () => {
  const root = join(await place(), 'file')
  await writeFile(root, '')
  await expect(storeIn(root).ready()).rejects.toMatchObject({ name: 'StorageError', reason: 'retry' })
})
