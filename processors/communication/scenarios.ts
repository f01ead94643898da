import { communicationEvents } from '../../schemas/index.ts'
import type { Expected, Scenario, ScenarioInput } from '../define.ts'
import { between, last } from '../define.ts'

const start = 1_767_225_600_000
const seconds = (n: number): number => start + n * 1_000
const hours = (n: number): number => seconds(n * 3_600)

const requested = (at: number, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  topic: communicationEvents,
  type: 'message_requested',
  payload: {
    contact_id: 'u1',
    message_id: 'm1',
    purpose: 'transactional',
    channel: 'email',
    template: 'verify_email',
    data_ref: 'auth.codes:c1',
    dedupe_key: 'verify:c1',
    to: null,
    data: { first_name: 'Ada' },
    ...more,
  },
  at,
})

const called = (more: Readonly<Record<string, unknown>> = {}): Expected => ({
  type: 'call_requested',
  payload: { contact_id: 'u1', provider: 'sendgrid', operation: 'send', ...more },
})
const sent = (message_id = 'm1'): Expected => ({
  type: 'message_sent',
  payload: { contact_id: 'u1', message_id, channel: 'email', provider_id: 'sg-1' },
})
const failed: Expected = { type: 'delivery_updated', payload: { message_id: 'm1', status: 'failed' } }
const suppressed = (message_id: string, reason: string): Expected => ({
  type: 'message_suppressed',
  payload: { contact_id: 'u1', message_id, reason },
})
const wish = (at: number, subscribed: boolean, preference_source: string, channel = 'email'): ScenarioInput => ({
  topic: communicationEvents,
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel, subscribed, preference_source },
  at,
})
const outcome = (at: number, status: string): ScenarioInput => ({
  topic: communicationEvents,
  type: 'delivery_updated',
  payload: { contact_id: 'u1', message_id: 'm0', provider_event_id: 'ev1', status, at },
  at,
})
const nudge = (at: number, id: string): ScenarioInput =>
  requested(at, { purpose: 'lifecycle', message_id: id, dedupe_key: id })
const ok = (at: number): ScenarioInput => ({ answer: { status: 202, output: { provider_id: 'sg-1' } }, at })
const refused = (at: number, as: string, retry_at: number | null = null): ScenarioInput => ({
  answer: { class: as, status: 500, retry_at, error: 'refused' },
  at,
})

