/**
 * The effect worker: a topology that consumes `call_requested`, calls the provider and appends `call_answered` on the
 * topic the request came from.
 *
 *   topics -> route -> calls (repartitioned by provider account) -> call (async operator) -> topics
 *
 * X1  One task owns an account, so one task owns its rate limit.
 * X2  The answer's event id follows from the request's: a repeated call answers under the same id.
 * X3  The request stays encrypted on its way; it is read only to make the call.
 */

import type { AnyEvent, EventTopic, Json } from '../../schemas/index.ts'
import { cleanJson, derivedEventId, erased, isUnknown, keyFields } from '../../schemas/index.ts'
import type { Clock, NodeContext, Serde, StreamRecord, Topology } from '../../topology/index.ts'
import { TopologyBuilder, bytesSerde, noHeaders, stringSerde } from '../../topology/index.ts'
import type { CallOutcome, Provider } from './port.ts'
import { headerOf, requestHeaders } from './request-headers.ts'

export interface EffectsOptions {
  readonly providers: readonly Provider[]
  /** Topics that carry calls. */
  readonly topics: readonly EventTopic[]
  codec(topic: EventTopic): EventSerde
  readonly clock: Clock
}

type EventSerde = Required<Serde<AnyEvent>>

/** What a finished call leaves behind: enough to write its answer without reading the request again. */
interface Answer {
  readonly request: AnyEvent
  readonly mode: Provider['mode']
  readonly outcome: CallOutcome
  readonly answeredAt: number
}

interface Output {
  readonly topic: string
  readonly event: AnyEvent
}

/** Durable: group, changelogs and answer ids carry it. */
export const effectsApplication = 'effects'

/** @throws EngineError INVALID_TOPOLOGY when two providers share a name */
export function effectsTopology(options: EffectsOptions): Topology {
  const providers = new Map(options.providers.map((provider) => [provider.name, provider]))
  const codecs = new Map(options.topics.map((topic) => [topic.name, options.codec(topic)]))
  const keyed = new Map(options.topics.map((topic) => [topic.name, keyFields(topic)]))
  const builder = new TopologyBuilder(effectsApplication)
  for (const topic of options.topics) {
    builder.source(topic.name, { topic: topic.name, key: bytesSerde, value: withBytes(options.codec(topic)) })
    builder.processor(`route-${topic.name}`, {
      parents: [topic.name],
      supplier: () => ({ process: (record, context) => route(topic.name, providers, record, context) }),
    })
  }
  const [first] = options.topics
  if (first !== undefined) builder.part('route', { source: first.name })
  return builder
    .sink('calls-out', {
      parents: options.topics.map((topic) => `route-${topic.name}`),
      topics: ['calls'],
      key: stringSerde,
      value: bytesSerde,
    })
    .repartition('calls')
    .part('calls', { source: 'calls' })
    .source('calls', { topic: 'calls', key: stringSerde, value: bytesSerde })
    .store('calls-done', { kind: 'done' })
    .store('calls-waiting', { kind: 'waiting' })
    .async<Buffer, Answer>('call', {
      parents: ['calls'],
      doneStore: 'calls-done',
      waitingStore: 'calls-waiting',
      operator: {
        concurrency: Math.max(1, ...options.providers.map((provider) => provider.concurrency)),
        timeoutMs: 1000 + Math.max(0, ...options.providers.map((provider) => provider.timeoutMs)),
        key: stringSerde,
        value: bytesSerde,
        lane: (record) => `${headerOf(record, 'provider')} ${headerOf(record, 'origin-key')}`,
        notBefore: (record) => Number(headerOf(record, 'not-before')),
        limit: (record) => limitOf(providers.get(headerOf(record, 'provider'))),
        call: (record, signal) => call(providers, codecs, options.clock, record, signal),
        answered: (record, answer, context) => answered(keyed, record, answer, context),
      },
    })
    .sink('answers', {
      parents: ['call'],
      topics: options.topics.map((topic) => topic.name),
      choose: (record) => (record.value as Output).topic,
      key: bytesSerde,
      value: {
        serialize: ({ topic, event }: Output, key: Buffer | null) =>
          (codecs.get(topic) as EventSerde).serialize(event, key),
        deserialize: () => {
          throw new Error('a sink does not read')
        },
      },
    })
    .build()
}

/** The event, and the bytes it came in: the request travels on as it is (X3). */
function withBytes(codec: EventSerde): {
  serialize(): Buffer
  deserialize(bytes: Buffer, key: Buffer | null): { event: AnyEvent | null; bytes: Buffer }
  prepare(records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): Promise<void>
} {
  return {
    serialize: () => {
      throw new Error('a source does not write')
    },
    deserialize: (bytes, key) => {
      const event = codec.deserialize(bytes, key)
      return { event: isUnknown(event) ? null : event, bytes: Buffer.from(bytes) }
    },
    prepare: (records) => codec.prepare(records),
  }
}

