/** Runs what must catch a planted bug, in the copy that holds it. */

import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { BySeeds, ByTest, PlantedBug } from './bug.ts'
import type { SourceCopy } from './tree.ts'
import { root } from './tree.ts'

export interface Verdict {
  readonly caught: boolean
  /** How, in one line: the invariant and what was seen, or the test. */
  readonly by: string
  /** The seed that found it; null for a test. */
  readonly seed: number | null
  readonly seconds: number
}

type Finding = Omit<Verdict, 'seconds'>

const timeLimitMs = 8 * 60_000
const simulator = 'tests/simulation/main.ts'

export async function catchBug(copy: SourceCopy, { caughtBy }: PlantedBug): Promise<Verdict> {
  const startedAt = performance.now()
  const found = await ('seeds' in caughtBy ? bySeeds(copy, caughtBy) : byTest(copy, caughtBy))
  return { ...found, seconds: (performance.now() - startedAt) / 1000 }
}

/**
 * The simulator must report a violation; that a seed breaks down or hangs is not enough, nor is one that fails without the bug
 * too.
 */
async function bySeeds(copy: SourceCopy, { seeds, program, first = [] }: BySeeds): Promise<Finding> {
  for (const known of first) {
    const { seed, ...found } = await firstFailure(copy, known, 1, program)
    if (seed !== null && found.caught && (await passes(seed, found.program))) return { seed, ...found }
  }
  for (let from = 1; ;) {
    const { seed, ...found } = await firstFailure(copy, from, seeds - from + 1, program)
    if (seed === null || !found.caught || (await passes(seed, found.program))) return { seed, ...found }
    from = seed + 1
    if (from > seeds) return { seed: null, caught: false, by: `seed ${seed} fails without the bug too` }
  }
}

async function firstFailure(
  copy: SourceCopy,
  from: number,
  seeds: number,
  program: string | undefined,
): Promise<Finding & { readonly program: string }> {
  const range = ['--from', String(from), '--seeds', String(seeds), '--workers', '1']
  const only = program === undefined ? [] : ['--program', program]
  const { code, output } = await run(copy, [
    simulator,
    ...range,
    ...only,
    '--until-failure',
    '--no-keep',
    '--no-replay',
  ])
  const [, seed, drawn = ''] = /^seed (\d+) FAILED \(program ([\w-]+)\)$/m.exec(output) ?? []
  const violation = /^ {2}(I\d+: .*)$/m.exec(output)?.[1]
  const caught = code === 1 && seed !== undefined && violation !== undefined && !violation.includes('the process died')
  return { caught, by: violation ?? lastLines(output), seed: seed === undefined ? null : Number(seed), program: drawn }
}

/** Without the bug. */
async function passes(seed: number, program: string): Promise<boolean> {
  return (await run({ directory: root }, [simulator, '--seed', String(seed), '--program', program])).code === 0
}

async function byTest(copy: SourceCopy, { test, file }: ByTest): Promise<Finding> {
  const report = join(copy.directory, 'planted-report.json')
  const { output } = await run(copy, [
    'node_modules/vitest/vitest.mjs',
    'run',
    file,
    '--testNamePattern',
    test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    '--reporter=json',
    `--outputFile=${report}`,
  ])
  const failed = failedTests(report)
  if (failed === null) return { caught: false, by: lastLines(output), seed: null }
  return { caught: failed.length > 0, by: failed[0] ?? 'every test passed', seed: null }
}

function failedTests(report: string): string[] | null {
  interface Report {
    readonly testResults: readonly {
      readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
    }[]
  }
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
    return tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)
  } catch {
    return null
  } finally {
    rmSync(report, { force: true })
  }
}

const lastLines = (output: string): string => output.trimEnd().split('\n').slice(-5).join(' | ')

function run(
  { directory }: Pick<SourceCopy, 'directory'>,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeLimitMs,
      env: { ...process.env, VITEST: undefined, NODE_OPTIONS: undefined },
    })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString('utf8') }))
  })
}
