/**
 * A lifecycle step as a value. `handle` is pure and synchronous: same state, input and context, same step. The engine
 * alone writes stores, changelogs, events, timers and offsets, as one commit.
 *
 * A processor reads one topic. A service is a few processors that may share a state (same key, co-partitioned topics);
 * it is deployed as one application, named once and for ever: group, transactional ids and changelogs carry its name.
 */

import type { AnyEvent, EventDefinitions, EventOf, EventTopic, Fields, FieldsOf, PayloadOf } from '../schemas/index.ts'

/** A timer of this key came due. */
export interface TimerFired {
  readonly event_type: '$timer'
  readonly timer: string
  /** Milliseconds; the time this step happens at. */
  readonly due_at: number
}

export type Input<D extends EventDefinitions> = EventOf<D> | TimerFired

/** An event to write, completed by the engine: id, cause, time, tenant and source follow from the input. */
export interface Emission {
  readonly topic: AnyTopic
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Overrides for events that belong to something else than the input's organization. */
  readonly organizationId?: string
}

export function emit<D extends EventDefinitions, K extends keyof D & string>(
  topic: EventTopic<D>,
  type: K,
  payload: PayloadOf<D, K>,
): Emission {
  return { topic, type, payload: payload as Readonly<Record<string, unknown>> }
}

export interface Step<S> {
  /** The next state of this key; null forgets it. */
  readonly state: S | null
  readonly emit?: readonly Emission[]
  /** By name: due time in ms, or null to disarm. A timer not named stays as it is. */
  readonly timers?: Readonly<Record<string, number | null>>
}

export interface StepContext {
  /** Event time of the input in ms; a timer's due time. The only clock a step has. */
  readonly time: number
  readonly tenantId: string
  readonly organizationId: string
  /** The record key: tenant_id|… */
  readonly key: string
  /** Id of the event (or of the timer firing) that is handled: the cause of what is emitted. */
  readonly eventId: string
  /** The lifecycle instance the input belongs to. */
  readonly correlationId: string
  /** A deterministic UUID (v5) from the event id and a name that is unique in this step. */
  id(name: string): string
}

/** A keyed state: what a service remembers per key. Versioned; a change of fields is a new version with an upcaster. */
export interface StateDefinition<F extends Fields = Fields> {
  /** Store name; its changelog is `<service>-<store>-changelog`. */
  readonly store: string
  readonly version: number
  readonly fields: F
  readonly example: FieldsOf<F>
  /** Earlier versions, oldest first: their fields, and how a value of that version becomes one of the next. */
  readonly earlier?: readonly {
    readonly fields: Fields
    upcast(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
  }[]
}

export type StateOf<D> = D extends StateDefinition<infer F> ? FieldsOf<F> : never

export function defineState<const F extends Fields>(definition: StateDefinition<F>): StateDefinition<F> {
  return Object.freeze(definition)
}

export interface Processor<F extends Fields = Fields, D extends EventDefinitions = EventDefinitions> {
  /** Durable: derived event ids are named after it. */
  readonly name: string
  readonly reads: EventTopic<D>
  readonly writes: readonly AnyTopic[]
  readonly state: StateDefinition<F>
  /** Timers this processor handles; any processor that shares the state may arm or disarm them. */
  readonly timers?: readonly string[]
  handle(state: FieldsOf<F> | null, input: Input<D>, context: StepContext): Step<FieldsOf<F>>
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of processors of different types
export type AnyProcessor = Processor<any, any>

export function defineProcessor<const F extends Fields, const D extends EventDefinitions>(
  processor: Processor<F, D>,
): Processor<F, D> {
  return Object.freeze(processor)
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of topics of different types
export type AnyTopic = EventTopic<any, string>

export interface Service {
  /** Application id: durable. */
  readonly name: string
  readonly processors: readonly AnyProcessor[]
}

export function defineService(name: string, processors: readonly AnyProcessor[]): Service {
  return Object.freeze({ name, processors: Object.freeze([...processors]) })
}

/**
 * A scenario, as data: inputs one after the other, and after each exactly what the service emits because of it. A step
 * without `then` says "no event". What a service writes to a topic it reads comes back to it, as on the log.
 */
export interface Scenario {
  readonly it: string
  readonly play: readonly ScenarioStep[]
}

export interface ScenarioStep {
  readonly when: ScenarioInput
  /** Every event emitted, in order: its type and a part of its payload. */
  readonly then?: readonly Expected[]
}

export interface Expected {
  readonly type: string
  /** Compared part by part; values may be `between` or `last`. */
  readonly payload?: Readonly<Record<string, unknown>>
}

/** Times are event time in ms; the tenant is 'a' unless told. */
export type ScenarioInput =
  | {
      readonly topic: AnyTopic
      readonly type: string
      /** Values may be `last`. */
      readonly payload: Readonly<Record<string, unknown>>
      readonly at: number
      readonly tenant?: ScenarioTenant
      /** Given to say the same event twice. */
      readonly eventId?: string
      /** The person who says it; `user-1` unless told. */
      readonly by?: string
    }
  /** The answer to the tenant's newest call: class `ok`, status 200, nothing said, unless told. */
  | {
      readonly answer: Readonly<Record<string, unknown>>
      readonly at: number
      readonly tenant?: ScenarioTenant
    }
  /** Nothing comes and time passes: timers due by then fire. */
  | { readonly advanceTo: number }

export type ScenarioTenant = 'a' | 'b'

/** Stands for a field of the newest event of this type that the tenant's scenario has emitted so far, before the one compared. */
export interface Last {
  readonly $last: readonly [type: string, field: string]
}
/** Stands for any number from `least` to `most`. */
export interface Between {
  readonly $between: readonly [least: number, most: number]
}
export const last = (type: string, field: string): Last => ({ $last: [type, field] })
export const between = (least: number, most: number): Between => ({ $between: [least, most] })

export type { AnyEvent }