export const scenarios: readonly Scenario[] = [
  {
    it: 'sends a transactional message: a reference to what it carries, never the thing itself',
    play: [
      {
        when: requested(start),
        then: [
          called({
            attempt: 1,
            not_before: start,
            request: {
              template: 'verify_email',
              message_id: 'm1',
              data_ref: 'auth.codes:c1',
              to: null,
              data: { first_name: 'Ada' },
            },
          }),
        ],
      },
      { when: ok(seconds(1)), then: [sent()] },
      { when: ok(seconds(2)) },
    ],
  },
  {
    it: 'sends one message for a dedupe key in 24 hours',
    play: [
      { when: requested(start), then: [called()] },
      { when: ok(seconds(1)), then: [sent()] },
      { when: requested(hours(23), { message_id: 'm2' }), then: [suppressed('m2', 'duplicate')] },
      { when: requested(hours(25), { message_id: 'm3' }), then: [called()] },
      { when: ok(hours(25)), then: [sent('m3')] },
    ],
  },
  {
    it: 'takes a message that is delivered twice for one',
    play: [
      { when: requested(start), then: [called()] },
      { when: requested(start) },
      { when: ok(seconds(1)), then: [sent()] },
      { when: requested(start) },
    ],
  },
  {
    it: 'tries again after the time the provider asks for',
    play: [
      { when: requested(start), then: [called()] },
      {
        when: refused(seconds(1), 'retry', seconds(31)),
        then: [called({ call_id: last('call_requested', 'call_id'), attempt: 2, not_before: seconds(31) })],
      },
      { when: ok(seconds(32)), then: [sent()] },
    ],
  },
  {
    it: 'gives up after five tries and says so; the key is free again',
    play: [
      { when: requested(start), then: [called()] },
      {
        when: refused(seconds(1), 'retry'),
        then: [called({ attempt: 2, not_before: between(seconds(2), seconds(3)) })],
      },
      { when: refused(seconds(4), 'retry'), then: [called({ attempt: 3 })] },
      { when: refused(seconds(9), 'retry'), then: [called({ attempt: 4 })] },
      { when: refused(seconds(20), 'retry'), then: [called({ attempt: 5 })] },
      { when: refused(seconds(60), 'retry'), then: [failed] },
      { when: requested(seconds(90), { message_id: 'm2' }), then: [called()] },
    ],
  },
  {
    it: 'gives up at once when trying again would not help',
    play: [
      { when: requested(start), then: [called()] },
      { when: refused(seconds(1), 'invalid'), then: [failed] },
    ],
  },
  {
    it: 'sends nothing that needs a consent nobody gave',
    play: [
      { when: requested(start, { purpose: 'campaign' }), then: [suppressed('m1', 'no_consent')] },
      { when: requested(start, { purpose: 'campaign' }) },
      {
        when: requested(seconds(1), { purpose: 'lifecycle', message_id: 'm2' }),
        then: [suppressed('m2', 'no_consent')],
      },
      { when: requested(seconds(2), { message_id: 'm3' }), then: [called()] },
    ],
  },
  {
    it: 'sends what who signed up agreed to, at most three times a week, and no campaign',
    play: [
      { when: wish(start, true, 'signup') },
      { when: requested(start, { purpose: 'campaign' }), then: [suppressed('m1', 'no_consent')] },
      ...['m2', 'm3', 'm4'].map((id, n) => ({ when: nudge(hours(n), id), then: [called()] })),
      { when: requested(hours(3), { message_id: 't1' }), then: [called()] },
      { when: nudge(hours(24 * 7 - 1), 'm5'), then: [suppressed('m5', 'frequency_cap')] },
      { when: nudge(hours(24 * 7), 'm6'), then: [called()] },
    ],
  },
  {
    it: 'sends campaigns to who asked for them, and signing up changes no wish',
    play: [
      { when: wish(start, true, 'preference_page') },
      { when: wish(start, true, 'signup') },
      { when: requested(start, { purpose: 'campaign' }), then: [called()] },
      { when: wish(seconds(1), false, 'unsubscribe_link') },
      { when: wish(seconds(2), true, 'signup') },
      { when: wish(seconds(2), true, 'preference_page', 'sms') },
      { when: nudge(seconds(3), 'm2'), then: [suppressed('m2', 'unsubscribed')] },
      { when: requested(seconds(4), { message_id: 'm3', dedupe_key: 'k3' }), then: [called()] },
    ],
  },
  {
    it: 'writes nothing more to an address that bounces, and nothing unasked to who complained',
    play: [
      { when: wish(start, true, 'signup') },
      { when: outcome(seconds(1), 'complained') },
      { when: nudge(seconds(2), 'm2'), then: [suppressed('m2', 'unsubscribed')] },
      { when: requested(seconds(3)), then: [called()] },
      { when: outcome(seconds(4), 'bounced') },
      { when: requested(seconds(5), { message_id: 'm3', dedupe_key: 'k3' }), then: [suppressed('m3', 'hard_bounce')] },
    ],
  },
  {
    it: 'fails what asks for a channel that is not there',
    play: [{ when: requested(start, { channel: 'sms' }), then: [failed] }],
  },
  {
    it: 'keeps two tenants with the same ids apart',
    play: [
      { when: requested(start), then: [called()] },
      { when: { ...requested(start), tenant: 'b' } as ScenarioInput, then: [called()] },
      { when: { ...ok(seconds(1)), tenant: 'b' } as ScenarioInput, then: [sent()] },
      { when: ok(seconds(2)), then: [sent()] },
    ],
  },
]
