/** Every numbered behaviour has a test that names it, and the list of them is true. */

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { missingTests, numbersIn, rowsOf, titlesOf, unlistedTests, untested } from './behaviours.ts'

const root = join(import.meta.dirname, '../..')
const rows = rowsOf(readFileSync(join(root, 'processors/BEHAVIOURS.md'), 'utf8'))
const titles = globSync(['processors/*/scenarios.ts', 'tests/**/*.test.ts', 'tests/contracts/*.ts'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .sort()
  .flatMap((path) => titlesOf(path, readFileSync(join(root, path), 'utf8')))

/** How many numbers a section has. */
const counts = { '4.5': 14, '4.6': 3, '5.2': 8, '5.3': 9, '5.4': 9 }

describe('numbered behaviours', () => {
  test('every test that is named exists, and carries its number', () => {
    expect(rows.length).toBeGreaterThan(25)
    expect(missingTests(rows, titles)).toEqual([])
  })
  test('every title that carries a number is in the list', () => {
    expect(unlistedTests(rows, titles)).toEqual([])
  })
  test('no number is without a test', () => {
    expect(untested(rows, counts)).toEqual([])
  })
})

describe('each rule finds what it forbids', () => {
  const row = { number: '5.2.4', clause: 'engaged once', path: 'a.test.ts', title: 'engages once (5.2.4)' }
  const titled = (text: string) => titlesOf('a.test.ts', text)

  test('rows, and what is none', () => {
    expect(rowsOf('| number | clause | test |\n|---|---|---|\n| 5.2.4 | engaged once | `a.test.ts` engages once (5.2.4) |')).toEqual([row]) // prettier-ignore
    expect(() => rowsOf('| 5.2.4 | no path |')).toThrow('expected | number | clause |')
  })
  test.each([
    ['engages once (5.2.4)', ['5.2.4']],
    ['two (5.2.3, 5.2.4)', ['5.2.3', '5.2.4']],
    ['an invariant beside it (RQ1, 4.6.1)', ['4.6.1']],
    ['a version in the middle (1.2.3) is none', []],
    ['none', []],
  ])('numbers in a title: %s', (title, numbers) => {
    expect(numbersIn(title)).toEqual(numbers)
  })
  test('titles of scenarios and tests; none of what is skipped', () => {
    expect(titled("const a = { it: 'one' }; test('two', f); test.each(x)('three %s', f); describe('four', f)")).toHaveLength(4) // prettier-ignore
    expect(titled('const a = { it: `of ${x} and ${y}` }')).toEqual([{ path: 'a.test.ts', title: 'of … and …' }])
    expect(titled("test.skip('one', f); test.todo('two')")).toEqual([])
  })
  test('a test that is gone, or has another number', () => {
    expect(missingTests([row], titled("test('engages once (5.2.4)', f)"))).toEqual([])
    expect(missingTests([row], [])).toEqual([expect.stringContaining('has no test "engages once (5.2.4)"')])
    const other = { ...row, title: 'engages' }
    expect(missingTests([other], titled("test('engages', f)"))).toEqual([
      expect.stringContaining('end it with (5.2.4)'),
    ])
  })
  test('a title that no row names, and a number without a row', () => {
    expect(unlistedTests([], titled("test('engages once (5.2.4)', f)"))).toEqual([
      expect.stringContaining('carries 5.2.4'),
    ])
    expect(untested([row], { '5.2': 4 })).toEqual(['5.2.1', '5.2.2', '5.2.3'])
  })
})
