/**
 * Messages to people, and the experiments that choose among them. What concerns one contact is keyed by the contact; what
 * concerns an experiment as a whole is keyed by the experiment.
 */

import { callEventsKeyedBy, event, eventTopic } from '../envelope.ts'
import {
  array,
  boolean,
  double,
  instant,
  int,
  json,
  long,
  oneOf,
  optional,
  personal,
  personalJson,
  string,
} from '../fields.ts'

const channel = () => oneOf('email', 'sms', 'in_app')

export const communicationEvents = eventTopic({
  name: 'communication_events',
  key: { entity: 'contact_id', orEntity: 'experiment_id' },
  retention: 'forever',
  events: {
    /**
     * `data_ref` names what is read only when the message is sent, such as a code (`auth.codes:<id>`): a secret never
     * travels. `data` holds the template's other values.
     */
    message_requested: event(
      {
        contact_id: string(),
        message_id: string(),
        purpose: oneOf('transactional', 'lifecycle', 'campaign'),
        channel: optional(channel()),
        template: string(),
        data_ref: optional(string()),
        dedupe_key: string(),
        to: optional(personal()),
        data: optional(personalJson()),
      },
      'internal',
      {
        contact_id: 'u1',
        message_id: 'm1',
        purpose: 'transactional',
        channel: 'email',
        template: 'verify_email',
        data_ref: 'auth.codes:c1',
        dedupe_key: 'verify:c1',
        to: 'ada@acme.example',
        data: { first_name: 'Ada' },
      },
    ),
    message_suppressed: event(
      {
        contact_id: string(),
        message_id: string(),
        reason: oneOf('unsubscribed', 'quiet_hours', 'frequency_cap', 'hard_bounce', 'no_consent', 'duplicate'),
      },
      'internal',
      { contact_id: 'u1', message_id: 'm2', reason: 'duplicate' },
    ),
    message_sent: event(
      { contact_id: string(), message_id: string(), channel: channel(), provider_id: string() },
      'internal',
      { contact_id: 'u1', message_id: 'm1', channel: 'email', provider_id: 'sg-14c5d75ce93' },
    ),
    delivery_updated: event(
      {
        contact_id: string(),
        message_id: string(),
        provider_event_id: string(),
        status: oneOf('delivered', 'deferred', 'bounced', 'dropped', 'opened', 'clicked', 'failed', 'complained'),
        at: instant(),
      },
      'webhook',
      { contact_id: 'u1', message_id: 'm1', provider_event_id: 'ev1', status: 'delivered', at: 1_767_225_601_000 },
    ),
    /** `preference_source` says where the wish was expressed: a link, a reply, an import. */
    contact_preference_changed: event(
      { contact_id: string(), channel: channel(), subscribed: boolean(), preference_source: string() },
      'public',
      { contact_id: 'u1', channel: 'email', subscribed: false, preference_source: 'unsubscribe_link' },
    ),

    experiment_started: event(
      {
        experiment_id: string(),
        kind: oneOf('bandit', 'abn'),
        arms: array(string()),
        metric: string(),
        cohort_id: optional(string()),
        policy: json(),
      },
      'internal',
      { experiment_id: 'x1', kind: 'bandit', arms: ['short', 'long'], metric: 'clicked', policy: { floor: 0.05 } },
    ),
    arm_assigned: event(
      {
        contact_id: string(),
        experiment_id: string(),
        unit_id: string(),
        arm: string(),
        probability: double(),
        epoch: int(),
      },
      'internal',
      { contact_id: 'u1', experiment_id: 'x1', unit_id: 'u1', arm: 'short', probability: 0.5, epoch: 0 },
    ),
    reward_observed: event(
      {
        contact_id: string(),
        experiment_id: string(),
        unit_id: string(),
        arm: string(),
        reward: double(),
        delay_ms: long(),
      },
      'internal',
      { contact_id: 'u1', experiment_id: 'x1', unit_id: 'u1', arm: 'short', reward: 1, delay_ms: 60_000 },
    ),
    posterior_updated: event(
      {
        experiment_id: string(),
        arm: string(),
        alpha: double(),
        beta: double(),
        weight: double(),
        p_best: double(),
      },
      'internal',
      { experiment_id: 'x1', arm: 'short', alpha: 12, beta: 40, weight: 0.6, p_best: 0.71 },
    ),
    experiment_decided: event(
      {
        experiment_id: string(),
        winner: optional(string()),
        reason: string(),
        p_best: double(),
        expected_loss: double(),
      },
      'internal',
      { experiment_id: 'x1', winner: 'short', reason: 'expected_loss', p_best: 0.97, expected_loss: 0.0004 },
    ),
    srm_detected: event({ experiment_id: string(), p_value: double() }, 'internal', {
      experiment_id: 'x1',
      p_value: 0.0003,
    }),
    ...callEventsKeyedBy('contact_id'),
  },
})
