import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allPoints, commitPath, notBuilt, pointsOf, unnamedAwaits } from './crash-points.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): { path: string; text: string } => ({
  path: path.replaceAll('\\', '/'),
  text: readFileSync(join(root, path), 'utf8'),
})
const product = globSync('{topology,state-stores,connectors,sinks,api,processors}/**/*.ts', { cwd: root })
  .filter((path) => !path.includes('node_modules'))
  .map(read)
const design = read('topology/DESIGN.md').text

describe('places to die', () => {
  const found = pointsOf(product)

  test('every place of the fault matrix is in the code', () => {
    expect(allPoints.filter((point) => !found.has(point))).toEqual(notBuilt)
  })

  test('no other is', () => {
    expect([...found.keys()].filter((point) => !allPoints.includes(point))).toEqual([])
  })

  test('each is told of in topology/DESIGN.md', () => {
    expect(allPoints.filter((point) => !design.includes(`| ${point} |`))).toEqual([])
  })

  test.each(commitPath)('every await of the commit path has one beside it: $path', ({ path, functions }) => {
    expect(functions.flatMap((name) => unnamedAwaits(read(path), name))).toEqual([])
  })
})

describe('the rule finds what it forbids', () => {
  const source = (...lines: string[]) => ({ path: 'a.ts', text: ['  async #commit(', ...lines, '  }'].join('\n') })

  test('an await with no place', () => {
    expect(unnamedAwaits(source('    await end()'), '#commit')).toHaveLength(1)
    expect(unnamedAwaits(source("    crash('C08')", '    await end()'), '#commit')).toEqual([])
    const far = Array.from({ length: 5 }, () => '    work()')
    expect(unnamedAwaits(source("    crash('C08')", ...far, '    await end()'), '#commit')).toHaveLength(1)
  })

  test('a function that is gone', () => {
    expect(unnamedAwaits({ path: 'a.ts', text: '' }, '#commit')).toHaveLength(1)
  })

  test('places under all their spellings', () => {
    const text = "crash('C01'); this.#crash('C02'); await hook('C20'); await this.#hook('C21'); context.crash('C26')"
    expect([...pointsOf([{ path: 'a.ts', text }]).keys()]).toEqual(['C01', 'C02', 'C20', 'C21', 'C26'])
  })
})
