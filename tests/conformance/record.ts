/**
 * Plays the scripts on a real Kafka: fetches its jars, starts it, compiles the recorder and runs it. Run this file to make
 * the recording anew that is kept: `node tests/conformance/record.ts`.
 */

import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaJars, kafkaLacks, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import type { Answer } from './normal-form.ts'
import { hashOf, printRecording, recordingFile } from './recording.ts'
import type { Recording } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const run = promisify(execFile)
const sources = join(import.meta.dirname, 'kafka')
const playWithinMs = 360_000

/** Sessions and transaction timeouts of a second; a cleaner that never rests. */
export const settings = {
  'group.min.session.timeout.ms': '100',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
  'log.cleaner.backoff.ms': '100',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'num.io.threads': '16',
}

/** Why Kafka cannot run here, in one line, or null. */
export async function whyNoKafka(): Promise<string | null> {
  const lacks = await kafkaLacks()
  if (lacks !== null) return lacks
  return kafkaJars().then(
    () => null,
    (error: unknown) => String(error),
  )
}

/** @param timed is told what took how long, in ms */
export async function recordOnKafka(
  scripts: readonly Script[],
  timed: (what: string, tookMs: number) => void,
): Promise<Recording> {
  const jars = await measured('jars', timed, () => kafkaJars())
  const scratch = await mkdtemp(join(tmpdir(), 'kafka-recording-'))
  try {
    const classes = join(scratch, 'classes')
    await mkdir(classes)
    const compile = ['-cp', join(jars, '*'), '-d', classes, ...globSync(join(sources, '*.java'))]
    await measured('compile', timed, () => run('javac', compile, { timeout: 120_000 }))
    const directory = join(scratch, 'broker')
    const kafka = await measured('broker', timed, () => startKafka({ directory, jars, settings }))
    try {
      return await measured('play', timed, () => play(scripts, kafka, scratch, [classes, join(jars, '*')]))
    } finally {
      await kafka.stop()
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function play(scripts: readonly Script[], kafka: Kafka, scratch: string, classes: string[]): Promise<Recording> {
  const [input, output] = [join(scratch, 'scripts.json'), join(scratch, 'recording.json')]
  await writeFile(input, JSON.stringify(scripts))
  const recorder = ['-Xmx512m', '-cp', classes.join(':'), 'Recorder', String(kafka.port), kafka.data, input, output]
  await run('java', recorder, { timeout: playWithinMs }).catch((error: unknown) => {
    throw new Error(`the recorder failed: ${(error as { stderr?: string }).stderr ?? String(error)}`)
  })
  const said = JSON.parse(await readFile(output, 'utf8')) as { kafka: string; scripts: Record<string, Answer[]> }
  const entries = scripts.map((script): [string, Recording['scripts'][string]] => [
    script.name,
    { hash: hashOf(script), answers: said.scripts[script.name] ?? [] },
  ])
  return { kafka: said.kafka, scripts: Object.fromEntries(entries) }
}

async function measured<T>(
  what: string,
  timed: (what: string, tookMs: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  const begun = performance.now()
  const result = await work()
  timed(what, Math.round(performance.now() - begun))
  return result
}

if (import.meta.main) {
  const lacks = await kafkaLacks()
  if (lacks !== null) throw new Error(lacks)
  const recording = await recordOnKafka(suite, (what, tookMs) => console.log(`${what}: ${tookMs} ms`))
  await writeFile(recordingFile, printRecording(recording))
  console.log(`${suite.length} scripts recorded on Kafka ${recording.kafka}`)
}
