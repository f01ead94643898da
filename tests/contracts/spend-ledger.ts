/** What every ledger of language-model spending must do (connectors/llm/spend.ts, S1 to S3). */

import { describe, expect, test } from 'vitest'
import type { SpendLedger } from '../../connectors/llm/index.ts'

const a = '0a000000-0000-4000-8000-00000000000a'
const b = '0a000000-0000-4000-8000-00000000000b'
let days = 0
/** A day that no other test has used. */
const freshDay = (): string => new Date(Date.UTC(2026, 0, ++days)).toISOString().slice(0, 10)

export function spendLedgerContract(name: string, open: () => SpendLedger): void {
  describe(`spend ledger: ${name}`, () => {
    test('S1: what fits is reserved, to the last microdollar; what does not leaves nothing', async () => {
      const [ledger, day] = [open(), freshDay()]
      expect(await ledger.spent(a, day)).toBe(0)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 101 }, 100)).toBe(false)
      expect(await ledger.spent(a, day)).toBe(0)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 60 }, 100)).toBe(true)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 41 }, 100)).toBe(false)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 40 }, 100)).toBe(true)
      expect(await ledger.spent(a, day)).toBe(100)
    })

    test('S1: calls side by side cannot exceed the limit together', async () => {
      const [ledger, day] = [open(), freshDay()]
      const asked = Array.from({ length: 20 }, () => ledger.reserve({ tenantId: a, day, microdollars: 30 }, 100))
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(3)
      expect(await ledger.spent(a, day)).toBe(90)
    })

    test('S2: settling replaces what was reserved, by more or by less; unsettled it stands', async () => {
      const [ledger, day] = [open(), freshDay()]
      const [one, two] = [70, 30].map((microdollars) => ({ tenantId: a, day, microdollars }))
      expect([await ledger.reserve(one!, 100), await ledger.reserve(two!, 100)]).toEqual([true, true])
      await ledger.settle(one!, 5)
      expect(await ledger.spent(a, day)).toBe(35)
      await ledger.settle(two!, 200)
      expect(await ledger.spent(a, day)).toBe(205)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 1 }, 100)).toBe(false)
    })

    test('S3: tenants and days do not share', async () => {
      const [ledger, day, next] = [open(), freshDay(), freshDay()]
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 100 }, 100)).toBe(true)
      expect(await ledger.reserve({ tenantId: b, day, microdollars: 90 }, 100)).toBe(true)
      expect(await ledger.reserve({ tenantId: a, day: next, microdollars: 80 }, 100)).toBe(true)
      await ledger.settle({ tenantId: b, day, microdollars: 90 }, 10)
      expect([await ledger.spent(a, day), await ledger.spent(b, day), await ledger.spent(a, next)]).toEqual([
        100, 10, 80,
      ])
    })

    test('sums beyond 32 bits are exact', async () => {
      const [ledger, day] = [open(), freshDay()]
      const limit = 1_000_000_000_000
      expect(await ledger.reserve({ tenantId: a, day, microdollars: limit - 1 }, limit)).toBe(true)
      expect(await ledger.reserve({ tenantId: a, day, microdollars: 2 }, limit)).toBe(false)
      expect(await ledger.spent(a, day)).toBe(limit - 1)
    })
  })
}
