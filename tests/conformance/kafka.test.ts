/**
 * Our client of Kafka understands every answer: all scripts, through it, on a real broker, against what Kafka's own code was
 * answered. Other versions, and one that asks for rights: `npm run conformance`.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { playOnKafka } from './kafka-run.ts'
import type { Played } from './kafka-run.ts'
import type { Answer } from './normal-form.ts'
import { settings, whyNoKafka } from './record.ts'
import { answersOf, readRecording, told } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const minutes = 60_000

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`our client is not held to a real Kafka: ${lacks}`)

const recording = readRecording()

describe.skipIf(lacks !== null && !inCI)(`our client of Kafka${lacks === null ? '' : ` (${lacks})`}`, () => {
  let played: Played = new Map()
  let kafka: Kafka | null = null
  let scratch = ''

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-conformance-'))
    kafka = await startKafka({ directory: scratch, jars: await kafkaJars(), settings })
    const expected = (script: Script): readonly Answer[] => answersOf(recording, script)
    played = await playOnKafka(kafka, { scripts: suite, access: { bootstrap: [kafka.bootstrap] }, expected })
  }, 15 * minutes)

  afterAll(async () => {
    await kafka?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  test.each(suite.map((script) => [script.name, script] as const))('%s', (_, script) => {
    const got = played.get(script.name) ?? []
    if (got instanceof Error) throw got
    expect(told(script, got)).toEqual(told(script, answersOf(recording, script)))
  })
})
