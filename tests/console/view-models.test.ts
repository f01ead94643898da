/** What the console's pages show, decided without a browser: words of fields, columns of the board, places of the map. */

import { describe, expect, test } from 'vitest'
import type { Card } from '../../api/console/browser/board-view.ts'
import { columnsOf, fitting, stepWords } from '../../api/console/browser/board-view.ts'
import { count, duration, money, momentOf, percent, shortIds, title, took } from '../../api/console/browser/format.ts'
import { gist, told } from '../../api/console/browser/told.ts'
import { topologyMap } from '../../api/console/browser/topology-map.ts'
import type { ApplicationView } from '../../api/console/browser/topology-view.ts'
import { stages, steps, topics } from '../../schemas/index.ts'

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

describe('format', () => {
  test.each([
    [59 * second, '59 s'],
    [90 * minute, '1 h'],
    [47 * hour, '47 h'],
    [59 * day, '59 d'],
    [90 * day, '2 months'],
    [-3 * minute, '3 min'],
    [900 * day, '2 years'],
  ])('a span of %d ms is %s', (ms, text) => expect(duration(ms)).toBe(text))

  test.each([
    [0, '0 ms'],
    [420, '420 ms'],
    [14 * second, '14 s'],
    [128_350, '2 min 8 s'],
    [2 * hour, '2 h'],
    [12 * day + 4 * hour + 59 * minute, '12 d 4 h'],
  ])('what took %d ms took %s', (ms, text) => expect(took(ms)).toBe(text))

  test('money has the decimals of its currency', () => {
    expect(money(680_278, 'USD').replaceAll(/\D/g, '')).toBe('680278')
    expect(money(680_278, 'USD')).toContain(count(6_802))
    expect(money(680_278, 'JPY')).toContain(count(680_278))
  })

  test('names as titles, ids by their beginning', () => {
    expect([title('nda'), title('stripe_event_id'), title('finding_ids'), title('at_risk')]).toEqual([
      'NDA',
      'Stripe event ID',
      'Finding IDs',
      'At risk',
    ])
    expect(shortIds('7468ed21-2b46-4803-b314-518043f0e15a|f709a8c2-94d6-447c-bf50-03e2e6a0b4c1')).toBe(
      '7468ed21…|f709a8c2…',
    )
  })
})

