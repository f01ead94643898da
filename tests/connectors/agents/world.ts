/** What the tests of the demo chat share: a demo of two tenants, events as bytes, a model that answers by rule. */

import type { ChatModel, ChatOutcome, ChatRequest } from '../../../connectors/agents/index.ts'
import { defaultDemoChatSettings, demoChatTopology } from '../../../connectors/agents/index.ts'
import type { DemoChatSettings } from '../../../connectors/agents/index.ts'
import type { DemoContent } from '../../../connectors/agents/demo-content.ts'
import type { AnyEvent } from '../../../schemas/index.ts'
import { demoEvents, eventCodec, uuidv5 } from '../../../schemas/index.ts'
import type { Serde, Topology } from '../../../topology/index.ts'
import type { HandClock, ReadRecord, TopologyDriver } from '../../../topology/testing/index.ts'
import { keyRingOf, memoryRegistry } from '../../schemas/fixtures.ts'

export const tenants = ['acme', 'globex'] as const
export type Tenant = (typeof tenants)[number]

/** A process's codec and keys; schema ids are the same in each. */
export async function openCodec() {
  const keyRing = keyRingOf(...tenants)
  const codec = (await eventCodec(demoEvents, { registry: memoryRegistry(), keyRing })) as unknown as Required<Serde<AnyEvent>> // prettier-ignore
  await keyRing.load(tenants)
  return { keyRing, codec }
}

export const content: DemoContent = {
  company: 'Acme',
  headline: 'Support that keeps up',
  callToAction: 'Talk about a pilot',
  facts: [
    { finding: 'f1', text: 'Customers ask where their parcel is.' },
    { finding: 'f2', text: 'A question comes in: The agent finds the shipment.' },
  ],
}

export function demoEvent(tenant: Tenant, type: string, id: string, payload: Record<string, unknown>): AnyEvent {
  return {
    event_id: uuidv5(`${tenant} ${type} ${id}`),
    event_type: type,
    event_version: 1,
    timestamp: 1_700_000_000_000,
    tenant_id: tenant,
    organization_id: 'o1',
    correlation_id: 'l1',
    causation_id: '',
    source: 'test',
    actor: { type: 'user', id: 'v1' },
    ...payload,
  }
}

export const generated = (tenant: Tenant, version = 1, company = `${tenant} Ltd`): AnyEvent =>
  demoEvent(tenant, 'demo_generated', `v${version}`, {
    demo_id: 'd1',
    version,
    research_session_id: 's1',
    ref: demoEvents.events.demo_generated.example.ref,
    personalization: {
      company_name: company,
      industry: null,
      headline: content.headline,
      pain_points: [
        { text: 'Customers ask where their parcel is.', finding_id: 'f1' },
        { text: 'Everybody likes support.', finding_id: null },
      ],
      steps: [{ title: 'A question comes in', text: 'The agent finds the shipment.', finding_id: 'f2' }],
      call_to_action: content.callToAction,
    },
    model: 'none',
  })

export const asked = (tenant: Tenant, messageId: string, excerpt: string, session = 'v1'): AnyEvent =>
  demoEvent(tenant, 'demo_simulation_message', `${session} ${messageId}`, {
    demo_id: 'd1',
    session_id: session,
    message_id: messageId,
    role: 'visitor',
    excerpt,
    finding_ids: [],
  })

export const ended = (tenant: Tenant): AnyEvent => demoEvent(tenant, 'demo_expired', '1', { demo_id: 'd1' })

export const ok = (json: ChatOutcome['json']): ChatOutcome => ({
  class: 'ok',
  text: JSON.stringify(json),
  ...(json === undefined ? {} : { json }),
})

export interface FakeModel extends ChatModel {
  readonly requests: ChatRequest[]
}

export const textOf = ({ messages }: ChatRequest): string => messages.at(-1)?.content ?? ''

/** @param answer what it says when it is asked for an answer; else one that tells who asked what, and after how many messages */
export function fakeModel(answer?: (request: ChatRequest) => ChatOutcome | Promise<ChatOutcome>): FakeModel {
  const requests: ChatRequest[] = []
  const byRule = (request: ChatRequest): ChatOutcome =>
    ok({ text: `${request.tenantId} ${request.messages.length}: ${textOf(request)}`, findings: ['f1'] })
  return {
    requests,
    complete: (request) => {
      requests.push(request)
      if (request.schema.name === 'question')
        return Promise.resolve(ok({ kind: 'demo', language: textOf(request).startsWith('Wie') ? 'de' : 'en' }))
      return Promise.resolve((answer ?? byRule)(request))
    },
  }
}

export type Codec = Awaited<ReturnType<typeof openCodec>>

export const chatProgram = (
  { codec, keyRing }: Codec,
  model: ChatModel,
  clock: HandClock,
  settings: Partial<DemoChatSettings> = {},
): Topology =>
  demoChatTopology({ codec, keyRing, model, clock, time: clock, settings: { ...defaultDemoChatSettings, ...settings } })

export async function say({ codec }: Codec, driver: TopologyDriver, event: AnyEvent): Promise<void> {
  const key = Buffer.from(`${event.tenant_id}|${event.organization_id}`)
  await driver.send('demo_events', { key, value: codec.serialize(event, key), timestamp: event.timestamp })
}

/** The assistant's messages, in the order in which they stand. */
export async function replies({ codec }: Codec, driver: TopologyDriver): Promise<AnyEvent[]> {
  const records = await driver.read('demo_events')
  await codec.prepare(records)
  return records
    .map(({ key, value }) => codec.deserialize(value as Buffer, key))
    .filter((event) => event['role'] === 'assistant')
}

export const spoken = (event: AnyEvent): string => `${event.tenant_id} ${String(event['session_id'])} ${String(event['message_id'])}: ${String(event['excerpt'])}` // prettier-ignore

/** What a compacted topic says in the end. */
export function folded(records: readonly ReadRecord[]): [Buffer, Buffer][] {
  const rows = new Map<string, [Buffer, Buffer]>()
  for (const { key, value } of records) {
    if (key === null) continue
    if (value === null) rows.delete(key.toString('latin1'))
    else rows.set(key.toString('latin1'), [key, value])
  }
  return [...rows.values()]
}
