/** The recording that is kept: what a real Kafka answered to each step of each script. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer } from './normal-form.ts'
import type { Script } from './steps.ts'

export const recordingFile = join(import.meta.dirname, '..', 'golden', 'kafka-recording.json')
export const howToRecord = 'node tests/conformance/record.ts (a JDK 17 and Maven are needed)'

export interface Recording {
  /** The broker's version. */
  readonly kafka: string
  readonly scripts: Readonly<Record<string, RecordedScript>>
}

export interface RecordedScript {
  /** Of the script that was played. */
  readonly hash: string
  /** One for each step. */
  readonly answers: readonly Answer[]
}

export const hashOf = (script: Script): string =>
  createHash('sha256').update(JSON.stringify(script.steps)).digest('hex').slice(0, 12)

export const readRecording = (): Recording => JSON.parse(readFileSync(recordingFile, 'utf8')) as Recording

/** The recorded answers of a script. @throws Error when they are missing or belong to another version of the script */
export function answersOf(recording: Recording, script: Script): readonly Answer[] {
  const recorded = recording.scripts[script.name]
  if (recorded === undefined) throw new Error(`"${script.name}" is not recorded: run ${howToRecord}`)
  if (recorded.hash !== hashOf(script)) throw new Error(`"${script.name}" has changed: run ${howToRecord}`)
  return recorded.answers
}

/** What each step was, beside its answer: a difference then tells where it is. */
export const told = (script: Script, answers: readonly Answer[]): unknown[] =>
  script.steps.map((step, i) => [JSON.stringify(step), answers[i]])

/** One line for each answer, so that a difference is a line. */
export function printRecording({ kafka, scripts }: Recording): string {
  const printed = Object.entries(scripts).map(([name, { hash, answers }]) => {
    const lines = answers.map((answer) => `        ${JSON.stringify(answer)}`).join(',\n')
    return `    ${JSON.stringify(name)}: {\n      "hash": "${hash}",\n      "answers": [\n${lines}\n      ]\n    }`
  })
  return `{\n  "kafka": ${JSON.stringify(kafka)},\n  "scripts": {\n${printed.join(',\n')}\n  }\n}\n`
}
