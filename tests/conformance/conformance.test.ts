/** Our brokers answer every script as Kafka did. The recording: `record.ts`. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedBroker, openMemoryBroker } from '../../connectors/kafka/index.ts'
import type { Broker } from '../../connectors/kafka/index.ts'
import { HandClock, seededRandom, settle } from '../connectors/kafka/hand-clock.ts'
import { differences } from './differences.ts'
import type { Answer } from './normal-form.ts'
import { play } from './player.ts'
import { answersOf, readRecording } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const recording = readRecording()

function expectedOf(script: Script): readonly Answer[] {
  const recorded = answersOf(recording, script)
  const ours = differences[script.name]?.ours
  return recorded.map((answer, i) => ours?.[i] ?? answer)
}

/** What each step was, beside its answer: a difference then tells where it is. */
const told = (script: Script, answers: readonly Answer[]): unknown[] =>
  script.steps.map((step, i) => [JSON.stringify(step), answers[i]])

type Opened = { readonly broker: Broker; readonly clock: HandClock }

function holds(open: (script: Script) => Promise<Opened>): void {
  test.each(suite.map((script) => [script.name, script] as const))('%s', async (_, script) => {
    const { broker, clock } = await open(script)
    try {
      const answers = await play(script, {
        broker,
        wait: (ms) => clock.advance(ms),
        settle,
        compact: () => clock.advance(60_000),
      })
      expect(told(script, answers)).toEqual(told(script, expectedOf(script)))
    } finally {
      await broker.close()
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
    for (const [name, { ours }] of Object.entries(differences)) {
      const answers = answersOf(
        recording,
        suite.find((script) => script.name === name)!,
      )
      for (const [step, answer] of Object.entries(ours)) expect(answers[Number(step)]).not.toEqual(answer)
    }
  })
})

describe('the memory broker', () => {
  holds(async (script) => {
    const clock = new HandClock()
    return { broker: openMemoryBroker({ clock, random: seededRandom(script.name) }), clock }
  })
})

describe('the embedded broker over files', () => {
  let scratch = ''
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'conformance-'))
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  let opened = 0
  holds(async (script) => {
    const clock = new HandClock()
    const broker = await openEmbeddedBroker({
      clock,
      random: seededRandom(script.name),
      directory: join(scratch, String(++opened)),
      fsync: 'never',
      fsyncIntervalMs: 0,
      notice: () => undefined,
    })
    return { broker, clock }
  })
})
