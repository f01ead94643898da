/**
 * Which demos there are, what their agents may speak of, and who has spoken with them: the part of the demo chat that reads
 * the topic. It hands each message of a visitor on with the demo's content as it stands, so that a conversation needs to look
 * nothing up.
 *
 *   store   'd' tenant · demo             what the demo shows, or that it has ended
 *           's' tenant · demo · session   a conversation that has begun
 *
 * DD1  A message goes on under its conversation: tenant of the record, demo and session.
 * DD2  A demo that has ended answers nobody, and its conversations are told to be forgotten. A later version begins anew.
 */

import type { AnyEvent } from '../../schemas/index.ts'
import { tenantOfKey } from '../../schemas/index.ts'
import type { NodeContext, StreamRecord } from '../../topology/index.ts'
import { BadRecord, noHeaders } from '../../topology/index.ts'
import type { DemoContent, DemoEvent } from './demo-content.ts'
import { contentOf } from './demo-content.ts'
import { packParts, unpackParts } from './packed-parts.ts'

export const demosStore = 'demos'

interface Demo {
  readonly version: number
  /** Null when it has ended. */
  readonly content: DemoContent | null
}

/** What a conversation is told: a message of its visitor, or that it is over. */
export type Told =
  | {
      readonly kind: 'message'
      /** Key and value of the record the message came in. */
      readonly key: Buffer
      readonly value: Buffer
      readonly content: DemoContent | null
    }
  | { readonly kind: 'over' }

/** What a decoded record of the topic holds: its event, unless of a type that is not known, and its bytes. */
export interface Read {
  readonly event: AnyEvent | null
  readonly bytes: Buffer
}

/** The step: keeps demos, hands messages on. */
export function direct(record: StreamRecord, context: NodeContext): void {
  const { event, bytes } = record.value as Read
  const { rawKey } = context
  const tenant = tenantOfKey(rawKey)
  if (event === null || rawKey === null || tenant === null) return
  const told = event as unknown as DemoEvent
  switch (told.event_type) {
    case 'demo_generated':
      return keep(context, [tenant, told.demo_id], { version: told.version, content: contentOf(told) })
    case 'demo_expired':
    case 'demo_unpublished':
      return end(context, [tenant, told.demo_id], record.timestamp)
    case 'demo_simulation_message': {
      if (told.role !== 'visitor') return
      const demo = demoOf(context, [tenant, told.demo_id])
      if (demo !== null && demo.content === null) return
      const thread = [tenant, told.demo_id, told.session_id]
      context.store(demosStore).put(rowOf('s', thread), Buffer.of(1))
      const content = Buffer.from(JSON.stringify(demo?.content ?? null))
      return tell(context, thread, record.timestamp, [rawKey, bytes, content])
    }
    default:
      return
  }
}

/** The name of a conversation, by its tenant, demo and session (DD1). */
export const threadOf = (ids: readonly string[]): string => ids.map(checked).join('|')

export function readTold(value: Buffer): Told {
  const [key, bytes, content] = unpackParts(value)
  if (key === undefined || bytes === undefined || content === undefined) return { kind: 'over' }
  return { kind: 'message', key, value: bytes, content: JSON.parse(content.toString('utf8')) as DemoContent | null }
}

function keep(context: NodeContext, demo: readonly string[], now: Demo): void {
  const known = demoOf(context, demo)
  const isOlder =
    known !== null && (known.content === null ? now.version <= known.version : now.version < known.version)
  if (!isOlder) context.store(demosStore).put(rowOf('d', demo), Buffer.from(JSON.stringify(now)))
}

/** DD2. */
function end(context: NodeContext, demo: readonly string[], timestamp: number): void {
  const store = context.store(demosStore)
  const ended: Demo = { version: demoOf(context, demo)?.version ?? 0, content: null }
  store.put(rowOf('d', demo), Buffer.from(JSON.stringify(ended)))
  const gte = rowOf('s', [...demo, ''])
  const lt = Buffer.from(gte)
  lt[lt.length - 1] = 1
  for (const [row] of Array.from(store.range({ gte, lt }))) {
    store.delete(row)
    tell(context, row.toString('utf8').split('\0').slice(1), timestamp, [])
  }
}

function demoOf(context: NodeContext, demo: readonly string[]): Demo | null {
  const row = context.store(demosStore).get(rowOf('d', demo))
  return row === undefined ? null : (JSON.parse(row.toString('utf8')) as Demo)
}

function tell(context: NodeContext, thread: readonly string[], timestamp: number, parts: readonly Buffer[]): void {
  context.forward({ key: threadOf(thread), value: packParts(parts), timestamp, headers: noHeaders })
}

const rowOf = (kind: 'd' | 's', ids: readonly string[]): Buffer =>
  Buffer.from([kind, ...ids.map(checked)].join('\0'), 'utf8')

/** @throws BadRecord bad_value for an id that could make one name of two */
function checked(id: string): string {
  if (/[|\0]/.test(id)) throw new BadRecord('bad_value', 'an id of a demo or a session holds "|" or a zero byte')
  return id
}
