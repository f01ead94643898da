/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import { demoEvents, uuidv5 } from '../../schemas/index.ts'
import type { Scenario, ScenarioStep } from '../define.ts'
import { between, last } from '../define.ts'
import {
  answer,
  asksModel,
  called,
  client,
  clicked,
  days,
  engagement,
  finding,
  generated,
  made,
  page,
  published,
  refusal,
  renders,
  requested,
  researched,
  seconds,
  stepped,
  viewed,
  written,
} from '../demo/scenario-data.ts'
import { neutralPersonalization } from '../demo/script.ts'

const later = 14 * 86_400_000
const minutes = (n: number): number => seconds(60 * n)
const neutral = neutralPersonalization({ company_name: 'Acme', industry: 'Logistics' })
const asking: readonly ScenarioStep[] = [
  { when: client },
  { when: finding('f1', { employees: 120 }) },
  { when: researched(), then: [requested, asksModel] },
]
/** Of the event alone, whenever and however often it is read. */
const insertIdOf = (eventId: string): string => uuidv5(JSON.stringify(['step', eventId, 'demo-studio', 'export']))
const exports = called('mixpanel', 'import')

const making: readonly Scenario[] = [
  { it: 'writes, renders and publishes a demo of what was found (5.2.1)', play: made },
  {
    it: 'keeps no sentence with a finding that does not exist or a figure nobody found; a neutral one stands there (5.2.1)',
    play: [
      ...asking,
      {
        when: answer(seconds(3), {
          json: {
            headline: 'You save 900 hours',
            pain_points: [
              { text: 'A rumour.', finding_id: 'f9' },
              { text: 'Their 400 people wait.', finding_id: 'f1' },
            ],
            steps: [{ title: 'One', text: 'A step alone.', finding_id: null }],
            call_to_action: 'Write to us',
          },
          model: 'm',
        }),
        then: [renders],
      },
      {
        when: answer(seconds(4), page()),
        then: [
          generated({
            headline: neutral.headline,
            pain_points: neutral.pain_points,
            steps: neutral.steps,
            call_to_action: 'Write to us',
          }),
          published(seconds(4) + later),
        ],
      },
    ],
  },
  {
    it: 'makes a neutral demo when no model answers (5.2.1)',
    play: [
      ...asking,
      { when: refusal(seconds(3)), then: [{ ...asksModel, payload: { ...asksModel.payload, attempt: 2 } }] },
      { when: refusal(seconds(5), { class: 'quota', status: 402 }), then: [renders] },
      {
        when: answer(seconds(6), page()),
        then: [
          { type: 'demo_generated', payload: { model: 'none', personalization: neutral } },
          published(seconds(6) + later),
        ],
      },
    ],
  },
  {
    it: 'tries again later, with the same key, and fails when nothing can be rendered',
    play: [
      ...asking,
      { when: answer(seconds(3), { json: written, model: 'm' }), then: [renders] },
      {
        when: refusal(seconds(4), { retry_at: seconds(11) }),
        then: [
          called('rendering', 'demo', {
            attempt: 2,
            call_id: last('call_requested', 'call_id'),
            not_before: between(seconds(11), seconds(11)),
          }),
        ],
      },
      {
        when: refusal(seconds(12), { class: 'invalid', status: 400, error: 'no room' }),
        then: [{ type: 'demo_generation_failed', payload: { reason: 'no room' } }],
      },
    ],
  },
  {
    it: 'makes version 2 under the same demo when it is asked for again, meanwhile the first stays (5.2.6)',
    play: [
      ...made,
      {
        when: {
          topic: demoEvents,
          type: 'demo_requested',
          payload: { research_session_id: 's1', persona: 'head_of_support' },
          at: seconds(100),
        },
        then: [asksModel],
      },
      { when: viewed(seconds(101)), then: [] },
      {
        when: answer(seconds(102), { json: written, model: 'm' }),
        then: [called('rendering', 'demo', { request: { version: 2, demo_id: last('demo_published', 'demo_id') } })],
      },
      {
        when: answer(seconds(103), page(2)),
        then: [
          {
            type: 'demo_generated',
            payload: { version: 2, demo_id: last('demo_published', 'demo_id') },
          },
          published(seconds(103) + later, 2),
        ],
      },
    ],
  },
]

