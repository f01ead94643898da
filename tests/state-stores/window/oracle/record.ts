/** Asks Kafka Streams: fetches its jars once, runs WindowOracle.java on the scripts. */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaJars } from '../../../../deploy/local/kafka.ts'
import { windowScripts } from './scripts.ts'
import type { WindowPlay, WindowRecording, WindowScript } from './scripts.ts'

const run = promisify(execFile)
const here = import.meta.dirname
const cache = join(here, '../../../../node_modules/.cache/kafka-streams')

/** What Kafka Streams answers today. @throws Error with one line */
export async function record(): Promise<readonly WindowRecording[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'window-oracle-'))
  try {
    const scripts = windowScripts()
    const [asked, answered] = [join(scratch, 'scripts.json'), join(scratch, 'answers.json')]
    await writeFile(asked, JSON.stringify(scripts))
    const program = [
      '-cp',
      join(await kafkaJars({ cache, pom: join(here, 'pom.xml') }), '*'),
      join(here, 'WindowOracle.java'),
      asked,
      answered,
      scratch,
    ]
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
