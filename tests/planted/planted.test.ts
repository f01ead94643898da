/** Every planted bug is caught: by the simulator's seeds, or by the test that is named for it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plantedBugs } from './bugs.ts'
import { catchBug } from './catch.ts'
import { applied, copySource, sourceOf } from './tree.ts'
import type { SourceCopy } from './tree.ts'

test('each bug has a place to be planted in, exactly one', () => {
  for (const { edits } of plantedBugs) for (const edit of edits) expect(applied(sourceOf(edit.file), edit)).not.toBe('')
})

describe('each bug is caught', () => {
  let copy: SourceCopy
  beforeAll(() => void (copy = copySource()))
  afterAll(() => copy.remove())

  for (const bug of plantedBugs) {
    test(bug.name, { timeout: 10 * 60_000 }, async () => {
      copy.plant(bug.edits)
      try {
        expect(await catchBug(copy, bug)).toMatchObject({ caught: true })
      } finally {
        copy.restore()
      }
    })
  }
})
