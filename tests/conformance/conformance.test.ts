/** Our brokers answer every script as Kafka did. The recording: `record.ts`. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { differences, expectedOf } from './differences.ts'
import { kafkaDifferences, reasons } from './kafka-differences.ts'
import { play } from './player.ts'
import type { Stage } from './player.ts'
import { answersOf, readRecording, told } from './recording.ts'
import { fileStage, memoryStage } from './stages.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const recording = readRecording()

function holds(open: (script: Script) => Promise<Stage> | Stage): void {
  test.each(suite.map((script) => [script.name, script] as const))('%s', async (_, script) => {
    const stage = await open(script)
    try {
      const answers = await play(script, stage)
      expect(told(script, answers)).toEqual(told(script, expectedOf(recording, script)))
    } finally {
      await stage.broker.close()
    }
  })
}

describe('the recording', () => {
  test('belongs to these scripts and no others', () => {
    for (const script of suite) answersOf(recording, script)
    expect(Object.keys(recording.scripts)).toEqual(suite.map(({ name }) => name))
  })
  test('has at least 120 scripts', () => expect(suite.length).toBeGreaterThanOrEqual(120))
  test('the differences are of scripts that exist, and are differences', () => {
    const ofKafkas = Object.values(kafkaDifferences)
    for (const [name, { ours }] of [differences, ...ofKafkas].flatMap((all) => Object.entries(all))) {
      const answers = answersOf(
        recording,
        suite.find((script) => script.name === name)!,
      )
      for (const [step, answer] of Object.entries(ours)) expect(answers[Number(step)]).not.toEqual(answer)
    }
  })
  test('every reason why another Kafka differs has a script, and the other way round', () => {
    const given = Object.values(kafkaDifferences).flatMap((all) => Object.values(all).flatMap(({ why }) => why))
    expect([...new Set(given)].sort()).toEqual(Object.keys(reasons).sort())
  })
})

describe('the memory broker', () => holds(({ name }) => memoryStage(name)))

describe('the embedded broker over files', () => {
  let scratch = ''
  let opened = 0
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'conformance-'))
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  holds(({ name }) => fileStage(name, join(scratch, String(++opened))))
})
