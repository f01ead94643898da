/** The house rules as functions: source files in, findings out. A finding is `path:line: what is wrong; the cure`. */

import { posix } from 'node:path'
import type { Allowance } from './import-map.ts'
import { furtherDoors, importMap, innerLayers } from './import-map.ts'
import type { Import, SourceFile } from './source-file.ts'

/** `connectors/kafka`, `api/auth`, else the top folder. */
export function placeOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  const nested = (top === 'connectors' || top === 'api') && path.split('/').length > 2
  return nested ? `${top}/${second}` : top
}

function allowanceOf(place: string): Allowance | undefined {
  return importMap[place] ?? importMap[`${place.split('/')[0]}/*`]
}

/** Folders import only what the map allows. */
export function brokenImportMap(files: readonly SourceFile[]): string[] {
  return findings(files, ({ path, imports }) => {
    const place = placeOf(path)
    const allowance = allowanceOf(place)
    if (!path.includes('/')) return []
    if (allowance === undefined)
      return [[1, `the folder ${place} is not in the import map; add it to tests/house/import-map.ts`]]
    return imports.flatMap((one): [number, string][] => {
      const wrong = one.relative ? wrongPlace(place, allowance, one) : wrongPackage(place, allowance, one)
      return wrong === null ? [] : [[one.line, wrong]]
    })
  })
}

function wrongPlace(place: string, allowance: Allowance, { target, typeOnly }: Import): string | null {
  const to = placeOf(target)
  const allows = (list: readonly string[]): boolean => list.includes('*') || list.includes(to) || list.includes(target)
  if (to === place || allows(allowance.values)) return null
  if (allows(allowance.types ?? [])) {
    return typeOnly
      ? null
      : `${place} may import only types of ${to}; use \`import type\`, or take a function as an argument`
  }
  const may =
    [...allowance.values, ...(allowance.types ?? []).map((name) => `types of ${name}`)].join(', ') || 'nothing'
  return `${place} must not import ${target}; it may import ${may}: take what is needed as an argument`
}

function wrongPackage(place: string, allowance: Allowance, { target }: Import): string | null {
  const packages = allowance.packages ?? []
  if (target.startsWith('node:')) {
    const harmless = target === 'node:assert' || target === 'node:assert/strict'
    return allowance.pure === true && !harmless
      ? `${place} is pure and must not import ${target}; emit a request event`
      : null
  }
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
  if (packages.includes('*') || packages.includes(name)) return null
  return `${place} must not import the package ${name}; put it behind a port in connectors/, or add it to the import map`
}

/** Other folders come in by the door. */
export function besideTheDoor(files: readonly SourceFile[]): string[] {
  return findings(files, ({ path, imports }) => {
    const place = placeOf(path)
    // What puts things together starts and inspects parts of its own kind; tests look inside on purpose.
    if (place === 'tests') return []
    return imports
      .filter(({ relative, target }) => relative && placeOf(target) !== place && !isDoor(target))
      .map(({ line, target }): [number, string] => [
        line,
        `${target} is inside ${placeOf(target)}; import ${placeOf(target)}/index.ts`,
      ])
  })
}

function isDoor(target: string): boolean {
  const inPlace = posix.relative(placeOf(target), target)
  return inPlace === 'index.ts' || inPlace === 'port.ts' || target in furtherDoors || !target.includes('/')
}

/** Declared things do not know what runs them. */
export function brokenLayers(files: readonly SourceFile[]): string[] {
  return findings(files, ({ path, imports }) =>
    imports.flatMap(({ target, line }): [number, string][] => {
      const layer = innerLayers.find(
        ({ within, never }) => path.startsWith(within) && never.some((inner) => target.startsWith(inner)),
      )
      return layer === undefined ? [] : [[line, `${path} must not import ${target}: ${layer.why}`]]
    }),
  )
}

/** Names that are said in one place only, and what to use elsewhere. */
const bannedUses: readonly {
  readonly what: RegExp
  readonly where: (path: string) => boolean
  readonly cure: string
}[] = [
  {
    what: /^process\.env$/,
    where: (path) => path !== 'deploy/config.ts' && !path.startsWith('tests/'),
    cure: 'only deploy/config.ts reads the environment; take the setting as an argument',
  },
  {
    what: /^(Date\.now|new Date\(\)|performance\.now)$/,
    where: isTimeless,
    cure: 'take a Clock (topology/clock.ts), in a step `context.time`',
  },
  { what: /^(setTimeout|setInterval)$/, where: isTimeless, cure: 'take a Clock and use `after`, in a step a timer' },
  {
    what: /^(setImmediate|queueMicrotask|process\.nextTick)$/,
    where: isSimulated,
    cure: 'a simulation cannot order it; take a Clock and use `after(0, …)`',
  },
  {
    what: /^(Math\.random|(crypto\.)?random(UUID|Bytes|Int))$/,
    where: isTimeless,
    cure: 'take a Random (topology/clock.ts), in a step `context.id(name)`',
  },
  { what: /^fetch$/, where: isTimeless, cure: 'emit a request event; a connector makes the call' },
  { what: /^enum$/, where: () => true, cure: 'enums are not erasable; use a union of strings' },
]