describe('fields of events', () => {
  test.each([
    ['deadline', 1_767_225_900_000, {}, momentOf(1_767_225_900_000)],
    ['not_before', 0, {}, '0'],
    ['ms', 4_200, {}, '4 s'],
    ['dwell_ms', 94_000, {}, '1 min 34 s'],
    ['amount', 168_000, { currency: 'USD' }, money(168_000, 'USD')],
    ['amount', 168_000, {}, count(168_000)],
    ['discount_basis_points', 1_429, {}, percent(0.1429)],
    ['confidence_score', 0.82, {}, '82 %'],
    ['founded', 2009, {}, '2009'],
    ['starting_price', 59_831.14, {}, count(59_831.14)],
    ['is_open', true, {}, 'yes'],
    ['tags', ['a', 'b'], {}, 'a, b'],
    ['ref', { key: 'x' }, {}, null],
  ])('%s of %o', (name, value, beside, text) => expect(told(name, value, beside)).toBe(text))

  test.each([
    [
      'stage_changed',
      { from: 'billing', to: 'scoping', reason: 'subscription_activated' },
      'Billing → Scoping · subscription activated',
    ],
    [
      'stage_changed',
      { from: 'researching', to: 'researching', reason: 'organization_created' },
      'Researching · organization created',
    ],
    ['step_completed', { step: 'nda', ms: 7_320_000 }, 'NDA · took 2 h 2 min'],
    [
      'call_answered',
      { provider: 'stripe', operation: 'create', class: 'retry', status: 500, attempt: 2 },
      'stripe, create · retry · status 500 · attempt 2',
    ],
    [
      'call_answered',
      { provider: 'stripe', operation: 'create', class: 'ok', status: 200, attempt: 1 },
      'stripe, create · ok',
    ],
    ['invoice_paid', { amount_paid: 680_278, currency: 'USD', invoice_id: 'in_1' }, money(680_278, 'USD')],
    ['demo_engagement_changed', { score: 93, dwell_ms: 94_000 }, 'score 93 · dwell 1 min 34 s'],
    ['demo_engaged', { score: 72, sessions: 2, demo_id: 'd1' }, 'score 72 · sessions 2'],
    ['client_erased', {}, ''],
  ])('%s says %o', (type, summary, text) => expect(gist(type, summary)).toBe(text))

  test('no example of any event is told with ids, epochs, or what is not there', () => {
    for (const topic of topics)
      for (const [type, event] of Object.entries(topic.events)) {
        const { example } = event as { readonly example: Readonly<Record<string, unknown>> }
        const text = gist(type, example)
        expect(text, `${topic.name} ${type}`).not.toMatch(/undefined|null|NaN|\[object|\b1[67]\d{11}\b|^ | ·  | $/)
      }
  })
})

const card = (of: Partial<Card>): Card => ({
  ...{ organization_id: 'o1', company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' },
  ...{ stage: 'demo', stage_at: '2026-01-01T00:00:00.000Z', status: 'running', current_step: 'demo' },
  ...{ step_status: 'started', deadline: '2026-01-05T00:00:00.000Z', waiting_reviews: 0 },
  ...of,
})

describe('the board', () => {
  test('columns are the stages in their order; who came last stands first; an unknown stage comes last', () => {
    const cards = [
      card({ organization_id: 'early' }),
      card({ organization_id: 'late', stage_at: '2026-01-02T00:00:00.000Z' }),
      card({ organization_id: 'new', stage: null }),
      card({ organization_id: 'odd', stage: 'elsewhere' }),
    ]
    const columns = columnsOf(cards, stages)
    expect(columns.map(({ stage }) => stage)).toEqual([...stages, 'elsewhere'])
    const ids = columns.map((column) => column.cards.map(({ organization_id }) => organization_id))
    expect([ids[0], ids[1], ids.at(-1)]).toEqual([['new'], ['late', 'early'], ['odd']])
  })

  test('found by name, domain or industry, in any case', () => {
    const cards = [card({}), card({ company_name: 'Škoda', domain: null, industry: 'Cars' })]
    expect(fitting(cards, ' ')).toEqual(cards)
    expect(fitting(cards, 'škOD')).toEqual([cards[1]])
    expect(fitting(cards, 'acme.ex')).toEqual([cards[0]])
    expect(fitting(cards, 'none')).toEqual([])
  })

  const at = Date.parse('2026-01-04T00:00:00.000Z')
  test.each([
    [{}, at, 'Demo', 'plain'],
    [{}, at + 3 * day, 'Demo 48 h late'.replace('48 h', duration(2 * day)), 'warn'],
    [{ current_step: 'nda' }, at, 'NDA', 'plain'],
    [{ waiting_reviews: 1 }, at + 9 * day, 'Waits for a person', 'warn'],
    [{ step_status: 'timed_out', waiting_reviews: 1 }, at, 'Demo timed out', 'bad'],
    [{ step_status: 'completed' }, at + 9 * day, 'Demo done', 'ok'],
    [{ status: 'aborted' }, at, 'Ended', 'bad'],
    [{ status: 'compensating' }, at, 'Being undone', 'bad'],
  ] as const)('%o', (of, nowMs, text, tone) => expect(stepWords(card(of), nowMs)).toEqual({ text, tone }))

  test('nothing is said of a step that has not begun', () =>
    expect(stepWords(card({ current_step: null, status: null }), at)).toBeNull())

  test('every step of the lifecycle has a name', () => expect(steps.map(title)).not.toContain(''))
})

describe('the map of the topology', () => {
  const application = (name: string, reads: readonly string[], writes: readonly string[]): ApplicationView => ({
    ...{ name, state: 'running', tasks: 1, tasks_in_all: 1, processed: 0, blocked_keys: 0, dead_letters: 0 },
    ...{ calls_in_flight: 0, reads: [] },
    parts: [
      {
        name: 'main',
        nodes: [
          ...reads.map((topic) => ({ name: topic, kind: 'source' as const, parents: [], topics: [topic], stores: [] })),
          { name: 'out', kind: 'sink', parents: reads, topics: writes, stores: [] },
        ],
        stores: [],
      },
    ],
  })
  const map = topologyMap([
    application('first', ['a_events', 'b_events'], ['b_events', 'first-own-repartition']),
    application('second', ['b_events', 'first-own-repartition'], []),
  ])

  test('a topic stands where it is read and where it is written; a line for each', () => {
    expect(map.nodes.map(({ id }) => id).sort()).toEqual([
      'app first',
      'app second',
      'topic a_events',
      'topic b_events',
      'topic first-own-repartition',
      'written b_events',
      'written first-own-repartition',
    ])
    expect(map.nodes.filter(({ kind }) => kind === 'repartition')).toHaveLength(2)
    const lines = map.edges.map(({ application, way, topic }) => `${application} ${way} ${topic}`)
    expect(lines.sort()).toEqual([
      'first reads a_events',
      'first reads b_events',
      'first writes b_events',
      'first writes first-own-repartition',
      'second reads b_events',
      'second reads first-own-repartition',
    ])
  })

  test('every box stands in the drawing, and no two on each other; every line leads to the right', () => {
    for (const [index, a] of map.nodes.entries()) {
      expect([a.x, a.y, map.width - a.x - a.width, map.height - a.y - a.height].every((gap) => gap >= 0)).toBe(true)
      for (const b of map.nodes.slice(index + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
        expect(apart, `${a.id} and ${b.id}`).toBe(true)
      }
    }
    for (const { d } of map.edges) {
      const [from, ...rest] = d.split(/[MC ]/).filter((part) => part !== '')
      expect(Number(from)).toBeLessThan(Number(rest.at(-2)))
    }
  })
})
