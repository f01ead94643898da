/**
 * The contract every processor keeps, played over its service's scenarios (and so over every rule they show).
 *
 *  1. The same state, input and context give the same step, and a step changes none of them.
 *  2. The same event a second time changes nothing and emits nothing.
 *  3. Two tenants with the same ids never mix.
 *  4. What is emitted fits its schema, and reads back equal.
 *  5. A state survives its codec: every step sees a state that was written and read.
 *  6. An event type it does not know passes by.
 *  7. Interleavings that keep each topic's order come to the same state and say the same things.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnyProcessor, AnyTopic, Scenario, ScenarioInput, ScenarioStep, Service } from '../../processors/index.ts'
import type { CallStep, Player, Told } from '../../processors/scenario.ts'
import { playScenario, scenarioEvent, scenarioTenants, servicePlayer } from '../../processors/scenario.ts'
import type { KeyRing, SchemaRegistry } from '../../schemas/index.ts'
import { eventCodec, recordKey, stateCodec } from '../../schemas/index.ts'

export function processorContract(service: Service, scenarios: readonly Scenario[]): void {
  const play = async (player: (scenario: Scenario) => Player, of = scenarios): Promise<void> => {
    for (const scenario of of) await playScenario(scenario, player(scenario))
  }

  test('a step is determined by state, input and context, and changes none of them', async () => {
    const twice: CallStep = (processor, state, input, context) => {
      const first = processor.handle(frozen(state), frozen(input) as never, context)
      assert.deepEqual(processor.handle(structuredClone(state), structuredClone(input) as never, context), first)
      return frozen(first)
    }
    await play(() => servicePlayer(service, twice))
  })

  test('the same event a second time changes nothing', async () => {
    await play((scenario) => redelivering(service, scenario))
  })

  test('two tenants with the same ids never mix', async () => {
    const lone = scenarios.filter(({ play: steps }) => !steps.some(({ when }) => 'tenant' in when))
    expect(lone.length).toBeGreaterThan(0)
    await play(() => servicePlayer(service), lone.map(forBothTenants))
  })

  test('what is emitted fits its schema, and reads back equal', async () => {
    const codecs = new Map<string, Awaited<ReturnType<typeof eventCodec>>>()
    for (const topic of topicsWritten(service))
      codecs.set(topic.name, await eventCodec(topic, { registry: registry(), keyRing }))
    for (const scenario of scenarios)
      for (const { topic, event } of await playScenario(scenario, servicePlayer(service))) {
        const key = Buffer.from(recordKey(topic, { ...event, payload: event }))
        const codec = codecs.get(topic.name)
        assert(codec !== undefined, `${topic.name} is not declared`)
        const value = codec.serialize(event as never, key)
        await codec.prepare([{ key, value }])
        expect(codec.deserialize(value, key)).toEqual(withNulls(topic, event))
      }
  })

  test('a state survives its codec', async () => {
    await play(() => servicePlayer(service, throughCodec()))
    for (const { state } of service.processors) {
      const codec = stateCodec(state, { keyRing })
      const key = Buffer.from('tenant-a|organization')
      const bytes = codec.serialize(state.example, key)
      expect(codec.serialize(codec.deserialize(bytes, key), key).equals(bytes)).toBe(true)
    }
  })

  test('an event type it does not know passes by', () => {
    const by = { type: 'system', id: 'later' } as const
    for (const processor of service.processors)
      for (const state of [null, processor.state.example]) {
        const event = scenarioEvent('a', 'moon_phase_changed', { contact_id: 'u1' }, 1, 'e1', by)
        const context = {
          time: 1,
          tenantId: 't',
          organizationId: 'o',
          key: 't|o',
          eventId: 'e1',
          correlationId: 'c',
          id: () => 'i',
        }
        const step = processor.handle(state, event as never, context)
        expect(step.state).toBe(state)
        expect(step.emit ?? []).toEqual([])
        expect(step.timers ?? {}).toEqual({})
      }
  })
}

/** One organization's history: what comes on each topic, in order, and how the world answers what is emitted. */
export interface History {
  readonly it: string
  readonly said: readonly Extract<ScenarioInput, { readonly topic: unknown }>[]
  /** What follows from an emitted event, on the log. */
  readonly reacts?: (told: Told) => readonly Told[]
  /** Compare only the states: what is said on the way differs with reason. */
  readonly statesOnly?: boolean
}

/** 7: compares sampled interleavings with the plain one. */
export function convergence(service: Service, histories: readonly History[]): void {
  test.each(histories.map((history) => [history.it, history] as const))('converges: %s', (_, history) => {
    const plain = interleaved(service, history, () => 0)
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(1_000)), (chances) => {
        const outcome = interleaved(service, history, () => Number(chances.next().value))
        expect(outcome.states).toEqual(plain.states)
        if (history.statesOnly !== true) expect(outcome.said).toEqual(plain.said)
      }),
      { numRuns: 200 },
    )
  })
}