/** The engine, the processors and the simulator have no time and no chance of their own. */
function isTimeless(path: string): boolean {
  if (path.startsWith('tests/simulation/')) return isSimulated(path)
  if (path.startsWith('topology/testing/')) return false
  return ['topology', 'state-stores', 'connectors/kafka', 'processors'].includes(placeOf(path))
}

/** Where the machine begins: what the simulator replaces, and what starts it. */
const edges = [
  'connectors/kafka/embedded/node-files.ts',
  'state-stores/rocksdb/',
  'state-stores/directory-lock.ts',
  'topology/testing/',
  'tests/simulation/main.ts',
]

/** What runs inside a simulation: there, every event is the scheduler's. */
function isSimulated(path: string): boolean {
  if (path === 'tests/simulation/scheduler.ts') return false
  if (path.endsWith('.test.ts') || edges.some((edge) => path.startsWith(edge))) return false
  return (
    path.startsWith('tests/simulation/') || ['topology', 'state-stores', 'connectors/kafka'].includes(placeOf(path))
  )
}

const machine =
  /^node:(fs|net|tls|dns|dgram|http|https|http2|timers|perf_hooks|child_process|worker_threads|os|cluster)\b/

/** What runs inside a simulation opens no file, no socket, no process and no clock of the machine's. */
export function beyondTheEdges(files: readonly SourceFile[]): string[] {
  return findings(files, ({ path, imports }) =>
    imports
      .filter(({ target, typeOnly }) => isSimulated(path) && !typeOnly && machine.test(target))
      .map(({ target, line }): [number, string] => [
        line,
        `${target}: a simulation cannot stand in for it; take what is needed as an argument`,
      ]),
  )
}

export function bannedNames(files: readonly SourceFile[]): string[] {
  return findings(files, ({ path, uses }) =>
    uses.flatMap(({ what, line }): [number, string][] =>
      bannedUses.filter((ban) => ban.what.test(what) && ban.where(path)).map(({ cure }) => [line, `${what}: ${cure}`]),
    ),
  )
}

/** Leftovers and traces of one machine. Split, so that this file does not find itself. */
const bannedTexts: readonly { readonly what: RegExp; readonly cure: string }[] = [
  {
    what: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`),
    cure: 'finish it, or write down why it is left out',
  },
  {
    what: /registry\.(npmjs|yarnpkg)\.|\bnpmjs\.org|\bpypi\.org|maven\.org|proxy\.golang\.org/,
    cure: 'no registry host names; the package manager knows its own',
  },
  {
    what: /(^|[\s'"`(=,])\/((home|Users)\/[\w.-]+\/|(root|work)\/[\w.-])/,
    cure: 'no absolute path of one machine; take a directory as an argument',
  },
]

export function bannedContent(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  return findings(files, ({ text }) =>
    text.split('\n').flatMap((line, index): [number, string][] =>
      bannedTexts.flatMap(({ what, cure }): [number, string][] => {
        const match = what.exec(line)
        return match === null ? [] : [[index + 1, `${match[0].trim()}: ${cure}`]]
      }),
    ),
  )
}

/** Files that nothing reaches from the given ones. Type imports count, and so does a file that is named to be started. */
export function unreachable(files: readonly SourceFile[], roots: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set<string>()
  const open = roots.filter((root) => byPath.has(root))
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    const { imports = [], mentions = [] } = byPath.get(path) ?? {}
    const targets = [...imports.filter(({ relative }) => relative).map(({ target }) => target), ...mentions]
    open.push(...targets.filter((target) => byPath.has(target)))
  }
  return files
    .filter(({ path }) => !reached.has(path))
    .map(({ path }) => `${path}:1: no process, door or test reaches it; import it or delete it`)
    .sort()
}

/** Imports of files that are not there. */
export function missingTargets(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  return findings(files, ({ imports }) =>
    imports
      .filter(({ relative, target }) => relative && target.endsWith('.ts') && !paths.has(target))
      .map(({ target, line }): [number, string] => [line, `${target} does not exist`]),
  )
}

/** Circles of value imports; `nodeOf` says what is compared: the file itself, or its place. */
export function circles(files: readonly SourceFile[], nodeOf: (path: string) => string): string[] {
  const arrows = new Map<string, Set<string>>()
  for (const { path, imports } of files) {
    const from = nodeOf(path)
    const to = arrows.get(from) ?? new Set()
    arrows.set(from, to)
    for (const { relative, typeOnly, target } of imports)
      if (relative && !typeOnly && nodeOf(target) !== from) to.add(nodeOf(target))
  }
  return stronglyConnected(arrows).map(
    (circle) => `${circle.join(', ')}: import each other; move what they share, or pass it as an argument`,
  )
}

/** Tarjan's algorithm; only components of more than one node, sorted. */
function stronglyConnected(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const order = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  function visit(node: string): number {
    const index = order.size
    order.set(node, index)
    stack.push(node)
    let low = index
    for (const next of arrows.get(node) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next))
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? index)
    }
    if (low === index) {
      const component = stack.splice(stack.indexOf(node))
      if (component.length > 1) found.push(component.sort())
    }
    return low
  }
  for (const node of arrows.keys()) if (!order.has(node)) visit(node)
  return found.sort()
}

function findings<F extends { readonly path: string }>(
  files: readonly F[],
  rule: (file: F) => readonly (readonly [line: number, what: string])[],
): string[] {
  return files.flatMap((file) => rule(file).map(([line, what]) => `${file.path}:${line}: ${what}`)).sort()
}
