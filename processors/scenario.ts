/**
 * Plays scenarios. `playScenario` says the inputs and compares what comes out; who handles them is the player's affair:
 * `servicePlayer` calls the steps directly, with states and timers in memory; a player over the real engine takes the
 * same scenarios.
 */

import assert from 'node:assert/strict'
import type { AnyEvent } from '../schemas/index.ts'
import { recordKey, uuidv5 } from '../schemas/index.ts'
import type {
  AnyProcessor,
  AnyTopic,
  Between,
  Expected,
  Last,
  Scenario,
  ScenarioInput,
  ScenarioTenant,
  Service,
  StepContext,
  TimerFired,
} from './define.ts'
import { completeEmissions, contextOf } from './step.ts'

/** An event on a topic. */
export interface Told {
  readonly topic: AnyTopic
  readonly event: AnyEvent
}

/** Handles inputs one at a time; each returns what was emitted because of it, in order. */
export interface Player {
  send(told: Told): readonly Told[] | Promise<readonly Told[]>
  advanceTo(time: number): readonly Told[] | Promise<readonly Told[]>
}

/** The two tenants of a scenario; their organizations have one id, so what is kept apart is kept apart by tenant. */
export const scenarioTenants: Readonly<
  Record<ScenarioTenant, { readonly tenantId: string; readonly organizationId: string }>
> = {
  a: { tenantId: 'tenant-a', organizationId: 'organization' },
  b: { tenantId: 'tenant-b', organizationId: 'organization' },
}

/** @throws AssertionError that names the scenario, the step and both sides */
export async function playScenario(scenario: Scenario, player: Player): Promise<readonly Told[]> {
  const emitted: Told[] = []
  for (const [place, { when, then = [] }] of scenario.play.entries()) {
    const before = [...emitted]
    const came = await say(scenario, place, when, before, player)
    emitted.push(...came)
    const where = `"${scenario.it}", step ${place + 1} (${describe(when)})`
    const types = came.map(({ event }) => event.event_type)
    assert.deepEqual(
      types,
      then.map(({ type }) => type),
      `${where}: other events`,
    )
    // What stands for an earlier event is never the one that is compared: it would fit itself.
    for (const [n, expected] of then.entries())
      compare(where, expected, came[n]!.event, [...before, ...came.slice(0, n)])
  }
  return emitted
}

async function say(
  scenario: Scenario,
  place: number,
  when: ScenarioInput,
  emitted: readonly Told[],
  player: Player,
): Promise<readonly Told[]> {
  if ('advanceTo' in when) return player.advanceTo(when.advanceTo)
  const { tenantId } = scenarioTenants[when.tenant ?? 'a']
  const own = emitted.filter(({ event }) => event.tenant_id === tenantId)
  if ('answer' in when) return player.send(answerTo(scenario, place, when, own))
  const payload = resolve(when.payload, own) as Readonly<Record<string, unknown>>
  const eventId = when.eventId ?? uuidv5(JSON.stringify(['scenario', scenario.it, place]))
  return player.send({
    topic: when.topic,
    event: scenarioEvent(when.tenant ?? 'a', when.type, payload, when.at, eventId, {
      type: 'user',
      id: when.by ?? 'user-1',
    }),
  })
}

function answerTo(
  scenario: Scenario,
  place: number,
  when: Extract<ScenarioInput, { readonly answer: unknown }>,
  own: readonly Told[],
): Told {
  const call = own.findLast(({ event }) => event.event_type === 'call_requested')
  assert(call !== undefined, `"${scenario.it}", step ${place + 1}: nothing was called that could answer`)
  const { call_id, provider, operation, attempt, contact_id } = call.event
  const payload = {
    ...(contact_id === undefined ? {} : { contact_id }),
    ...{ call_id, provider, operation, attempt },
    ...{ class: 'ok', retry_at: null, status: 200, output: null, output_ref: null, error: null },
    ...{ cost_microdollars: 0, sandbox: 'sandbox' },
    ...when.answer,
  }
  const eventId = uuidv5(JSON.stringify(['scenario answer', scenario.it, place]))
  const by = { type: 'provider', id: String(provider) } as const
  return {
    topic: call.topic,
    event: scenarioEvent(when.tenant ?? 'a', 'call_answered', payload, when.at, eventId, by),
  }
}

export function scenarioEvent(
  tenant: ScenarioTenant,
  type: string,
  payload: Readonly<Record<string, unknown>>,
  at: number,
  eventId: string,
  actor: AnyEvent['actor'],
): AnyEvent {
  const { tenantId, organizationId } = scenarioTenants[tenant]
  return {
    event_id: eventId,
    event_type: type,
    event_version: 1,
    timestamp: at,
    tenant_id: tenantId,
    organization_id: organizationId,
    correlation_id: `lifecycle-${tenant}`,
    causation_id: '',
    source: 'scenario',
    actor,
    ...payload,
  }
}

function compare(where: string, expected: Expected, event: AnyEvent, emitted: readonly Told[]): void {
  const own = emitted.filter((told) => told.event.tenant_id === event.tenant_id)
  for (const [name, value] of Object.entries(expected.payload ?? {}))
    matches(`${where}: ${expected.type}.${name}`, resolve(value, own), event[name])
}

