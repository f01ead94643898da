/** What every outbox must do for the relay (api/relay/lead.ts, O1, O2): its rows, and the lock under which one leads. */

import { afterEach, describe, expect, test } from 'vitest'
import type { LedRows, OutboxRow, OutboxRows } from '../../api/relay/index.ts'

/** Fresh rows, and hands on them that are not the port's. */
export interface OutboxUnderTest {
  readonly rows: OutboxRows
  /** Writes `count` events of organization n of a tenant in one transaction; the row ids. */
  put(tenant: 'a' | 'b', n: number, count: number): Promise<readonly string[]>
  /** What stands in a row besides what the port tells. */
  look(
    id: string,
  ): Promise<{ readonly event: unknown; readonly sentAt: number | null; readonly failure: string | null }>
  /** Ends the session of whoever leads, as a cut connection does. */
  cut(): Promise<void>
  close(): Promise<void>
}

const at = 1_767_225_600_000
const ids = (rows: readonly OutboxRow[]): string[] => rows.map(({ id }) => id)

export function outboxContract(name: string, open: () => Promise<OutboxUnderTest>): void {
  describe(`outbox: ${name}`, () => {
    const opened: OutboxUnderTest[] = []
    const terms: LedRows[] = []
    const fresh = async (): Promise<{ under: OutboxUnderTest; led: LedRows }> => {
      const under = await open()
      opened.push(under)
      return { under, led: await next(under) }
    }
    /** Giving up the lock may take a moment to arrive. */
    const next = async (under: OutboxUnderTest, news = (): void => undefined): Promise<LedRows> => {
      for (let tries = 0; tries < 200; tries++) {
        const led = await lead(under, news)
        if (led !== null) return led
        await new Promise((soon) => setTimeout(soon, 5))
      }
      throw new Error('nobody leads, and the lock is not free')
    }
    const lead = async (under: OutboxUnderTest, news = (): void => undefined): Promise<LedRows | null> => {
      const led = await under.rows.lead(news)
      if (led !== null) terms.push(led)
      return led
    }
    afterEach(async () => {
      for (const term of terms.splice(0)) term.release()
      await Promise.all(opened.splice(0).map((under) => under.close()))
    })

    test('there is something unsent until it is sent; what is set aside, and what waits behind it, is not on its way', async () => {
      const { under, led } = await fresh()
      expect(await under.rows.hasUnsent()).toBe(false)
      const [first, second] = await under.put('a', 0, 2)
      const [other] = await under.put('b', 0, 1)
      expect(await under.rows.hasUnsent()).toBe(true)
      await led.stamp([other!], 1n)
      await led.setAside(first!, 'no such topic', at)
      expect(await under.rows.hasUnsent()).toBe(true)
      await led.markSent([{ id: other!, partition: 0, offset: 7n }], at)
      expect(await under.rows.hasUnsent()).toBe(false)
      expect(ids(await led.waiting(10))).toEqual([])
      expect((await under.look(second!)).sentAt).toBeNull()
    })

    test('what waits comes oldest first, with what was written, up to the limit', async () => {
      const { under, led } = await fresh()
      const put = [...(await under.put('a', 0, 2)), ...(await under.put('b', 0, 2))]
      const rows = await led.waiting(10)
      expect(ids(rows)).toEqual(put)
      for (const { topic, key, event } of rows) {
        expect(['auth_events', 'communication_events']).toContain(topic)
        expect(key.startsWith(`${event.tenant_id}|`)).toBe(true)
      }
      expect(ids(await led.waiting(3))).toEqual(put.slice(0, 3))
    })

    test('O2: a stamped row waits no more; stamped rows come in the order of their batches', async () => {
      const { under, led } = await fresh()
      expect(await led.lastBatch()).toBe(0n)
      const put = await under.put('a', 0, 4)
      await led.stamp([put[2]!, put[3]!], 7n)
      await led.stamp([put[1]!], 8n)
      expect(ids(await led.waiting(10))).toEqual([put[0]])
      expect((await led.stamped()).map(({ id, batch }) => [id, batch])).toEqual([
        [put[2], '7'],
        [put[3], '7'],
        [put[1], '8'],
      ])
      expect(await led.lastBatch()).toBe(8n)
      await led.unstamp([put[1]!])
      expect(ids(await led.waiting(10))).toEqual([put[0], put[1]])
      expect(await led.lastBatch()).toBe(7n)
    })

    test('a sent row knows its place and has lost its event', async () => {
      const { under, led } = await fresh()
      const [first, second, third] = (await under.put('a', 0, 3)) as [string, string, string]
      await led.stamp([first, second], 1n)
      const { topic } = (await led.stamped())[0]!
      expect(await under.rows.placeOf(first)).toEqual({ topic, sent: false, partition: null, offset: null })
      await led.markSent([{ id: first, partition: 2, offset: 9_007_199_254_740_993n }], at)
      await led.markSentSomewhere([second], at)
      expect(await under.rows.placeOf(first)).toEqual({ topic, sent: true, partition: 2, offset: '9007199254740993' })
      expect(await under.rows.placeOf(second)).toMatchObject({ sent: true, partition: null, offset: null })
      expect(await under.look(first)).toEqual({ event: null, sentAt: at, failure: null })
      expect(await led.stamped()).toEqual([])
      expect(ids(await led.waiting(10))).toEqual([third])
      expect(await under.rows.placeOf('999999')).toBeNull()
    })

    test('behind a row that was set aside its key waits, on its topic; other keys go', async () => {
      const { under, led } = await fresh()
      await under.put('a', 0, 3)
      await under.put('a', 1, 3)
      await under.put('b', 0, 3)
      const all = await led.waiting(20)
      const bad = all.find((row) => all.filter(({ topic, key }) => topic === row.topic && key === row.key).length > 1)!
      await led.stamp([bad.id], 3n)
      await led.setAside(bad.id, 'does not fit', at)
      const free = all.filter(({ topic, key }) => topic !== bad.topic || key !== bad.key)
      expect(ids(await led.waiting(20))).toEqual(ids(free))
      expect((await under.look(bad.id)).failure).toBe('does not fit')
      expect(await led.stamped()).toEqual([])
    })

    test('what was sent long ago is forgotten, but for the newest batch', async () => {
      const { under, led } = await fresh()
      const [first, second, third] = (await under.put('a', 0, 3)) as [string, string, string]
      await led.stamp([first], 1n)
      await led.stamp([second], 2n)
      await led.stamp([third], 3n)
      await led.markSent([{ id: first, partition: 0, offset: 0n }], at)
      await led.markSent([{ id: second, partition: 0, offset: 1n }], at + 1)
      await led.markSent([{ id: third, partition: 0, offset: 2n }], at)
      await led.forgetSent(at + 1)
      expect(await under.rows.placeOf(first)).toBeNull()
      expect(await under.rows.placeOf(second)).toMatchObject({ sent: true })
      expect(await under.rows.placeOf(third)).toMatchObject({ sent: true })
      expect(await led.lastBatch()).toBe(3n)
    })

    test('O1: one leads; when it lets go another may', async () => {
      const { under, led } = await fresh()
      expect(await lead(under)).toBeNull()
      led.release()
      await (await next(under)).waiting(1)
    })

    test('O1: who lost the lock can touch nothing any more, whoever leads', async () => {
      const { under, led } = await fresh()
      const [id] = (await under.put('a', 0, 1)) as [string]
      await under.cut()
      const later = await next(under)
      await expect(led.waiting(1)).rejects.toThrow()
      await expect(led.stamp([id], 1n)).rejects.toThrow()
      await expect(led.markSent([{ id, partition: 0, offset: 0n }], at)).rejects.toThrow()
      led.release()
      expect(ids(await later.waiting(10))).toEqual([id])
    })

    test('who leads hears of what is committed', async () => {
      const { under, led } = await fresh()
      led.release()
      let heard = 0
      await next(under, () => heard++)
      await under.put('a', 0, 2)
      for (let tries = 0; heard === 0 && tries < 200; tries++) await new Promise((soon) => setTimeout(soon, 5))
      expect(heard).toBeGreaterThan(0)
    })
  })
}
