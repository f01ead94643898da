/**
 * Our client of Kafka understands every answer: all scripts, through it, on a real broker, against what Kafka's own code was
 * answered. Most of the time is waiting, so many are played at once.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { clientDifferences, expectedOf } from './differences.ts'
import { coordinatorsAnswer, kafkaStage } from './kafka-stage.ts'
import type { Answer } from './normal-form.ts'
import { play } from './player.ts'
import { settings, whyNoKafka } from './record.ts'
import { readRecording, told } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const minutes = 60_000
const atOnce = 24

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`our client is not held to a real Kafka: ${lacks}`)

const recording = readRecording()

describe.skipIf(lacks !== null && !inCI)(`our client of Kafka${lacks === null ? '' : ` (${lacks})`}`, () => {
  const answers = new Map<string, readonly Answer[] | Error>()
  let kafka: Kafka | null = null
  let scratch = ''
  let played = 0

  const playOne = async (script: Script, on: Kafka): Promise<void> => {
    const stage = await kafkaStage(on, `s${++played}.`)
    try {
      answers.set(script.name, await play(script, stage))
    } catch (error) {
      answers.set(script.name, error instanceof Error ? error : new Error(String(error)))
    } finally {
      await stage.broker.close()
    }
  }
  const isAsRecorded = (script: Script): boolean =>
    JSON.stringify(answers.get(script.name)) === JSON.stringify(expectedOf(recording, script, clientDifferences))

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-conformance-'))
    const running = await startKafka({ directory: scratch, jars: await kafkaJars(), settings })
    kafka = running
    await coordinatorsAnswer(running)
    const waiting = [...suite]
    const playNext = async (): Promise<void> => {
      for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) await playOne(script, running)
    }
    await Promise.all(Array.from({ length: atOnce }, playNext))
    // A machine under load may be late for a session timeout: what differs is played once more, alone.
    for (const script of suite) if (!isAsRecorded(script)) await playOne(script, running)
  }, 15 * minutes)

  afterAll(async () => {
    await kafka?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  test.each(suite.map((script) => [script.name, script] as const))('%s', (_, script) => {
    const got = answers.get(script.name) ?? []
    if (got instanceof Error) throw got
    expect(told(script, got)).toEqual(told(script, expectedOf(recording, script, clientDifferences)))
  })
})
