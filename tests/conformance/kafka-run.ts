/**
 * All scripts on a real Kafka, through our client of it. Most of the time is waiting, so many are played at once; what
 * differs is played once more, alone, because a machine under load may be late for a session timeout.
 */

import type { Kafka } from '../../deploy/local/kafka.ts'
import type { Access } from './kafka-stage.ts'
import { coordinatorsAnswer, kafkaStage } from './kafka-stage.ts'
import type { Answer } from './normal-form.ts'
import { play } from './player.ts'
import type { Script } from './steps.ts'

const atOnce = 24
/** Every topic, group and transactional id begins with this. */
export const namesBegin = 's'

export interface KafkaRun {
  readonly scripts: readonly Script[]
  readonly access: Access
  /** What is to be answered. */
  expected(script: Script): readonly Answer[]
}

/** What came of each script, by its name: its answers, or why it has none. */
export type Played = ReadonlyMap<string, readonly Answer[] | Error>

export async function playOnKafka(kafka: Kafka, { scripts, access, expected }: KafkaRun): Promise<Played> {
  const answers = new Map<string, readonly Answer[] | Error>()
  let played = 0
  const playOne = async (script: Script): Promise<void> => {
    try {
      const stage = await kafkaStage(kafka, `${namesBegin}${++played}.`, access)
      try {
        answers.set(script.name, await play(script, stage))
      } finally {
        await stage.broker.close()
      }
    } catch (error) {
      answers.set(script.name, error instanceof Error ? error : new Error(String(error)))
    }
  }
  await coordinatorsAnswer(kafka)
  const waiting = [...scripts]
  const playNext = async (): Promise<void> => {
    for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) await playOne(script)
  }
  await Promise.all(Array.from({ length: atOnce }, playNext))
  for (const script of scripts)
    if (JSON.stringify(answers.get(script.name)) !== JSON.stringify(expected(script))) await playOne(script)
  return answers
}
