/**
 * A service as a topology: a source per topic it reads, a node per processor, its states, one timers store and one
 * set-aside store per state. Names follow from the names that services, states and topics were given by hand.
 */

import type { AnyEvent, KeyRing, UnknownEvent } from '../schemas/index.ts'
import { isUnknown, parseKey, stateCodec } from '../schemas/index.ts'
import type { KeyValueStore, NodeContext, NodeProcessor, Serde, StreamRecord, Topology } from '../topology/index.ts'
import { TopologyBuilder, bytesSerde, noHeaders } from '../topology/index.ts'
import type { AnyProcessor, AnyTopic, Service, TimerFired } from './define.ts'
import type { Cause } from './step.ts'
import { completeEmissions, contextOf } from './step.ts'

type State = Readonly<Record<string, unknown>>

/** What turns values into bytes; made once per process. */
export interface Codecs {
  event(topic: AnyTopic): Required<Serde<AnyEvent>>
  readonly keyRing: KeyRing
}

export const timersStore = (state: string): string => `${state}-timers`
export const setAsideStore = (state: string): string => `${state}-set-aside`

/** @throws EngineError INVALID_TOPOLOGY when the service contradicts itself */
export function compileService(service: Service, codecs: Codecs): Topology {
  const builder = new TopologyBuilder(service.name)
  for (const topic of distinct(service.processors.map((processor) => processor.reads))) {
    builder.source(topic.name, { topic: topic.name, key: bytesSerde, value: codecs.event(topic) })
  }
  const states = new Map(service.processors.map((processor) => [processor.state.store, processor.state]))
  for (const state of states.keys()) builder.store(state).store(setAsideStore(state), { kind: 'set-aside' })
  for (const state of timedStates(service)) builder.store(timersStore(state), { kind: 'timers' })
  if (states.size > 1) nameParts(builder, service)
  for (const processor of service.processors) addProcessor(builder, service, processor, codecs)
  return builder.build()
}

function addProcessor(builder: TopologyBuilder, service: Service, processor: AnyProcessor, codecs: Codecs): void {
  const state = processor.state.store
  const timed = timedStates(service).has(state)
  const codec = stateCodec(processor.state, { keyRing: codecs.keyRing }) as unknown as Serde<State>
  builder.processor(processor.name, {
    parents: [processor.reads.name],
    stores: [state, setAsideStore(state)],
    ...(timed
      ? { timers: { store: timersStore(state), handles: processor.timers ?? [], prepare: loadKeys(codecs.keyRing) } }
      : {}),
    supplier: () => new StepRunner(service.name, processor, codec),
  })
  if (processor.writes.length === 0) return
  const serdes = new Map(processor.writes.map((topic) => [topic.name, codecs.event(topic)]))
  builder.sink(`${processor.name}-out`, {
    parents: [processor.name],
    topics: [...serdes.keys()],
    choose: (record) => (record.value as Output).topic,
    key: bytesSerde,
    value: {
      serialize: ({ topic, event }: Output, key: Buffer | null) =>
        (serdes.get(topic) as Serde<AnyEvent>).serialize(event, key),
      deserialize: () => {
        throw new Error('a sink does not read')
      },
    },
  })
}

/** Processors of different states may be parts of their own: each is named after its state. */
function nameParts(builder: TopologyBuilder, service: Service): void {
  for (const processor of service.processors) builder.part(processor.state.store, { source: processor.reads.name })
}

/** States whose processors name timers: each gets a timers store. */
function timedStates(service: Service): Set<string> {
  return new Set(
    service.processors
      .filter((processor) => (processor.timers?.length ?? 0) > 0)
      .map((processor) => processor.state.store),
  )
}

function distinct(topics: readonly AnyTopic[]): AnyTopic[] {
  return [...new Map(topics.map((topic) => [topic.name, topic])).values()]
}

/** A timer's tenant is in its key; its data key must be there before the timer fires. */
function loadKeys(keyRing: KeyRing): (keys: readonly Buffer[]) => Promise<void> {
  return async (keys) => {
    const tenants = new Set(keys.map((key) => parseKey(key).tenantId))
    if (tenants.size > 0) await keyRing.load([...tenants])
  }
}

interface Output {
  readonly topic: string
  readonly event: AnyEvent
}

/** Runs a processor's pure step: state in, step out, effects applied. */
class StepRunner implements NodeProcessor {
  readonly #service: string
  readonly #processor: AnyProcessor
  readonly #codec: Serde<State>
  #states: KeyValueStore | null = null

  constructor(service: string, processor: AnyProcessor, codec: Serde<State>) {
    this.#service = service
    this.#processor = processor
    this.#codec = codec
  }

  init(context: Pick<NodeContext, 'store'>): void {
    this.#states = context.store(this.#processor.state.store)
  }

  process(record: StreamRecord, context: NodeContext): void {
    const event = record.value as AnyEvent | UnknownEvent | null
    const key = context.rawKey
    if (event === null || key === null || isUnknown(event)) return
    this.#run(key, event, context)
  }

  timer(key: Buffer, name: string, dueAt: number, context: NodeContext): void {
    this.#run(key, { event_type: '$timer', timer: name, due_at: dueAt }, context)
  }

  #run(keyBytes: Buffer, input: AnyEvent | TimerFired, context: NodeContext): void {
    const states = this.#states as KeyValueStore
    const key = keyBytes.toString('utf8')
    const stored = states.get(keyBytes)
    const cause: Cause = { key, input }
    const stepContext = contextOf(this.#processor, cause)
    const step = this.#processor.handle(
      stored === undefined ? null : this.#codec.deserialize(stored, keyBytes),
      input,
      stepContext,
    )
    this.#keep(states, keyBytes, stored, step.state)
    for (const [timer, dueAt] of Object.entries(step.timers ?? {})) context.timer(keyBytes, timer, dueAt)
    for (const { topic, key: outKey, event } of completeEmissions(
      this.#service,
      this.#processor,
      cause,
      stepContext,
      step.emit ?? [],
    ))
      context.forward({
        key: Buffer.from(outKey, 'utf8'),
        value: { topic: topic.name, event } satisfies Output,
        timestamp: event.timestamp,
        headers: noHeaders,
      })
  }

  /** Writes the state only when its bytes changed: an event that changes nothing costs no changelog row. */
  #keep(states: KeyValueStore, key: Buffer, stored: Buffer | undefined, state: State | null): void {
    if (state === null) {
      if (stored !== undefined) states.delete(key)
      return
    }
    const bytes = this.#codec.serialize(state, key)
    if (stored === undefined || !bytes.equals(stored)) states.put(key, bytes)
  }
}