/** The topics as queues; each turn takes the next record of one of them, chosen by chance. */
function interleaved(
  service: Service,
  history: History,
  chance: () => number,
): { readonly states: unknown; readonly said: readonly string[] } {
  const player = servicePlayer(service)
  const reads = new Set(service.processors.map((processor) => processor.reads.name))
  const queues = new Map<string, Told[]>([...reads].map((name) => [name, []]))
  const append = (told: Told): void => void queues.get(told.topic.name)?.push(told)
  for (const [n, { topic, type, payload, at }] of history.said.entries())
    append({ topic, event: scenarioEvent('a', type, payload, at, `said-${n}`, { type: 'user', id: 'user-1' }) })
  const said: string[] = []
  for (let turn = 0; ; turn++) {
    const waiting = [...queues.values()].filter((queue) => queue.length > 0)
    const queue = waiting[chance() % Math.max(1, waiting.length)]
    if (queue === undefined) break
    assert(turn < 1_000, `${history.it}: no end`)
    for (const told of player.step(queue.shift()!)) {
      said.push(facts(told))
      append(told)
      for (const reaction of history.reacts?.(told) ?? []) append(reaction)
    }
  }
  return { states: JSON.parse(withoutIds(JSON.stringify([...player.states()]))) as unknown, said: said.sort() }
}

/** What an event says, without what depends on which input happened to cause it. */
function facts({ topic, event }: Told): string {
  const payload = Object.fromEntries(
    Object.keys(topic.events[event.event_type]?.fields ?? {}).map((name) => [name, event[name]]),
  )
  return withoutIds(JSON.stringify([topic.name, event.event_type, payload]))
}

const withoutIds = (text: string): string => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'id')

/** Gives every record again, the input and what came back, once it was handled. */
function redelivering(service: Service, scenario: Scenario): Player {
  const player = servicePlayer(service)
  const again = (told: Told): void => {
    const before = player.states()
    assert.deepEqual(player.step(told), [], `"${scenario.it}": ${told.event.event_type} again says something`)
    assert.deepEqual(player.states(), before, `"${scenario.it}": ${told.event.event_type} again changes a state`)
  }
  return {
    send(told) {
      const emitted = player.send(told)
      for (const each of [told, ...emitted]) again(each)
      return emitted
    },
    advanceTo: (time) => player.advanceTo(time),
  }
}

/** Says every step for tenant a, then the same for tenant b. */
function forBothTenants(scenario: Scenario): Scenario {
  const both = ({ when, then = [] }: ScenarioStep, place: number): readonly ScenarioStep[] => {
    if ('advanceTo' in when) return [{ when, then: [...then, ...then] }]
    const eventId = 'eventId' in when ? when.eventId : `both-${place}`
    return (['a', 'b'] as const).map((tenant) => ({ when: { ...when, tenant, eventId } as ScenarioInput, then }))
  }
  return { it: scenario.it, play: scenario.play.flatMap(both) }
}

function throughCodec(): CallStep {
  const codecs = new Map<AnyProcessor, ReturnType<typeof stateCodec>>()
  return (processor, state, input, context) => {
    const codec = codecs.get(processor) ?? stateCodec(processor.state, { keyRing })
    codecs.set(processor, codec)
    const key = Buffer.from(context.key)
    const read = state === null ? null : codec.deserialize(codec.serialize(state, key), key)
    return processor.handle(read, input as never, context)
  }
}

function topicsWritten(service: Service): AnyTopic[] {
  return [...new Map(service.processors.flatMap(({ writes }) => writes.map((topic) => [topic.name, topic]))).values()]
}

/** An optional field that was left out reads as null. */
function withNulls(topic: AnyTopic, event: Told['event']): Record<string, unknown> {
  const fields = topic.events[event.event_type]?.fields ?? {}
  return { ...Object.fromEntries(Object.keys(fields).map((name) => [name, null])), ...withoutUndefined(event) }
}

const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined))

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}

function registry(): SchemaRegistry {
  const known: { readonly subject: string; readonly schema: string }[] = []
  return {
    register: (subject, schema) => Promise.resolve(known.push({ subject, schema: JSON.stringify(schema) })),
    schemaById: (id) => Promise.resolve(known[id - 1] ?? null),
  }
}

/** A key per tenant, of its name. */
const keyRing: KeyRing = {
  load: () => Promise.resolve(),
  get: (tenantId) =>
    Object.values(scenarioTenants).some((tenant) => tenant.tenantId === tenantId)
      ? createHash('sha256').update(tenantId).digest()
      : undefined,
}
