import { communicationEvents, demoEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { days, known, letter, seconds, start } from '../outreach/scenario-data.ts'

const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
const url = 'https://demo.example/d/b1c5'

const published = (at: number, eventId: string, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  topic: demoEvents,
  type: 'demo_published',
  payload: { demo_id: 'd1', version: 1, share_token: 'b1c5', url, qr_ref: ref, expires_at: days(14), ...more },
  at,
  eventId,
})
const unviewed = (at: number, n: number): ScenarioInput => ({
  topic: demoEvents,
  type: 'demo_unviewed',
  payload: { demo_id: 'd1', days: 3, n },
  at,
  eventId: `unviewed-${String(n)}`,
})
const ended = (type: string, at: number) => ({
  topic: demoEvents,
  type,
  payload: { demo_id: 'd1', ...(type === 'demo_unpublished' ? { reason: 'compensation' } : {}) },
  at,
  eventId: type === 'demo_expired' ? 'expired' : type,
})
const engaged = {
  topic: demoEvents,
  type: 'demo_engaged',
  payload: { demo_id: 'd1', score: 72, sessions: 2 },
  at: days(1),
} satisfies ScenarioInput
const wish = (subscribed: boolean, at: number): ScenarioInput => ({
  topic: communicationEvents,
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel: 'email', subscribed, preference_source: 'unsubscribe_link' },
  at,
})
const sent: ScenarioInput = { answer: { status: 202, output: { provider_id: 'sg-1' } }, at: seconds(11) }
const link = letter('demo_link:published-1', 'demo_link', { url, expires: '2026-01-15' })
const nudge = (n: number) => {
  const key = `demo_nudge:unviewed-${String(n)}`
  return letter(key, 'demo_nudge', { url, expires: '2026-01-15' }, undefined, 'lifecycle')
}
const word = (key: string) => letter(key, key.slice(0, key.indexOf(':')), {}, undefined, 'lifecycle')
const wentOut = [{ type: 'message_sent', payload: { contact_id: 'u1' } }]

export const scenarios: readonly Scenario[] = [
  {
    it: 'sends the link once; a new version stands under it',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: sent, then: wentOut },
      { when: published(seconds(20), 'published-2', { version: 2, expires_at: days(15) }) },
    ],
  },
  {
    it: 'sends a fresh link when an expired demo is published again',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: ended('demo_expired', days(14)), then: word('demo_expired:expired') },
      {
        when: published(days(15), 'published-2', { version: 2, expires_at: days(29) }),
        then: letter('demo_link:published-2', 'demo_link', { url }),
      },
      { when: { advanceTo: days(28) } },
    ],
  },
  {
    it: 'writes when a demo ran out, once more after a week, then no more (4.5.7)',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: sent, then: wentOut },
      { when: ended('demo_expired', days(14)), then: word('demo_expired:expired') },
      { when: ended('demo_expired', days(14)) },
      { when: { advanceTo: days(21) - 1 } },
      {
        when: { advanceTo: days(21) },
        then: [
          { type: 'message_requested', payload: { template: 'demo_last_word', purpose: 'lifecycle' } },
          { type: 'call_requested', payload: { provider: 'sendgrid' } },
        ],
      },
      { when: { advanceTo: days(60) } },
    ],
  },
  ...[ended('demo_unpublished', days(15)), { ...engaged, at: days(15) }].map((after) => ({
    it: `leaves it at the first word after ${after.type} (4.5.7)`,
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: ended('demo_expired', days(14)), then: word('demo_expired:expired') },
      { when: after },
      { when: { advanceTo: days(60) } },
    ],
  })),
  {
    it: 'writes no more of demos once one was taken with',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      {
        when: engaged,
      },
      { when: ended('demo_expired', days(14)) },
      { when: published(days(90), 'published-2', { version: 2 }) },
    ],
  },
  {
    it: 'nudges as often as the demo was not viewed: who signed up agreed to that (5.2.5)',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: sent, then: wentOut },
      { when: unviewed(days(3), 1), then: nudge(1) },
      { when: unviewed(days(7), 2), then: nudge(2) },
    ],
  },
  {
    it: 'nudges nobody who does not want it, nor to a demo that is gone',
    play: [
      ...known,
      { when: published(seconds(10), 'published-1'), then: link },
      { when: wish(false, seconds(12)) },
      {
        when: unviewed(days(3), 1),
        then: [
          nudge(1)[0]!,
          { type: 'message_suppressed', payload: { message_id: 'demo_nudge:unviewed-1', reason: 'unsubscribed' } },
        ],
      },
      { when: ended('demo_unpublished', days(4)) },
      { when: unviewed(days(7), 2) },
    ],
  },
  {
    it: 'minds its own demo alone',
    play: [
      { when: unviewed(start, 1) },
      ...known,
      { when: published(seconds(10), 'published-1', { demo_id: 'd2' }), then: link },
      { when: unviewed(days(3), 2) },
      { when: ended('demo_expired', days(4)) },
    ],
  },
]
