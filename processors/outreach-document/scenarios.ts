import { documentEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { days, known, letter, seconds } from '../outreach/scenario-data.ts'

const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
const say = (type: string, payload: Readonly<Record<string, unknown>>, at: number): ScenarioInput => ({
  topic: documentEvents,
  type,
  payload: { document_id: 'doc1', ...payload },
  at,
})
const generated = say('document_generated', { document_type: 'nda', version: 1, template_version: 1, ref }, seconds(10))
const sent = (at: number, envelope_id = 'env1', roles: readonly string[] = ['client', 'provider']): ScenarioInput =>
  say(
    'envelope_sent',
    {
      version: 1,
      envelope_id,
      recipients: roles.map((role, order) => ({ role, order: order + 1 })),
      expires_at: days(30),
    },
    at,
  )
const reminder = (n: number, at: number, recipient = 'client') => say('reminder_due', { n, recipient }, at)
const toSign = (envelope = 'env1') =>
  letter(`document:${envelope}`, 'document_to_sign', { document: 'non-disclosure agreement', expires: '2026-01-31' })
const reminded = (n: number) =>
  letter(`document_reminder:env1:${String(n)}`, 'document_reminder', { document: 'non-disclosure agreement' })

export const scenarios: readonly Scenario[] = [
  {
    it: 'tells of a document that is there to be signed, and reminds as often as it is due (5.3.7)',
    play: [
      ...known,
      { when: generated },
      { when: sent(seconds(20)), then: toSign() },
      { when: reminder(1, days(3)), then: reminded(1) },
      { when: reminder(1, days(3) + 1) },
      { when: reminder(2, days(7)), then: reminded(2) },
    ],
  },
  {
    it: 'reminds the client only, and only of what still can be signed (5.3.7)',
    play: [
      ...known,
      { when: generated },
      { when: sent(seconds(20)), then: toSign() },
      { when: reminder(1, days(3), 'provider') },
      { when: say('document_voided', { document_type: 'nda', reason: 'changed' }, days(4)) },
      { when: reminder(2, days(7)) },
      { when: sent(days(8), 'env2'), then: toSign('env2') },
    ],
  },
  {
    it: 'says nothing of what only we sign, nor of what it does not know',
    play: [
      ...known,
      { when: reminder(1, seconds(2)) },
      {
        when: say(
          'document_signed',
          {
            document_type: 'nda',
            version: 1,
            envelope_id: 'e',
            signed_ref: ref,
            certificate_ref: ref,
            signed_at: seconds(3),
          },
          seconds(3),
        ),
      },
      { when: sent(seconds(20), 'env1', ['provider']) },
    ],
  },
]