const viewing: readonly Scenario[] = [
  {
    it: 'expires once, after 14 days (5.2.2)',
    play: [
      ...made,
      { when: viewed(seconds(10)) },
      { when: stepped(seconds(20), '1', 10_000), then: [engagement({ sessions: 1 })] },
      { when: { advanceTo: seconds(80) }, then: [exports] },
      { when: { advanceTo: seconds(4) + later - 1 } },
      { when: { advanceTo: seconds(4) + later }, then: [{ type: 'demo_expired' }] },
      { when: { advanceTo: seconds(4) + 2 * later } },
    ],
  },
  {
    it: 'counts looks of one viewer within 30 minutes as one session, robots and glances not at all (5.2.3)',
    play: [
      ...made,
      { when: viewed(minutes(1), 'robot', 'bot'), then: [engagement({ sessions: 0, bots_ignored: 1, score: 0 })] },
      { when: viewed(minutes(2), 'glance') },
      { when: { advanceTo: minutes(4) }, then: [exports] },
      { when: answer(minutes(4), { imported: 1 }), then: [{ type: 'demo_analytics_exported' }] },
      { when: viewed(minutes(10)) },
      { when: viewed(minutes(10) + 3_000), then: [engagement({ sessions: 1, viewers: 2, dwell_ms: 3_000 })] },
      { when: { advanceTo: minutes(12) }, then: [exports] },
      { when: viewed(minutes(39)), then: [engagement({ sessions: 1, dwell_ms: 29 * 60_000 })] },
      { when: viewed(minutes(70)) },
      { when: viewed(minutes(70) + 2_000), then: [engagement({ sessions: 2 })] },
    ],
  },
  {
    it: 'counts a look as the same session up to 30 minutes after the last, a glance from 2 seconds on or when something is touched (5.2.3)',
    play: [
      ...made,
      { when: viewed(minutes(1)) },
      { when: viewed(minutes(1) + 1_999) },
      { when: viewed(minutes(1) + 2_000), then: [engagement({ sessions: 1, viewers: 1 })] },
      { when: { advanceTo: minutes(3) }, then: [exports] },
      { when: viewed(minutes(31) + 2_000), then: [engagement({ sessions: 1 })] },
      { when: viewed(minutes(61) + 2_001) },
      { when: clicked(minutes(61) + 2_002), then: [engagement({ sessions: 2 })] },
      { when: viewed(minutes(62), 'w') },
      {
        when: stepped(minutes(62) + 1, '1', 0, 'w'),
        then: [engagement({ sessions: 3, viewers: 2 }), { type: 'demo_engaged' }],
      },
    ],
  },
  {
    it: 'engages at 60 and not below, counts five minutes and two further sessions at most, and reaches 100 (5.2.4)',
    play: [
      ...made,
      { when: stepped(seconds(10), '1', 228_000), then: [engagement({ score: 39 })] },
      { when: clicked(seconds(11)), then: [engagement({ score: 59 })] },
      {
        when: stepped(seconds(12), '1', 12_000),
        then: [engagement({ score: 60 }), { type: 'demo_engaged', payload: { score: 60 } }],
      },
      { when: stepped(seconds(13), '2', 600_000), then: [engagement({ score: 85, dwell_ms: 840_000 })] },
      { when: { advanceTo: seconds(100) }, then: [exports] },
      { when: clicked(days(1)), then: [engagement({ score: 93, sessions: 2 })] },
      { when: clicked(days(2)), then: [engagement({ score: 100, sessions: 3 })] },
      { when: clicked(days(3)), then: [engagement({ score: 100, sessions: 4 })] },
    ],
  },
  {
    it: 'counts two further sessions and no more (5.2.4)',
    play: [
      ...made,
      ...[1, 2, 3, 4].flatMap((n) => [
        { when: viewed(days(n)), then: n === 2 ? [exports] : [] },
        {
          when: viewed(days(n) + 2_000),
          then: [engagement({ sessions: n, score: [0, 8, 16, 16][n - 1] })],
        },
      ]),
    ],
  },
  {
    it: 'is engaged once, when the score passes 60 (5.2.4)',
    play: [
      ...made,
      { when: stepped(seconds(10), '1', 60_000), then: [engagement({ score: 25, steps_completed: 1 })] },
      { when: stepped(seconds(40), '2', 60_000), then: [engagement({ score: 50, dwell_ms: 120_000 })] },
      {
        when: clicked(seconds(41)),
        then: [
          engagement({ score: 70, cta_clicked: 'yes' }),
          { type: 'demo_engaged', payload: { score: 70, sessions: 1 } },
        ],
      },
      { when: { advanceTo: seconds(100) }, then: [exports] },
      { when: viewed(days(1)) },
      { when: viewed(days(1) + 5_000), then: [engagement({ sessions: 2 })] },
    ],
  },
  {
    it: 'tells that nobody looked after 3 and 7 days, then no more (5.2.5)',
    play: [
      ...made,
      { when: { advanceTo: days(3) + 4_000 - 1 } },
      { when: { advanceTo: days(3) + 4_000 }, then: [{ type: 'demo_unviewed', payload: { days: 3, n: 1 } }] },
      { when: { advanceTo: days(7) + 4_000 }, then: [{ type: 'demo_unviewed', payload: { days: 7, n: 2 } }] },
      { when: { advanceTo: days(13) } },
    ],
  },
  {
    it: 'tells no more once somebody looked (5.2.5)',
    play: [
      ...made,
      { when: { advanceTo: days(3) + 4_000 }, then: [{ type: 'demo_unviewed' }] },
      { when: stepped(days(4), '1', 5_000), then: [engagement({ sessions: 1 })] },
      { when: { advanceTo: days(4) + 60_000 }, then: [exports] },
      { when: { advanceTo: days(13) } },
    ],
  },
  {
    it: 'sends what viewers did to analytics as one batch, under ids that follow from the events (5.2.8)',
    play: [
      ...made,
      { when: { ...viewed(seconds(10)), eventId: 'look' } },
      { when: { ...viewed(seconds(10)), eventId: 'look' } },
      { when: { ...clicked(seconds(15)), eventId: 'click' }, then: [engagement({ sessions: 1, score: 20 })] },
      {
        when: { advanceTo: seconds(70) },
        then: [
          called('mixpanel', 'import', {
            attempt: 1,
            request: {
              events: [
                {
                  event: 'demo_viewed',
                  properties: {
                    time: seconds(10),
                    distinct_id: 'v',
                    $insert_id: insertIdOf('look'),
                    demo_id: last('demo_published', 'demo_id'),
                    detail: 'desktop',
                  },
                },
                {
                  event: 'demo_cta_clicked',
                  properties: {
                    time: seconds(15),
                    distinct_id: 'v',
                    $insert_id: insertIdOf('click'),
                    demo_id: last('demo_published', 'demo_id'),
                    detail: 'pilot',
                  },
                },
              ],
            },
          }),
        ],
      },
      {
        when: refusal(seconds(71)),
        then: [called('mixpanel', 'import', { attempt: 2, call_id: last('call_requested', 'call_id') })],
      },
      {
        when: answer(seconds(80), { imported: 2 }),
        then: [
          {
            type: 'demo_analytics_exported',
            payload: { insert_ids: [insertIdOf('look'), insertIdOf('click')], dropped: null },
          },
        ],
      },
    ],
  },
]

const givenUp: Scenario = {
  it: 'says how much could not be exported, and goes on (5.2.8)',
  play: [
    ...made,
    { when: viewed(seconds(10)) },
    { when: { advanceTo: seconds(70) }, then: [exports] },
    {
      when: refusal(seconds(71), { class: 'invalid', status: 400 }),
      then: [{ type: 'demo_analytics_exported', payload: { insert_ids: [], dropped: 1 } }],
    },
    { when: viewed(seconds(100)), then: [engagement({ sessions: 1 })] },
    { when: { advanceTo: seconds(160) }, then: [exports] },
  ],
}

export const scenarios: readonly Scenario[] = [...making, ...viewing, givenUp]
