/** Documents over HTTP: as rows, and as files; two tenants. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tenantA, tenantB, tokenOf } from '../http/world.ts'
import type { World } from './world.ts'
import { documentOf, fileOf, fill, openWorld, ownerA, ownerB } from './world.ts'

let world: World
const files = new Map<string, string>()
let storeIsAway = false
beforeAll(async () => {
  const get = (key: string) => {
    if (storeIsAway) return Promise.reject(new Error('away'))
    const content = files.get(key)
    return Promise.resolve(content === undefined ? null : { content: Buffer.from(content) })
  }
  world = await openWorld({ more: { files: { get } } })
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
  for (const tenant of [tenantA, tenantB])
    for (const name of ['v1', 'v2', 'v1-signed']) files.set(fileOf(tenant, name).key, `${name} of ${tenant}`)
})
afterAll(() => world[Symbol.asyncDispose]())

const id = documentOf(tenantA)

describe('documents', () => {
  test('are listed with their figures, by type, status and organization', async () => {
    const { status, body } = await world.get('/documents')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      items: [{ document_id: id, version: 2, status: 'sent', amount: 200, list_amount: 250, approved_by: 'a' }],
      next_cursor: null,
    })
    expect((await world.get('/documents?status=sent&document_type=contract')).body).toMatchObject({ items: [{}] })
    expect((await world.get('/documents?status=signed')).body).toMatchObject({ items: [] })
    expect((await world.get('/documents?document_type=poem')).status).toBe(400)
  })

  test('are shown with their versions, newest first', async () => {
    const { body } = await world.get(`/documents/${id}`)
    expect(body).toMatchObject({
      document_id: id,
      versions: [
        { version: 2, amount: 200, sha256: 'aa55', signed_sha256: null },
        { version: 1, amount: 100, signed_sha256: 'aa55' },
      ],
    })
  })

  test('of another tenant are not there', async () => {
    for (const path of ['', '/download']) {
      expect((await world.get(`/documents/${id}${path}`, ownerB)).status).toBe(404)
      expect((await world.get(`/documents/${documentOf(tenantB)}${path}`)).status).toBe(404)
      expect((await world.get(`/documents/none${path}`)).status).toBe(404)
    }
  })
})

describe('their files', () => {
  const download = (query = '', as = ownerA, of = id) =>
    fetch(`${world.server.url}/api/v1/documents/${of}/download${query}`, {
      headers: { authorization: `Bearer ${tokenOf(as)}` },
    })

  test('are the newest draft, or the signed one where there is one, or what is asked for', async () => {
    const newest = await download()
    expect([newest.status, newest.headers.get('content-type')]).toEqual([200, 'application/pdf'])
    expect(newest.headers.get('content-disposition')).toBe('attachment; filename="contract-v2.pdf"')
    expect(newest.headers.get('digest')).toBe(`sha-256=${Buffer.from('aa55', 'hex').toString('base64')}`)
    expect(await newest.text()).toBe(`v2 of ${tenantA}`)
    expect(await (await download('?version=1')).text()).toBe(`v1-signed of ${tenantA}`)
    expect(await (await download('?version=1&kind=draft')).text()).toBe(`v1 of ${tenantA}`)
    expect(await (await download('', ownerB, documentOf(tenantB))).text()).toBe(`v2 of ${tenantB}`)
  })

  test('that are not there are not found', async () => {
    expect((await download('?kind=certificate')).status).toBe(404)
    expect((await download('?version=3')).status).toBe(404)
    expect((await download('?kind=copy')).status).toBe(400)
    files.delete(fileOf(tenantA, 'v2').key)
    expect((await download()).status).toBe(404)
    files.set(fileOf(tenantA, 'v2').key, `v2 of ${tenantA}`)
  })

  test('wait for a store that is away', async () => {
    storeIsAway = true
    const response = await download()
    storeIsAway = false
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  })
})
