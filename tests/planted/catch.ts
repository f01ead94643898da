/** Runs what must catch a planted bug, in the copy that holds it. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { PlantedBug } from './bugs.ts'
import type { SourceCopy } from './tree.ts'

export interface Verdict {
  readonly caught: boolean
  /** How, in one line: the seed and the invariant, or the test. */
  readonly by: string
}

const timeLimitMs = 8 * 60_000

export async function catchBug(copy: SourceCopy, { caughtBy }: PlantedBug): Promise<Verdict> {
  return 'seeds' in caughtBy ? bySeeds(copy, caughtBy.seeds, caughtBy.program) : byTest(copy, caughtBy)
}

/** The simulator must report a violation; that it breaks down is not enough. */
async function bySeeds(copy: SourceCopy, seeds: number, program: string | undefined): Promise<Verdict> {
  const args = ['tests/simulation/main.ts', '--seeds', String(seeds), '--until-failure', '--no-keep', '--workers', '1']
  const { code, output } = await run(copy, program === undefined ? args : [...args, '--program', program])
  const line = output.split('\n').find((one) => /\bI\d+\b.*/.test(one) && !one.startsWith('seeds'))
  return { caught: code === 1 && line !== undefined, by: line?.trim() ?? lastLines(output) }
}

async function byTest(copy: SourceCopy, { test, file }: { test: string; file: string }): Promise<Verdict> {
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
  if (failed === null) return { caught: false, by: lastLines(output) }
  return { caught: failed.length > 0, by: failed[0] ?? 'every test passed' }
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
  }
}

const lastLines = (output: string): string => output.trimEnd().split('\n').slice(-5).join(' | ')

function run({ directory }: SourceCopy, args: readonly string[]): Promise<{ code: number | null; output: string }> {
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
