/**
 * The recording is what a real Kafka answers today: played again wherever Kafka can run, and always in CI. Elsewhere the kept
 * recording stands, and this is skipped with its reason.
 */

import { expect, test } from 'vitest'
import { kafkaVersion } from '../../deploy/local/kafka.ts'
import { recordOnKafka, whyNoKafka } from './record.ts'
import { answersOf, readRecording } from './recording.ts'
import type { Recording } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const inCI = process.env.CI === 'true'
const minutes = 60_000

const lacks = await whyNoKafka()
if (lacks !== null) console.log(`the conformance recording is not made anew: ${lacks}`)

const kept = readRecording()

const differing = (scripts: readonly Script[], now: Recording): Script[] =>
  scripts.filter((script) => JSON.stringify(answersOf(now, script)) !== JSON.stringify(answersOf(kept, script)))

test('the recording is of the Kafka that the pom names', async () => {
  expect(kept.kafka).toBe(await kafkaVersion())
})

test.skipIf(lacks !== null && !inCI)(
  `Kafka answers as recorded${lacks === null ? '' : ` (${lacks})`}`,
  async () => {
    expect(lacks).toBeNull()
    const took: string[] = []
    const timed = (what: string, tookMs: number): void => void took.push(`${what} ${(tookMs / 1000).toFixed(1)} s`)
    const now = await recordOnKafka(suite, timed)
    console.log(`${suite.length} scripts recorded: ${took.join(', ')}`)
    const suspects = differing(suite, now)
    if (suspects.length === 0) return
    // A machine under load may be late for a session timeout: what differs is played once more, alone.
    const again = await recordOnKafka(suspects, timed)
    for (const script of suspects)
      expect({ script: script.name, answers: answersOf(again, script) }).toEqual({
        script: script.name,
        answers: answersOf(kept, script),
      })
  },
  15 * minutes,
)
