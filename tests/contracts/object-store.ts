/** What every object store must do for us, whatever stands behind the port. */

import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../connectors/storage/index.ts'
import { StorageError, putOnce } from '../../connectors/storage/index.ts'

export interface ObjectStoreFixture {
  /** Another client of the same store. */
  open(): ObjectStore
  dispose(): Promise<void>
}

const text = { contentType: 'text/plain' }
const bytesOf = (words: string): Buffer => Buffer.from(words)
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** The reason of a refusal; what is not refused fails the test. */
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'not refused',
    (error: unknown) => (error instanceof StorageError ? error.reason : String(error)),
  )

export function objectStoreContract(name: string, factory: () => Promise<ObjectStoreFixture>): void {
  describe(`object store contract: ${name}`, () => {
    let fixture: ObjectStoreFixture
    let store: ObjectStore
    let used = 0
    /** A key that no other test has, of a tenant. */
    const keyOf = (tenant: string, name = 'a.txt'): string => `tenants/${tenant}/${used}/${name}`

    beforeAll(async () => {
      fixture = await factory()
      store = fixture.open()
      await store.ready()
    }, 300_000)
    afterAll(async () => {
      store?.close()
      await fixture?.dispose()
    })
    const freshly = (name: string, work: () => Promise<void>): void =>
      test(name, async () => {
        used += 1
        await work()
      })

    freshly('gives back what was put, with its description, to any client', async () => {
      const content = randomBytes(300_000)
      const key = keyOf('t1', 'report.bin')
      const put = await store.put(key, content, { contentType: 'application/octet-stream' })
      expect(put).toMatchObject({ bucket: store.bucket, key, bytes: 300_000, sha256: sha256(content) })
      expect(put.version_id).not.toBe('')
      const other = fixture.open()
      const { content: read, ...described } = (await other.get(key)) ?? expect.fail('nothing is there')
      expect(read.equals(content)).toBe(true)
      expect(described).toEqual(put)
      expect(await other.head(key)).toEqual(put)
      other.close()
    })

    freshly('keeps every version, each under its id', async () => {
      const key = keyOf('t1')
      const first = await store.put(key, bytesOf('one'), text)
      const second = await store.put(key, bytesOf('two'), text)
      expect(second.version_id).not.toBe(first.version_id)
      expect((await store.get(key))?.content.toString()).toBe('two')
      expect((await store.get(key, first.version_id))?.content.toString()).toBe('one')
      expect(await store.head(key, first.version_id)).toEqual(first)
      expect(await store.versions(key)).toEqual([
        { version_id: second.version_id, is_latest: true, deleted: false },
        { version_id: first.version_id, is_latest: false, deleted: false },
      ])
    })

    freshly('holds two tenants apart, and a key from another that begins alike', async () => {
      const keys = [keyOf('t1'), keyOf('t2'), keyOf('t1', 'a.txt.old'), keyOf('t1', 'A.txt'), keyOf('t1', 'a.txt/b')]
      for (const key of keys) await store.put(key, bytesOf(`for ${key}`), text)
      for (const key of keys) {
        expect((await store.get(key))?.content.toString()).toBe(`for ${key}`)
        expect(await store.versions(key)).toHaveLength(1)
      }
      await store.remove(keyOf('t1'))
      expect(await store.get(keyOf('t1'))).toBeNull()
      expect((await store.get(keyOf('t2')))?.content.toString()).toBe(`for ${keyOf('t2')}`)
    })

    freshly('knows nothing of what was never put', async () => {
      const other = await store.put(keyOf('t2'), bytesOf('x'), text)
      await store.put(keyOf('t1'), bytesOf('y'), text)
      expect(await store.get(keyOf('t1', 'none'))).toBeNull()
      expect(await store.head(keyOf('t1', 'none'))).toBeNull()
      expect(await store.versions(keyOf('t1', 'none'))).toEqual([])
      expect(await store.remove(keyOf('t1', 'none'))).toBeNull()
      expect(await store.get(keyOf('t1'), other.version_id)).toBeNull()
      expect(await store.head(keyOf('t1'), other.version_id)).toBeNull()
    })

    freshly('removes by a marker: the versions below stay, a second removal does nothing', async () => {
      const key = keyOf('t1')
      const put = await store.put(key, bytesOf('gone'), text)
      const marker = await store.remove(key)
      expect(await store.get(key)).toBeNull()
      expect(await store.head(key)).toBeNull()
      expect((await store.get(key, put.version_id))?.content.toString()).toBe('gone')
      expect(await store.get(key, marker?.version_id)).toBeNull()
      expect(await store.head(key, marker?.version_id)).toBeNull()
      expect(await store.remove(key)).toBeNull()
      expect(await store.versions(key)).toEqual([
        { version_id: marker?.version_id, is_latest: true, deleted: true },
        { version_id: put.version_id, is_latest: false, deleted: false },
      ])
    })

    freshly('puts only where nothing stands, when asked; a marker is nothing', async () => {
      const key = keyOf('t1')
      const first = await store.put(key, bytesOf('one'), { ...text, ifNoneMatch: '*' })
      expect(await refusal(store.put(key, bytesOf('two'), { ...text, ifNoneMatch: '*' }))).toBe('precondition')
      expect(await store.head(key)).toEqual(first)
      await store.remove(key)
      await store.put(key, bytesOf('three'), { ...text, ifNoneMatch: '*' })
      expect((await store.get(key))?.content.toString()).toBe('three')
    })

    freshly('puts only on top of the version that was seen, when asked', async () => {
      const key = keyOf('t1')
      const first = await store.put(key, bytesOf('one'), text)
      const second = await store.put(key, bytesOf('two'), { ...text, ifMatch: first.etag })
      expect(await refusal(store.put(key, bytesOf('lost'), { ...text, ifMatch: first.etag }))).toBe('precondition')
      expect(await store.head(key)).toEqual(second)
    })

    freshly('lets one of many win the same condition', async () => {
      const key = keyOf('t1')
      const clients = Array.from({ length: 6 }, () => fixture.open())
      const put = (client: ObjectStore, n: number) =>
        client.put(key, bytesOf(`writer ${n}`), { ...text, ifNoneMatch: '*' })
      const results = await Promise.allSettled(clients.map(put))
      for (const client of clients) client.close()
      const winners = results.flatMap((result, n) => (result.status === 'fulfilled' ? [n] : []))
      expect(winners).toHaveLength(1)
      expect(await store.versions(key)).toHaveLength(1)
      expect((await store.get(key))?.content.toString()).toBe(`writer ${winners[0]}`)
    })

    freshly('a put once may be repeated, and never replaces other bytes', async () => {
      const key = keyOf('t1')
      const first = await putOnce(store, key, bytesOf('same'), text)
      expect(await putOnce(store, key, bytesOf('same'), text)).toEqual(first)
      expect(await store.versions(key)).toHaveLength(1)
      expect(await refusal(putOnce(store, key, bytesOf('other'), text))).toBe('invalid')
      expect((await store.get(key))?.content.toString()).toBe('same')
    })

    freshly('keeps an empty object', async () => {
      await store.put(keyOf('t1'), new Uint8Array(0), text)
      expect((await store.get(keyOf('t1')))?.content.length).toBe(0)
    })

    freshly('refuses keys that lead elsewhere', async () => {
      const bad = [
        '',
        '/a',
        'a//b',
        'a/../b',
        '..',
        'a/.',
        'a\\b',
        'a/@00000001',
        'a b',
        'ä',
        'a/%41',
        'a/',
        `a/${'x'.repeat(200)}`,
        'a\0',
      ]
      for (const key of bad) {
        expect([key, await refusal(store.put(key, bytesOf('x'), text))]).toEqual([key, 'invalid'])
        expect([key, await refusal(store.get(key))]).toEqual([key, 'invalid'])
        expect([key, await refusal(store.head(key))]).toEqual([key, 'invalid'])
        expect([key, await refusal(store.versions(key))]).toEqual([key, 'invalid'])
        expect([key, await refusal(store.remove(key))]).toEqual([key, 'invalid'])
      }
    })
  })
}
