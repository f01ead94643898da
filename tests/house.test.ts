/** The house rules, checked on the whole tree; and each rule shown to find what it forbids. */

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importMap } from './house/import-map.ts'
import * as invariants from './house/invariants.ts'
import * as rules from './house/rules.ts'
import { readSourceFile } from './house/source-file.ts'

const root = join(import.meta.dirname, '..')
const folders = [
  'topology',
  'state-stores',
  'connectors',
  'schemas',
  'processors',
  'sinks',
  'api',
  'deploy',
  'client',
  'examples',
  'bench',
  'tests',
]

function textsOf(pattern: string): { path: string; text: string }[] {
  return globSync(pattern, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const documents = textsOf(`{${folders.filter((folder) => folder !== 'tests').join(',')}}/**/*.{md,mjs}`)
const files = textsOf(`{${folders.join(',')}}/**/*.ts`).map(({ path, text }) => readSourceFile(path, text))
const product = files.filter(({ path }) => !path.startsWith('tests/'))

/** Product code that only tests run: scenarios need a player, database tests a database. */
const harness = ['processors/scenario.ts', 'deploy/local/scratch-database.ts', 'deploy/policies.ts']

/** Where processes begin, what the package exports, and what a runner finds by its name. */
const productRoots = product
  .map(({ path }) => path)
  .filter(
    (path) =>
      /^deploy\/(bin\/[^/]+|chaos\/chaos)\.ts$/.test(path) ||
      /^(examples(\/producers)?|bench(\/restart)?)\/[^/]+\.ts$/.test(path) ||
      /^processors\/[^/]+\/scenarios\.ts$/.test(path) ||
      harness.includes(path) ||
      [
        'topology/index.ts',
        'topology/testing/index.ts',
        'state-stores/index.ts',
        'connectors/kafka/index.ts',
        'connectors/llm/index.ts',
        'client/index.ts',
        // What browsers load.
        'api/console/browser/app.ts',
      ].includes(path),
  )

describe('this tree', () => {
  test('folders import only what the map allows', () => {
    expect(rules.brokenImportMap(files)).toEqual([])
  })
  test('other folders come in by the door', () => {
    expect(rules.besideTheDoor(files)).toEqual([])
  })
  test('what is declared does not know what runs it', () => {
    expect(rules.brokenLayers(files)).toEqual([])
  })
  test('every import finds its file', () => {
    expect(rules.missingTargets(files)).toEqual([])
  })
  test('every file of the product is reached by a process or is exported', () => {
    expect(rules.unreachable(product, productRoots)).toEqual([])
  })
  test('every file of the tests is reached by a test', () => {
    const tests = files.filter(({ path }) => path.startsWith('tests/'))
    const roots = tests.map(({ path }) => path).filter((path) => path.endsWith('.test.ts'))
    expect(rules.unreachable(tests, roots)).toEqual([])
  })
  test('no circle of folders', () => {
    expect(rules.circles(product, rules.placeOf)).toEqual([])
  })
  test('no circle of files', () => {
    expect(rules.circles(files, (path) => path)).toEqual([])
  })
  test('clock, chance, environment and network come in as arguments', () => {
    expect(rules.bannedNames(files)).toEqual([])
  })
  test('what is simulated touches nothing of the machine', () => {
    expect(rules.beyondTheEdges(files)).toEqual([])
  })
  test('no leftovers, no trace of one machine', () => {
    const others = ['*.{md,json,ts,mjs}', '.ci/*', `{${folders.join(',')}}/**/*.{md,sql,mjs,sh,txt}`].flatMap(textsOf)
    expect(rules.bannedContent([...files, ...others])).toEqual([])
  })
  test('every folder of the map is there, so that the map describes this tree', () => {
    const places = new Set(files.map(({ path }) => rules.placeOf(path)))
    const named = Object.keys(importMap).filter((place) => !place.endsWith('/*'))
    expect(named.filter((place) => !places.has(place))).toEqual([])
  })
})

describe('numbered invariants', () => {
  const stated = invariants.statedInvariants([...product, ...documents])
  const tests = files.filter(({ path }) => path.startsWith('tests/'))
  const uncited = invariants.uncitedInvariants(stated, tests)
  const owed = Object.entries(invariants.owedCitations).flatMap(([place, numbers]) =>
    numbers.map((number) => `${place} ${number}`),
  )

  test('are many, and each means one thing in its place', () => {
    expect(stated.length).toBeGreaterThan(150)
    expect(invariants.ambiguousInvariants(stated)).toEqual([])
  })
  test('are each cited by a test of their place, but for those that are owed', () => {
    const names = uncited.map(invariants.nameOf)
    expect(names.filter((name) => !owed.includes(name))).toEqual([])
  })
  test('what is owed is stated still, and comes off the list when it is cited', () => {
    const known = new Set(stated.map(invariants.nameOf))
    expect(owed.filter((name) => !known.has(name))).toEqual([])
    const names = new Set(uncited.map(invariants.nameOf))
    expect(owed.filter((name) => !names.has(name))).toEqual([])
  })
})

describe('each rule finds what it forbids', () => {
  const file = (path: string, text: string) => readSourceFile(path, text)

  test.each([
    ['topology/a.ts', "import { x } from '../schemas/index.ts'", 'topology must not import schemas/index.ts'],
    ['state-stores/a.ts', "import type { X } from '../topology/index.ts'", 'it may import nothing'],
    [
      'connectors/kafka/a.ts',
      "export { x } from '../registry/index.ts'",
      'must not import connectors/registry/index.ts',
    ],
    ['connectors/mail/a.ts', "import { x } from '../../processors/index.ts'", 'must not import processors/index.ts'],
    ['connectors/mail/a.ts', "import { x } from '../effects/port.ts'", 'only types of connectors/effects'],
    ['schemas/a.ts', "import { x } from '../topology/index.ts'", 'only types of topology'],
    [
      'processors/p/a.ts',
      "const x = await import('../../connectors/kafka/index.ts')",
      'must not import connectors/kafka/index.ts',
    ],
    ['processors/p/a.ts', "type X = import('../../sinks/index.ts').X", 'must not import sinks/index.ts'],
    ['processors/p/a.ts', "import fs from 'node:fs'", 'is pure and must not import node:fs'],
    ['topology/a.ts', "import x from 'avsc/lib/x'", 'must not import the package avsc'],
    ['topology/a.ts', "new Worker(new URL('../deploy/x.ts', import.meta.url))", 'must not import deploy/x.ts'],
    ['sinks/a.ts', "import { x } from '../api/auth/index.ts'", 'must not import api/auth/index.ts'],
    ['api/auth/a.ts', "import { x } from '../query/index.ts'", 'must not import api/query/index.ts'],
    ['api/auth/a.ts', "import { x } from '../../deploy/config.ts'", 'must not import deploy/config.ts'],
    ['elsewhere/a.ts', '', 'the folder elsewhere is not in the import map'],
  ])('the import map: %s with %s', (path, text, finding) => {
    expect(rules.brokenImportMap([file(path, `\n${text}`)])).toEqual([expect.stringContaining(finding)])
  })

  test.each([
    ['topology/a.ts', "import { x } from '../state-stores/index.ts'"],
    ['topology/graph/a.ts', "import { x } from '../../connectors/kafka/port.ts'"],
    ['schemas/a.ts', "import type { X } from '../topology/graph/serde.ts'"],
    ['schemas/a.ts', "import { BadRecord } from '../topology/errors.ts'"],
    ['processors/p/a.ts', "import assert from 'node:assert/strict'"],
    ['connectors/mail/a.ts', "import type { X } from '../effects/port.ts'"],
    ['api/auth/a.ts', "// import { x } from '../query/index.ts'\nconst s = \"import { x } from '../query/index.ts'\""],
    ['deploy/bin/a.ts', "import { x } from '../../api/index.ts'\nimport y from 'anything'"],
  ])('the import map allows %s with %s', (path, text) => {
    expect(rules.brokenImportMap([file(path, text)])).toEqual([])
    expect(rules.besideTheDoor([file(path, text)])).toEqual([])
  })

  test('an invariant that no test cites', () => {
    const header =
      '/**\n * Words.\n *\n *   R1  One.\n * R2 Two.\n * R3 and R4 are elsewhere.\n * R5  Five (`b.ts`).\n */\n// R6  Six.'
    const stated = invariants.statedInvariants([
      { path: 'topology/runtime/a.ts', text: header },
      { path: 'state-stores/DESIGN.md', text: '- **R1** Other.\n\n| R2–R3 | table |' },
    ])
    expect(stated.map(invariants.nameOf)).toEqual(['state-stores R1', 'topology R1', 'topology R2'])
    const uncited = (path: string, text: string): string[] =>
      invariants.uncitedInvariants(stated, [file(path, text)]).map(invariants.nameOf)
    expect(uncited('tests/topology/a.test.ts', "test('it holds (R1, R2)')")).toEqual(['state-stores R1'])
    expect(uncited('tests/topology/a.test.ts', '/** R1-R2 */')).toEqual(['state-stores R1'])
    expect(uncited('tests/topology/a.test.ts', '// R1–R2\nconst x = `${R3}`')).toEqual(['state-stores R1'])
    expect(uncited('tests/state-stores/a.test.ts', '// R1')).toEqual(['topology R1', 'topology R2'])
    expect(uncited('tests/topology/a.test.ts', 'const R1 = R2 // R10, C01')).toHaveLength(3)
    const suite = "import { x } from '../../state-stores/index.ts'\n// R1, R2"
    expect(uncited('tests/contracts/store.ts', suite)).toEqual(['topology R1', 'topology R2'])
    expect(uncited('tests/e2e/a.test.ts', suite)).toHaveLength(3)
  })

  test('a number that two files of a place state', () => {
    const text = '/**\n * R1  One.\n */'
    const twice = ['topology/a.ts', 'topology/b.ts'].map((path) => ({ path, text }))
    expect(invariants.ambiguousInvariants(invariants.statedInvariants(twice))).toEqual([
      'topology: R1 is stated by topology/a.ts and topology/b.ts',
    ])
    const apart = [{ path: 'topology/a.ts', text }, { path: 'state-stores/a.ts', text }, { path: 'topology/DESIGN.md', text: '- **R1** One.' }] // prettier-ignore
    expect(invariants.ambiguousInvariants(invariants.statedInvariants(apart))).toEqual([])
  })

  test('the door', () => {
    const beside = file('processors/p/a.ts', "import { x } from '../../topology/runtime/task.ts'")
    expect(rules.besideTheDoor([beside])).toEqual([
      'processors/p/a.ts:1: topology/runtime/task.ts is inside topology; import topology/index.ts',
    ])
    const inner = file('sinks/a.ts', "import { x } from '../connectors/kafka/embedded/index.ts'")
    expect(rules.besideTheDoor([inner])).toHaveLength(1)
  })

  test('the layers', () => {
    const wrong = file('topology/graph/a.ts', "import type { Task } from '../runtime/task.ts'")
    expect(rules.brokenLayers([wrong])).toHaveLength(1)
    expect(rules.brokenLayers([file('topology/runtime/a.ts', "import { x } from '../graph/nodes.ts'")])).toEqual([])
  })

  test.each([
    ['sinks/a.ts', 'const x = process.env.PORT', 'process.env'],
    ['api/http/a.ts', "const x = process.env['PORT']", 'process.env'],
    ['topology/a.ts', 'const x = Date.now()', 'Date.now'],
    ['processors/p/a.ts', 'const x = new Date()', 'new Date()'],
    ['processors/p/a.ts', 'const now = Date.now', 'Date.now'],
    ['state-stores/a.ts', 'setTimeout(() => 1, 5)', 'setTimeout'],
    ['connectors/kafka/embedded/a.ts', 'const x = Math.random()', 'Math.random'],
    ['topology/a.ts', 'const x = randomUUID()', 'randomUUID'],
    ['processors/p/a.ts', "await fetch('http://x')", 'fetch'],
    ['topology/runtime/a.ts', 'setImmediate(() => 1)', 'setImmediate'],
    ['connectors/kafka/client/a.ts', 'queueMicrotask(go)', 'queueMicrotask'],
    ['tests/simulation/a.ts', 'process.nextTick(go)', 'process.nextTick'],
    ['tests/simulation/a.ts', 'const x = performance.now()', 'performance.now'],
    ['deploy/a.ts', 'enum X { A }', 'enum'],
  ])('banned names: %s with %s', (path, text, what) => {
    expect(rules.bannedNames([file(path, text)])).toEqual([expect.stringContaining(`${path}:1: ${what}: `)])
  })

  test.each([
    ['deploy/config.ts', 'const x = process.env'],
    ['topology/a.ts', 'const x = new Date(5)'],
    ['topology/a.ts', '// Date.now() is not used\nconst x = `Date.now()`'],
    ['connectors/mail/a.ts', 'const x = Date.now()'],
    ['topology/testing/a.ts', 'const x = performance.now()'],
    ['tests/simulation/scheduler.ts', 'setImmediate(() => 1)'],
    ['state-stores/rocksdb/a.ts', 'setImmediate(() => 1)'],
    ['tests/topology/a.ts', 'setImmediate(() => 1)'],
  ])('names that are fine: %s with %s', (path, text) => {
    expect(rules.bannedNames([file(path, text)])).toEqual([])
  })

  test('the machine in a simulation', () => {
    const opens = "import { open } from 'node:fs/promises'"
    expect(rules.beyondTheEdges([file('tests/simulation/a.ts', opens)])).toEqual([
      expect.stringContaining('tests/simulation/a.ts:1: node:fs/promises: '),
    ])
    expect(rules.beyondTheEdges([file('topology/a.ts', "import net from 'node:net'")])).toHaveLength(1)
    expect(rules.beyondTheEdges([file('connectors/kafka/embedded/node-files.ts', opens)])).toEqual([])
    expect(rules.beyondTheEdges([file('tests/simulation/main.ts', opens)])).toEqual([])
  })

  test.each([
    ['// TO' + 'DO later', 'finish it'],
    ['see https://registry.npm' + 'js.org/x', 'no registry host names'],
    ["open('/ho" + "me/ada/x')", 'no absolute path'],
  ])('banned content: %s', (text, cure) => {
    expect(rules.bannedContent([{ path: 'a.md', text }])).toEqual([expect.stringContaining(cure)])
  })

  test('a file that nothing reaches', () => {
    const tree = [
      file('deploy/bin/a.ts', "import '../b.ts'"),
      file('deploy/b.ts', "export type * from './c.ts'"),
      file('deploy/c.ts', "spawn(join(here, 'child.ts'))"),
      file('deploy/child.ts', ''),
      file('deploy/d.ts', "import './e.ts'"),
      file('deploy/e.ts', "import './d.ts'"),
    ]
    const found = rules.unreachable(tree, ['deploy/bin/a.ts'])
    expect(found.map((line) => line.split(':')[0])).toEqual(['deploy/d.ts', 'deploy/e.ts'])
  })

  test('an import of nothing', () => {
    expect(rules.missingTargets([file('api/a.ts', "import './b.ts'")])).toEqual(['api/a.ts:1: api/b.ts does not exist'])
  })

  test('circles, of files and of folders; types make none', () => {
    const tree = [
      file('sinks/a.ts', "import './b.ts'"),
      file('sinks/b.ts', "import { type X } from './c.ts'"),
      file('sinks/c.ts', "import './a.ts'"),
      file('schemas/d.ts', "import type { X } from './e.ts'\nimport '../sinks/a.ts'"),
      file('schemas/e.ts', "import './d.ts'"),
      file('sinks/f.ts', "import '../schemas/e.ts'"),
    ]
    expect(rules.circles(tree, (path) => path)).toEqual([
      expect.stringContaining('sinks/a.ts, sinks/b.ts, sinks/c.ts:'),
    ])
    expect(rules.circles(tree, rules.placeOf)).toEqual([expect.stringContaining('schemas, sinks:')])
  })
})