/** A part of an object; arrays and plain values whole; `between` for numbers. */
function matches(where: string, expected: unknown, actual: unknown): void {
  if (isBetween(expected)) {
    const [least, most] = expected.$between
    assert(
      typeof actual === 'number' && actual >= least && actual <= most,
      `${where}: ${String(actual)} is not in ${least}…${most}`,
    )
    return
  }
  if (!isPlain(expected) || !isPlain(actual)) {
    assert.deepEqual(actual, expected, where)
    return
  }
  for (const [name, value] of Object.entries(expected)) matches(`${where}.${name}`, value, actual[name])
}

/** Puts values in the places of `last`. */
function resolve(value: unknown, own: readonly Told[]): unknown {
  if (Array.isArray(value)) return value.map((part) => resolve(part, own))
  if (!isPlain(value) || isBetween(value)) return value
  if (isLast(value)) {
    const [type, field] = value.$last
    const told = own.findLast(({ event }) => event.event_type === type)
    assert(told !== undefined, `the scenario names the last ${type}, but there was none`)
    return told.event[field]
  }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, resolve(part, own)]))
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isLast = (value: Record<string, unknown>): value is Record<string, unknown> & Last => '$last' in value
const isBetween = (value: unknown): value is Between => isPlain(value) && '$between' in value

const describe = (when: ScenarioInput): string =>
  'advanceTo' in when ? `time ${when.advanceTo}` : 'answer' in when ? 'the answer to the last call' : when.type

interface Armed {
  readonly key: string
  readonly name: string
  readonly dueAt: number
}

export interface ServicePlayer extends Player {
  send(told: Told): readonly Told[]
  advanceTo(time: number): readonly Told[]
  /** One record, without what comes back to the service because of it. */
  step(told: Told): readonly Told[]
  /** States by store and record key. */
  states(): ReadonlyMap<string, unknown>
}

type State = Parameters<AnyProcessor['handle']>[0]
type Input = AnyEvent | TimerFired

/** Calls a step; given to the player by tests that watch it. */
export type CallStep = (
  processor: AnyProcessor,
  state: State,
  input: Input,
  context: StepContext,
) => ReturnType<AnyProcessor['handle']>

const callStep: CallStep = (processor, state, input, context) => processor.handle(state, input as never, context)

/** The steps of a service with states and timers in memory. */
export function servicePlayer(service: Service, call: CallStep = callStep): ServicePlayer {
  const states = new Map<string, State>()
  const timers = new Map<string, Armed>()

  function handle(processor: AnyProcessor, key: string, input: Input): readonly Told[] {
    const place = `${processor.state.store} ${key}`
    const context = contextOf(processor, { key, input })
    const step = call(processor, states.get(place) ?? null, input, context)
    if (step.state === null) states.delete(place)
    else states.set(place, step.state)
    for (const [name, dueAt] of Object.entries(step.timers ?? {})) {
      if (dueAt === null) timers.delete(`${name} ${key}`)
      else timers.set(`${name} ${key}`, { key, name, dueAt })
    }
    return completeEmissions(service.name, processor, { key, input }, context, step.emit ?? [])
  }

  function fire({ key, name, dueAt }: Armed): readonly Told[] {
    timers.delete(`${name} ${key}`)
    const processor = service.processors.find((candidate) => candidate.timers?.includes(name) ?? false)
    assert(processor !== undefined, `${service.name}: no processor handles the timer ${name}`)
    return handle(processor, key, { event_type: '$timer', timer: name, due_at: dueAt })
  }

  function firstDue(wanted: (timer: Armed) => boolean): Armed | undefined {
    return [...timers.values()].filter(wanted).sort((x, y) => x.dueAt - y.dueAt)[0]
  }

  /** Timers of its key that are due before it, then the record. */
  function step({ topic, event }: Told): readonly Told[] {
    const key = recordKey(topic, { ...event, payload: event })
    const out: Told[] = []
    for (;;) {
      const due = firstDue((timer) => timer.key === key && timer.dueAt < event.timestamp)
      if (due === undefined) break
      out.push(...fire(due))
    }
    const readers = service.processors.filter((processor) => processor.reads.name === topic.name)
    return [...out, ...readers.flatMap((processor) => handle(processor, key, event))]
  }

  /** What is emitted comes back on the topics the service reads, until nothing more comes of it. */
  function followed(first: readonly Told[]): readonly Told[] {
    const out = [...first]
    for (let next = 0; next < out.length; next++) {
      assert(out.length < 1_000, `${service.name} goes on emitting: an echo loop`)
      out.push(...step(out[next]!))
    }
    return out
  }

  return {
    step,
    send: (told) => followed(step(told)),
    advanceTo(time) {
      const out: Told[] = []
      for (;;) {
        const due = firstDue((timer) => timer.dueAt <= time)
        if (due === undefined) return out
        out.push(...followed(fire(due)))
      }
    },
    states: () => new Map(states),
  }
}
