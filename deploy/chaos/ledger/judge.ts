/** Has the checker look, in a process of its own, at copies of what the processes have left. Nobody runs meanwhile. */

import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { copyOf } from '../state-lag.ts'
import type { CheckAnswer, Expected } from './check.ts'
import type { Site } from './site.ts'
import { dataOf, save } from './site.ts'

/** Its findings are noted in the progress. @param isEnd after everything was drained */
export async function judge(site: Site, isEnd: boolean): Promise<CheckAnswer> {
  const { progress, options, brokers, directory } = site
  const copies = await Promise.all(progress.processes.map((name) => copyOf(dataOf(directory, name))))
  try {
    const expected: Expected = {
      ...{ seed: progress.seed, flushBytes: options.stateFlushBytes, acknowledged: progress.acknowledged },
      ...{ slow: progress.slow, committedBefore: progress.committed, isEnd, kafka: brokers?.direct ?? null },
      processes: progress.processes.map((name, index) => [name, copies[index]!]),
    }
    const file = join(directory, 'expected.json')
    writeFileSync(file, JSON.stringify(expected))
    const answer = JSON.parse(await runChecker(file)) as CheckAnswer
    note(site, answer)
    return answer
  } finally {
    for (const copy of copies) rmSync(copy, { recursive: true, force: true })
  }
}

function note(site: Site, answer: CheckAnswer): void {
  const { progress } = site
  progress.committed = answer.committed.map(([place, offset]) => [place, offset])
  progress.checks += 1
  Object.assign(progress, { entries: answer.entries, records: answer.records })
  progress.recordsChecked += answer.records
  progress.bytesBehindMax = Math.max(progress.bytesBehindMax, answer.bytesBehindMax)
  progress.findings.push(...answer.findings.map((line) => `after ${progress.done} lives: ${line}`))
  save(site)
}

function runChecker(file: string): Promise<string> {
  const script = fileURLToPath(new URL('./check.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(said.out)
      else reject(new Error(`the checker ended with code ${code}: ${said.err.slice(-2000)}`))
    })
  })
}
