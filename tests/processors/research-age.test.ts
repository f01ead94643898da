/** A session that completed, in event time, before the age of another was told. */

import { expect, test } from 'vitest'
import { researchDefaults } from '../../processors/index.ts'
import { agesFrom, staleTimer } from '../../processors/research/age.ts'
import { nothingYet } from '../../processors/research/state.ts'

test('the timer of old research is never armed at or before its last firing (T2)', () => {
  const { staleAfterMs } = researchDefaults
  const fired = { ...nothingYet, stale_fired_at: staleAfterMs + 5 }
  expect(agesFrom(researchDefaults, nothingYet, 5)).toEqual({ [staleTimer]: staleAfterMs + 5 })
  expect(agesFrom(researchDefaults, fired, 5)).toEqual({ [staleTimer]: staleAfterMs + 6 })
  expect(agesFrom(researchDefaults, fired, 7)).toEqual({ [staleTimer]: staleAfterMs + 7 })
})
