/** Asks Kafka Streams: fetches its jars once, runs WindowOracle.java on the scripts. */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { windowScripts } from './scripts.ts'
import type { WindowPlay, WindowRecording, WindowScript } from './scripts.ts'

const run = promisify(execFile)
const here = import.meta.dirname
const cache = join(here, '../../../../node_modules/.cache/kafka-streams')

/** What this machine lacks to ask, in one line, or null. */
export async function streamsLack(): Promise<string | null> {
  for (const [program, version] of [
    ['javac', '-version'],
    ['mvn', '-v'],
  ] as const)
    // prettier-ignore
    try {
      await run(program, [version], { timeout: 60_000 })
    } catch {
      return `Kafka Streams needs ${program} in PATH`
    }
  return null
}

/** What Kafka Streams answers today. @throws Error with one line */
export async function record(): Promise<readonly WindowRecording[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'window-oracle-'))
  try {
    const scripts = windowScripts()
    const [asked, answered] = [join(scratch, 'scripts.json'), join(scratch, 'answers.json')]
    await writeFile(asked, JSON.stringify(scripts))
    const program = ['-cp', join(await jars(), '*'), join(here, 'WindowOracle.java'), asked, answered, scratch]
    await run('java', program, { timeout: 120_000 })
    const plays = JSON.parse(await readFile(answered, 'utf8')) as { persistent: WindowPlay; inMemory: WindowPlay }[]
    return plays.map(({ persistent, inMemory }, index) => {
      const script = scripts[index] as WindowScript
      const { answers, dropped } = inMemory
      return { script, persistent, inMemory: { answers: script.retainDuplicates ? [] : answers, dropped } }
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A directory of jars that stands in the cache is whole: it was renamed there. */
async function jars(): Promise<string> {
  const pom = join(here, 'pom.xml')
  const hash = createHash('sha256').update(await readFile(pom)).digest('hex') // prettier-ignore
  const found = join(cache, `jars-${hash.slice(0, 12)}`)
  if (await exists(found)) return found
  await mkdir(cache, { recursive: true })
  const scratch = await mkdtemp(join(cache, 'new-'))
  try {
    await copyFile(pom, join(scratch, 'pom.xml'))
    const goal = [
      'dependency:copy-dependencies',
      `-DoutputDirectory=${join(scratch, 'jars')}`,
      '-DincludeScope=runtime',
    ]
    await run('mvn', ['-q', '-B', ...goal], { cwd: scratch, timeout: 300_000 })
    await rename(join(scratch, 'jars'), found).catch(async (error: unknown) => {
      if (!(await exists(found))) throw error
    })
    return found
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
