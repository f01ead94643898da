/**
 * What the signature service tells comes in any order, twice, and before we know the envelope: whatever the order, a
 * document is signed once, or declined once, and stands the same.
 */

import { describe, expect, test } from 'vitest'
import { documentsService } from '../../processors/index.ts'
import type { ScenarioInput } from '../../processors/index.ts'
import { begun, drawn, fetched, made, told } from '../../processors/documents/scenario-data.ts'
import type { ServicePlayer, Told } from '../../processors/scenario.ts'
import { scenarioEvent, scenarioTenants, servicePlayer } from '../../processors/scenario.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import { documentEvents } from '../../schemas/index.ts'

const seeds = 1_500
const at = begun.length

/** mulberry32: the same orders in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const mixed = [...list]
  for (let n = mixed.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1))
    ;[mixed[n], mixed[other]] = [mixed[other]!, mixed[n]!]
  }
  return mixed
}

type Tenant = 'a' | 'b'

interface Talk {
  say(tenant: Tenant, input: ScenarioInput, id: string): readonly AnyEvent[]
  readonly player: ServicePlayer
}

/** Says inputs as the log would; answers go to the call of the operation they answer. */
function talk(): Talk {
  const player = servicePlayer(documentsService())
  const calls: Record<Tenant, AnyEvent[]> = { a: [], b: [] }
  return {
    player,
    say(tenant, input, id) {
      const emitted = player.send(toldOf(tenant, input, id, calls[tenant]))
      const events = emitted.map(({ event }) => event)
      calls[tenant].push(...events.filter(({ event_type }) => event_type === 'call_requested'))
      return events
    },
  }
}

function toldOf(tenant: Tenant, input: ScenarioInput, id: string, calls: readonly AnyEvent[]): Told {
  if ('topic' in input)
    return {
      topic: input.topic,
      event: scenarioEvent(tenant, input.type, input.payload, input.at, id, { type: 'user', id: 'u' }),
    }
  if (!('answer' in input)) throw new Error('no time here')
  const { call_id, provider, operation, attempt } = calls.at(-1)!
  const answer = { call_id, provider, operation, attempt, class: 'ok', status: 200, error: null, ...input.answer }
  const event = scenarioEvent(tenant, 'call_answered', answer, input.at, id, { type: 'provider', id: 'p' })
  return { topic: documentEvents, event }
}

/** The NDA's envelope is being made. */
function beingMade(): Talk {
  const talking = talk()
  for (const tenant of ['a', 'b'] as const)
    for (const [n, { when }] of [...begun, { when: drawn('nda') }].entries()) talking.say(tenant, when, `${tenant}${n}`)
  return talking
}

const happened: readonly ScenarioInput[] = [
  told('e1', 'envelope-sent'),
  told('e1', 'envelope-delivered'),
  told('e1', 'recipient-completed', { recipient: 'client' }),
  told('e1', 'recipient-completed', { recipient: 'provider', delivery_id: 'second' }),
]
const completed = told('e1', 'envelope-completed', {}, 1_767_226_000_000)
const declined = told('e1', 'envelope-declined', { reason: 'budget' }, 1_767_226_000_000)

interface Ended {
  readonly types: readonly string[]
  readonly calls: readonly string[]
  readonly documents: unknown
}

/** The same news in a delivery of its own. */
const toldAnew = (input: ScenarioInput): ScenarioInput =>
  'topic' in input
    ? { ...input, payload: { ...input.payload, delivery_id: `${String(input.payload['delivery_id'])} anew` } }
    : input

/** One order of deliveries, some of them twice, the answer with the envelope's id among them. */
function played(events: readonly ScenarioInput[], seed: number): { readonly a: Ended; readonly b: Ended } {
  const random = seeded(seed)
  const talking = beingMade()
  const twice = events.filter(() => random() < 0.5).map((input) => (random() < 0.5 ? input : toldAnew(input)))
  const order = shuffled([...events, ...twice, made('e1')], random)
  const said: AnyEvent[] = []
  for (const [n, input] of order.entries()) {
    // A delivery that comes again is the same event; an answer is there once.
    const events = talking.say('a', input, 'type' in input ? JSON.stringify(input.payload) : `made ${at + n}`)
    said.push(...events)
    if (events.some(({ operation }) => operation === 'fetch_signed'))
      said.push(...talking.say('a', fetched('nda'), 'file'))
  }
  return { a: ended(talking, 'a', said), b: ended(talking, 'b', []) }
}

function ended({ player }: Talk, tenant: Tenant, said: readonly AnyEvent[]): Ended {
  const { tenantId, organizationId } = scenarioTenants[tenant]
  const state = [...player.states()].find(([key]) => key.includes(`${tenantId}|${organizationId}`))?.[1] as {
    readonly documents: readonly Record<string, unknown>[]
  }
  return {
    types: said.map(({ event_type }) => event_type),
    calls: said.flatMap(({ operation }) => (typeof operation === 'string' ? [operation] : [])),
    documents: state.documents.map((document) => ({
      status: document['status'],
      type: document['document_type'],
      version: document['version'],
      envelope: document['envelope_id'],
      completed_at: document['completed_at'] ?? null,
    })),
  }
}

const count = (list: readonly string[], name: string): number => list.filter((one) => one === name).length

describe(`over ${seeds} seeded orders with duplicates`, () => {
  test('an envelope that all signed is signed once, and fetched once (5.3.5)', () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { a, b } = played([...happened, completed], seed)
      const where = `seed ${seed}`
      expect(count(a.types, 'document_signed'), where).toBe(1)
      expect(count(a.calls, 'fetch_signed'), where).toBe(1)
      expect(count(a.types, 'envelope_sent'), where).toBe(1)
      expect(count(a.types, 'document_viewed'), where).toBeLessThanOrEqual(1)
      expect(count(a.types, 'document_move_ignored'), where).toBe(0)
      expect(a.documents, where).toEqual([
        { status: 'signed', type: 'nda', version: 1, envelope: 'e1', completed_at: 1_767_226_000_000 },
        { status: 'draft', type: 'pricing', version: 1, envelope: undefined, completed_at: null },
      ])
      expect(b.documents, where).toMatchObject([{ status: 'sending', type: 'nda' }])
    }
  })

  test('an envelope that was declined is declined once, and nothing follows (5.3.8)', () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { a, b } = played([...happened.slice(0, 3), declined], seed)
      expect(count(a.types, 'document_declined'), `seed ${seed}`).toBe(1)
      expect(count(a.types, 'document_signed'), `seed ${seed}`).toBe(0)
      expect(a.documents, `seed ${seed}`).toMatchObject([{ status: 'declined', type: 'nda' }])
      expect(b.documents, `seed ${seed}`).toMatchObject([{ status: 'sending', type: 'nda' }])
    }
  })
})