function route(
  topic: string,
  providers: ReadonlyMap<string, Provider>,
  record: StreamRecord,
  context: NodeContext,
): void {
  const { event, bytes } = record.value as { event: AnyEvent | null; bytes: Buffer }
  if (event === null || event.event_type !== 'call_requested' || context.rawKey === null) return
  // A provider nobody knows gets its answer too (invalid): silence would leave the asker waiting.
  const name = String(event['provider'])
  const account = providers.get(name)?.account ?? 'unknown'
  context.forward({
    key: `${name}|${account}`,
    value: bytes,
    timestamp: record.timestamp,
    headers: requestHeaders({
      topic,
      key: context.rawKey,
      provider: name,
      notBefore: Number(event['not_before']),
    }),
  })
}

function limitOf(
  provider: Provider | undefined,
): { account: string; limit: { calls: number; windowMs: number } } | null {
  if (provider?.rate === undefined || provider.rate === null) return null
  const { capacity, refillPerMs } = provider.rate
  return {
    account: `${provider.name}|${provider.account}`,
    limit: { calls: capacity, windowMs: Math.ceil(capacity / refillPerMs) },
  }
}

async function call(
  providers: ReadonlyMap<string, Provider>,
  codecs: ReadonlyMap<string, EventSerde>,
  clock: Clock,
  record: StreamRecord<unknown, Buffer>,
  signal: AbortSignal,
): Promise<Answer> {
  const codec = codecs.get(headerOf(record, 'origin-topic'))
  if (codec === undefined) throw new Error(`calls of topic ${headerOf(record, 'origin-topic')} are not served here`)
  const key = Buffer.from(headerOf(record, 'origin-key'), 'utf8')
  await codec.prepare([{ key, value: record.value }])
  // Whoever has the task now may be calling already.
  signal.throwIfAborted()
  const request = codec.deserialize(record.value, key)
  const provider = providers.get(String(request['provider']))
  const outcome = await outcomeOf(provider, request, signal)
  return { request, outcome, mode: provider?.mode ?? 'live', answeredAt: clock.now() }
}

async function outcomeOf(provider: Provider | undefined, request: AnyEvent, signal: AbortSignal): Promise<CallOutcome> {
  if (provider === undefined)
    return { class: 'invalid', status: 0, output: null, error: `no provider "${String(request['provider'])}"` }
  if (request['request'] === erased)
    return { class: 'invalid', status: 0, output: null, error: 'the request was erased' }
  return provider.call({
    callId: String(request['call_id']),
    operation: String(request['operation']),
    attempt: Number(request['attempt']),
    tenantId: request.tenant_id,
    organizationId: request.organization_id,
    request: request['request'] as Json,
    signal,
  })
}

/** @param keyed topics keyed by an entity of the payload, and its fields: the answer goes under the request's key */
function answered(
  keyed: ReadonlyMap<string, readonly string[]>,
  record: StreamRecord<unknown, Buffer>,
  { request, outcome, mode, answeredAt }: Answer,
  context: NodeContext,
): void {
  const topic = headerOf(record, 'origin-topic')
  const event: AnyEvent = {
    event_id: derivedEventId({ cause: request.event_id, processor: effectsApplication, type: 'call_answered', n: 0 }),
    event_type: 'call_answered',
    event_version: 1,
    timestamp: answeredAt,
    tenant_id: request.tenant_id,
    organization_id: request.organization_id,
    correlation_id: request.correlation_id,
    causation_id: request.event_id,
    source: effectsApplication,
    actor: { type: 'provider', id: String(request['provider']) },
    call_id: request['call_id'],
    provider: request['provider'],
    operation: request['operation'],
    attempt: request['attempt'],
    class: outcome.class,
    retry_at: outcome.retryAfterMs === undefined ? null : answeredAt + outcome.retryAfterMs,
    status: outcome.status,
    output: outcome.class === 'ok' ? cleanJson(outcome.output) : null,
    output_ref: null,
    error: outcome.error ?? null,
    cost_microdollars: outcome.costMicrodollars ?? 0,
    sandbox: mode,
    ...Object.fromEntries((keyed.get(topic) ?? []).map((field) => [field, request[field]])),
  }
  context.forward({
    key: Buffer.from(headerOf(record, 'origin-key'), 'utf8'),
    value: { topic, event } satisfies Output,
    timestamp: answeredAt,
    headers: noHeaders,
  })
}
