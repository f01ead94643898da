/** Every planted bug is caught: by the simulator's seeds, or by the test that is named for it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plantedBugs } from './bugs.ts'
import { tableLine } from './main.ts'
import { applied, sourceOf } from './tree.ts'
import { Workshop } from './workshop.ts'

test('each bug has a place to be planted in, exactly one', () => {
  for (const { edits } of plantedBugs) for (const edit of edits) expect(applied(sourceOf(edit.file), edit)).not.toBe('')
})

test('they are as many as reliability asks for, most of them found by seeds', () => {
  expect(plantedBugs.length).toBeGreaterThanOrEqual(24)
  expect(plantedBugs.filter(({ caughtBy }) => 'seeds' in caughtBy).length).toBeGreaterThanOrEqual(14)
})

describe.concurrent('each bug is caught', () => {
  let workshop: Workshop
  beforeAll(() => void (workshop = new Workshop(2)))
  afterAll(() => workshop.close())

  for (const bug of plantedBugs) {
    test(bug.name, { timeout: 20 * 60_000 }, async () => {
      const verdict = await workshop.try(bug)
      expect(verdict.caught, tableLine(bug, verdict)).toBe(true)
    })
  }
})
