/** What every table of idempotency keys must do for the ingest API (api/ingest/idempotent-append.ts, K1 to K4). */

import { afterEach, describe, expect, test } from 'vitest'
import type { Reservation, Reservations } from '../../api/index.ts'

export interface ReservationsUnderTest {
  readonly table: Reservations
  close(): Promise<void>
}

const at = 1_767_225_600_000
const hourMs = 60 * 60 * 1000
const tenants = { a: '00000000-0000-4000-8000-00000000000a', b: '00000000-0000-4000-8000-00000000000b' }
const ids = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']

const request = (key: string, more: Partial<Reservation> = {}): Reservation => ({
  tenantId: tenants.a,
  key,
  bodyHash: Buffer.from('0123456789abcdef0123456789abcdef'),
  eventIds: ids,
  endOffsets: new Map([
    ['research_events-1', 42n],
    ['review_events-0', 2n ** 62n],
  ]),
  owner: 'ingest-1',
  attempt: 0,
  positions: null,
  ...more,
})
const positions = ['research_events-1@42', 'review_events-0@7']

export function reservationsContract(name: string, open: () => Promise<ReservationsUnderTest>): void {
  describe(`reservations: ${name}`, () => {
    const opened: ReservationsUnderTest[] = []
    const fresh = async (): Promise<Reservations> => {
      const under = await open()
      opened.push(under)
      return under.table
    }
    afterEach(async () => void (await Promise.all(opened.splice(0).map((under) => under.close()))))

    test('K1: what is reserved is found as it was, and reserved once', async () => {
      const table = await fresh()
      expect(await table.find(request('one'))).toBeNull()
      expect(await table.reserve(request('one'), at)).toBe(true)
      expect(await table.find(request('one'))).toEqual(request('one'))
      expect(await table.reserve(request('one', { owner: 'ingest-2', eventIds: ids.slice(1) }), at)).toBe(false)
      expect(await table.find(request('one'))).toEqual(request('one'))
    })

    test('K1: of many who reserve at once, one succeeds', async () => {
      const table = await fresh()
      const owners = ['p1', 'p2', 'p3', 'p4', 'p5']
      const got = await Promise.all(owners.map((owner) => table.reserve(request('race', { owner }), at)))
      expect(got.filter(Boolean)).toHaveLength(1)
      expect((await table.find(request('race')))?.owner).toBe(owners[got.indexOf(true)])
    })

    test('K4: a key belongs to its tenant', async () => {
      const table = await fresh()
      const other = request('shared', { tenantId: tenants.b, owner: 'ingest-2' })
      expect(await table.reserve(request('shared'), at)).toBe(true)
      expect(await table.find(other)).toBeNull()
      expect(await table.reserve(other, at)).toBe(true)
      await table.finish(other, 'ingest-2', positions)
      expect((await table.find(request('shared')))?.positions).toBeNull()
      expect((await table.find(other))?.positions).toEqual(positions)
    })

    test('only its owner finishes or frees a key, and only while it is pending', async () => {
      const table = await fresh()
      await table.reserve(request('mine'), at)
      await table.finish(request('mine'), 'ingest-2', positions)
      await table.release(request('mine'), 'ingest-2')
      expect(await table.find(request('mine'))).toEqual(request('mine'))
      await table.finish(request('mine'), 'ingest-1', positions)
      expect(await table.find(request('mine'))).toEqual(request('mine', { positions }))
      await table.release(request('mine'), 'ingest-1')
      await table.finish(request('mine'), 'ingest-1', positions.toReversed())
      expect(await table.find(request('mine'))).toEqual(request('mine', { positions }))
      expect(await table.claim(request('mine'), 'ingest-2')).toBe(false)
    })

    test('a key that is freed may be reserved again', async () => {
      const table = await fresh()
      await table.reserve(request('freed'), at)
      await table.release(request('freed'), 'ingest-1')
      expect(await table.find(request('freed'))).toBeNull()
      expect(await table.reserve(request('freed', { owner: 'ingest-2' }), at)).toBe(true)
    })

    test('K2: of those who read the same and claim it, one succeeds; the owner before has no more say', async () => {
      const table = await fresh()
      await table.reserve(request('taken'), at)
      const held = (await table.find(request('taken')))!
      const heirs = ['h1', 'h2', 'h3', 'h4']
      const got = await Promise.all(heirs.map((heir) => table.claim(held, heir)))
      expect(got.filter(Boolean)).toHaveLength(1)
      const heir = heirs[got.indexOf(true)]!
      await table.release(held, 'ingest-1')
      await table.finish(held, 'ingest-1', positions)
      expect(await table.find(held)).toEqual({ ...held, owner: heir, attempt: 1 })
      expect(await table.claim(held, 'late')).toBe(false)
    })

    test('K2: its own owner claims it once for each reading, too', async () => {
      const table = await fresh()
      await table.reserve(request('again'), at)
      const held = (await table.find(request('again')))!
      expect(await Promise.all([table.claim(held, 'ingest-1'), table.claim(held, 'ingest-1')])).toContain(false)
      expect((await table.find(held))?.attempt).toBe(1)
    })

    test('keys past their retention are forgotten, whatever became of them', async () => {
      const table = await fresh()
      for (const key of ['old', 'old and done', 'young'])
        await table.reserve(request(key), key === 'young' ? at : at - hourMs)
      await table.finish(request('old and done'), 'ingest-1', positions)
      await table.sweep(at)
      expect(await table.find(request('old'))).toBeNull()
      expect(await table.find(request('old and done'))).toBeNull()
      expect(await table.find(request('young'))).not.toBeNull()
    })
  })
}
