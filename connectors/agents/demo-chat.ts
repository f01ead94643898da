/**
 * The simulated agent of a demo: answers what visitors ask it, once each, from what the demo shows.
 *
 *   demo_events -> direct -> turns (repartitioned by conversation) -> chat (async operator) -> demo_events
 *
 * DC1  A conversation's checkpoints stand in a changelogged store of this application. They are written in the transaction
 *      that emits the answer, so a message has one answer and a conversation one history, whatever fails in between. A crash
 *      before that commit asks the model again.
 * DC2  Messages of a conversation are answered one after the other; conversations run side by side.
 * DC3  What a visitor says stays sealed under the tenant's data key: on its way, in the store, in the changelog.
 * DC4  A model that fails is told of in words of ours: a message is a dead letter only when the record itself is bad.
 */

import type { AnyEvent, KeyRing } from '../../schemas/index.ts'
import { derivedEventId, erased, fieldCipher, isUnknown, tenantOfKey } from '../../schemas/index.ts'
import type { Clock, LoadContext, NodeContext, Serde, StreamRecord, Topology } from '../../topology/index.ts'
import { TopologyBuilder, bytesSerde, noHeaders, stringSerde } from '../../topology/index.ts'
import type { ChatModel } from './chat-model.ts'
import type { CheckpointRow } from './checkpoint-rows.ts'
import { rowsOfThread } from './checkpoint-rows.ts'
import type { Reply } from './demo-chat-graph.ts'
import type { DemoChatSettings } from './demo-chat-settings.ts'
import type { DemoMessage } from './demo-content.ts'
import type { Read, Told } from './demo-directory.ts'
import { demosStore, direct, readTold } from './demo-directory.ts'
import { RowOverlay } from './row-overlay.ts'

export interface DemoChatOptions {
  readonly codec: Required<Serde<AnyEvent>>
  readonly keyRing: KeyRing
  readonly model: ChatModel
  /** How long answers may take, and waits between tries. */
  readonly clock: Clock
  /** What answers are stamped with; it may stand still while a call is in flight. */
  readonly time: Pick<Clock, 'now'>
  readonly settings: DemoChatSettings
}

/** Durable: group, changelogs and answer ids carry it. */
export const demoChatApplication = 'demo-chat'

const topic = 'demo_events'
const threads = 'threads'

/** How much longer than the time for an answer its call may take, in ms: it ends itself in time. */
const graceMs = 5_000

type Rows = readonly (readonly [key: Buffer, value: Buffer])[]

interface Answer {
  /** What the conversation's checkpoints have become. */
  readonly rows: readonly CheckpointRow[]
  readonly reply: { readonly key: Buffer; readonly event: AnyEvent } | null
}

export function demoChatTopology(options: DemoChatOptions): Topology {
  const { codec, settings } = options
  return new TopologyBuilder(demoChatApplication)
    .source(topic, { topic, key: bytesSerde, value: reading(codec) })
    .store(demosStore)
    .processor('direct', { parents: [topic], stores: [demosStore], supplier: () => ({ process: direct }) })
    .part('direct', { source: topic })
    .sink('turns-out', { parents: ['direct'], topics: ['turns'], key: stringSerde, value: bytesSerde })
    .repartition('turns')
    .part('chat', { source: 'turns' })
    .source('turns', { topic: 'turns', key: stringSerde, value: bytesSerde })
    .store('turns-done', { kind: 'done' })
    .store('turns-waiting', { kind: 'waiting' })
    .store(threads)
    .async<Buffer, Answer, Rows>('chat', {
      parents: ['turns'],
      doneStore: 'turns-done',
      waitingStore: 'turns-waiting',
      stores: [threads],
      operator: {
        concurrency: settings.concurrency,
        timeoutMs: settings.turnTimeoutMs + graceMs,
        key: stringSerde,
        value: bytesSerde,
        lane: threadName,
        load: (record, context) => rowsIn(context, threadName(record)),
        call: (record, signal, rows) => converse(options, threadName(record), readTold(record.value), rows, signal),
        answered,
      },
    })
    .sink('replies', { parents: ['chat'], topics: [topic], key: bytesSerde, value: writing(codec) })
    .build()
}

const threadName = (record: StreamRecord<unknown, Buffer>): string => record.key as string

/** The event, and the bytes it came in: the message travels on as it is (DC3). */
function reading(codec: Required<Serde<AnyEvent>>): Required<Serde<Read>> {
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

function writing(codec: Required<Serde<AnyEvent>>): Serde<AnyEvent> {
  return {
    serialize: (event, key) => codec.serialize(event, key),
    deserialize: () => {
      throw new Error('a sink does not read')
    },
  }
}

const rowsIn = (context: LoadContext, thread: string): Rows =>
  rowsOfThread(thread).flatMap((range) => Array.from(context.store(threads).range(range)))

async function converse(
  options: DemoChatOptions,
  thread: string,
  told: Told,
  rows: Rows,
  signal: AbortSignal,
): Promise<Answer> {
  const forgotten = rows.map(([key]) => ({ key, value: null }))
  if (told.kind === 'over') return { rows: forgotten, reply: null }
  const { codec, keyRing, time } = options
  await codec.prepare([told])
  // Whoever has the task now may be asking already.
  signal.throwIfAborted()
  const message = codec.deserialize(told.value, told.key) as unknown as DemoMessage
  const cipher = fieldCipher(keyRing, tenantOfKey(told.key) ?? '')
  if (message.excerpt === erased || cipher === null) return { rows: forgotten, reply: null }
  const { takeTurn } = await import('./demo-chat-graph.ts')
  const overlay = new RowOverlay(rows)
  const deadline = deadlineOf(options)
  try {
    const reply = await takeTurn(
      { rows: overlay, cipher, settings: options.settings, asking: { ...options, ...options.settings, deadline: deadline.signal, signal } }, // prettier-ignore
      {
        thread,
        tenantId: message.tenant_id,
        question: { id: message.message_id, text: message.excerpt },
        content: told.content,
      },
    )
    if (reply === null) return { rows: [], reply: null }
    return { rows: overlay.changes(), reply: { key: told.key, event: replyEvent(message, reply, time.now()) } }
  } finally {
    deadline.cancel()
  }
}

function deadlineOf({ clock, settings }: DemoChatOptions): { readonly signal: AbortSignal; cancel(): void } {
  const abort = new AbortController()
  const cancel = clock.after(settings.turnTimeoutMs, () => abort.abort())
  return { signal: abort.signal, cancel }
}

function replyEvent(message: DemoMessage, reply: Reply, answeredAt: number): AnyEvent {
  const { event_type: type, tenant_id, organization_id, correlation_id, demo_id, session_id, message_id } = message
  return {
    event_id: derivedEventId({ cause: message.event_id, processor: demoChatApplication, type, n: 0 }),
    event_type: type,
    event_version: 1,
    timestamp: answeredAt,
    tenant_id,
    organization_id,
    correlation_id,
    causation_id: message.event_id,
    source: demoChatApplication,
    actor: { type: 'ai_agent', id: demoChatApplication },
    demo_id,
    session_id,
    message_id,
    role: 'assistant',
    excerpt: reply.text,
    finding_ids: [...reply.findings],
  }
}

/** DC1. */
function answered(_: StreamRecord<unknown, Buffer>, { rows, reply }: Answer, context: NodeContext): void {
  const store = context.store(threads)
  for (const { key, value } of rows) {
    if (value === null) store.delete(key)
    else store.put(key, value)
  }
  if (reply === null) return
  context.forward({ key: reply.key, value: reply.event, timestamp: reply.event.timestamp, headers: noHeaders })
}
