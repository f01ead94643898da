import { expect, test } from 'vitest'
import { forgotten, judgeAll } from './golden.ts'

const judged = judgeAll()

test.each(judged)('$subject is as it was written down', ({ verdict }) => {
  if (verdict.verdict === 'refused') expect.fail(`it would break old or new readers:\n${verdict.reasons.join('\n')}`)
  if (verdict.verdict === 'new')
    expect.fail('it has a new version: write it down with `node_modules/.bin/node tests/schemas/golden.ts`')
})

test('what was written down is still declared: it stands on topics for ever', () => {
  expect(forgotten(judged)).toEqual([])
})
