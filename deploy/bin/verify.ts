/**
 * `npm test` and `npm run check`: types, lint and format side by side, then every test with coverage.
 * A check that fails counts as one failed test, so the closing line `N passed, N failed` tells the whole truth.
 * `npm test -- <paths or vitest options>` runs only those tests, without checks and coverage.
 */

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import process from 'node:process'

const root = join(import.meta.dirname, '../..')
const reportDirectory = join(root, 'coverage')
const testReport = join(reportDirectory, 'tests.json')
const coverageReport = join(reportDirectory, 'coverage-summary.json')

interface Counts {
  readonly passed: number
  readonly failed: number
}

const checks = [
  { name: 'types', script: 'node_modules/typescript/bin/tsc', args: ['-p', '.'] },
  { name: 'lint', script: 'node_modules/eslint/bin/eslint.js', args: ['.', '--max-warnings', '0'] },
  { name: 'format', script: 'node_modules/prettier/bin/prettier.cjs', args: ['--check', '--log-level', 'warn', '.'] },
]

async function runChecks(): Promise<Counts> {
  say(`checking ${checks.map((check) => check.name).join(', ')}`)
  const results = await Promise.all(
    checks.map(async (check) => {
      const startedAt = performance.now()
      const { code, output } = await run(check.script, check.args, 'collect')
      say(`${check.name}: ${code === 0 ? 'ok' : 'FAILED'} (${secondsSince(startedAt)})`)
      if (code !== 0) process.stdout.write(`${output.trimEnd()}\n`)
      return code === 0
    }),
  )
  const passed = results.filter((ok) => ok).length
  return { passed, failed: results.length - passed }
}

async function runTests(): Promise<Counts> {
  rmSync(reportDirectory, { recursive: true, force: true })
  mkdirSync(reportDirectory, { recursive: true })
  say('running the tests')
  const startedAt = performance.now()
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${testReport}`]
  const { code } = await run('node_modules/vitest/vitest.mjs', ['run', '--coverage', ...reporters], 'show')
  say(`tests: ${code === 0 ? 'ok' : 'FAILED'} (${secondsSince(startedAt)})`)
  printCoverage()
  const counts = readCounts()
  // Trouble outside any test (an unhandled rejection, a worker that died) fails the run too.
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

/** A test file that could not be loaded has no tests to count: it is one failure. */
function readCounts(): Counts {
  interface Report {
    readonly numPassedTests: number
    readonly numFailedTests: number
    readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[]
  }
  const report = readJson(testReport) as Report | null
  if (report === null) return { passed: 0, failed: 1 }
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length }
}

/** A line per folder: the share of its lines and branches that the tests ran. */
function printCoverage(): void {
  type Share = { readonly total: number; readonly covered: number }
  const files = readJson(coverageReport) as Record<string, { readonly lines: Share; readonly branches: Share }> | null
  if (files === null) return
  const folders = new Map<string, { lines: number[]; branches: number[] }>()
  for (const [file, { lines, branches }] of Object.entries(files)) {
    const folder = file === 'total' ? 'total' : folderOf(relative(root, file))
    const sums = folders.get(folder) ?? { lines: [0, 0], branches: [0, 0] }
    folders.set(folder, { lines: add(sums.lines, lines), branches: add(sums.branches, branches) })
  }
  process.stdout.write(`\n${'coverage'.padEnd(28)}${'lines'.padStart(8)}${'branches'.padStart(10)}\n`)
  for (const folder of [...folders.keys()]
    .filter((name) => name !== 'total')
    .sort()
    .concat('total')) {
    const sums = folders.get(folder)
    // A door that only passes names on has nothing to run.
    if (sums === undefined || sums.lines[0] === 0) continue
    process.stdout.write(
      `${folder.padEnd(28)}${percent(sums.lines).padStart(8)}${percent(sums.branches).padStart(10)}\n`,
    )
  }
  process.stdout.write('\n')

  function add([total = 0, covered = 0]: number[], share: Share): number[] {
    return [total + share.total, covered + share.covered]
  }
  function percent([total = 0, covered = 0]: number[]): string {
    return total === 0 ? '-' : `${((100 * covered) / total).toFixed(1)} %`
  }
}

/** `connectors/kafka` for a file of a connector, else the top folder. */
function folderOf(file: string): string {
  const parts = file.split('/')
  return parts[0] === 'connectors' || parts[0] === 'api'
    ? parts.slice(0, Math.min(2, parts.length - 1)).join('/')
    : (parts[0] ?? file)
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

/** Runs one of the project's tools under this Node. */
function run(
  script: string,
  args: readonly string[],
  output: 'collect' | 'show',
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, script), ...args], {
      cwd: root,
      stdio: output === 'show' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }))
  })
}

function say(line: string): void {
  process.stdout.write(`== ${line}\n`)
}

function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}

const [mode, ...args] = process.argv.slice(2)
if (mode === 'test' && args.length > 0) {
  process.exitCode = (await run('node_modules/vitest/vitest.mjs', ['run', ...args], 'show')).code
} else {
  const ofChecks = await runChecks()
  const ofTests = mode === 'test' ? await runTests() : { passed: 0, failed: 0 }
  const failed = ofChecks.failed + ofTests.failed
  process.stdout.write(`${ofChecks.passed + ofTests.passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
