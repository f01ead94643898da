import { authEvents } from '../../schemas/index.ts'
import type { Scenario } from '../define.ts'
import { between } from '../define.ts'
import { asked, called, created, seconds, start, started } from '../research/scenario-data.ts'

export const scenarios: readonly Scenario[] = [
  {
    it: 'starts research for a new organization and asks for everything in one call (4.5.1)',
    play: [
      {
        when: created,
        then: [
          {
            type: 'research_started',
            payload: { plan: ['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'] },
          },
          called('answer', {
            provider: 'perplexity',
            attempt: 1,
            not_before: start,
            request: {
              company_name: 'Acme',
              domain: 'acme.example',
              industry: 'Logistics',
              fields: ['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'],
            },
          }),
        ],
      },
    ],
  },
  {
    it: 'starts research once, even if the organization is told twice',
    play: [
      { when: { ...created, eventId: 'one-and-the-same' }, then: [started, called('answer')] },
      { when: { ...created, eventId: 'one-and-the-same' } },
      { when: { ...created, at: seconds(1) } as typeof created },
    ],
  },
  {
    it: 'starts nothing for an organization that was researched on request',
    play: [
      { when: asked(start), then: [started, called('answer')] },
      { when: { ...created, at: seconds(1) } as typeof created },
    ],
  },
  {
    it: 'researches a company of which only the name is known',
    play: [
      {
        when: {
          topic: authEvents,
          type: 'organization_created',
          payload: { company_name: 'Acme', owner_user_id: 'u1' },
          at: start,
        },
        then: [
          started,
          called('answer', { request: { domain: null, industry: null }, not_before: between(start, start) }),
        ],
      },
    ],
  },
  {
    it: 'is not started by what else happens to an organization',
    play: [
      { when: { topic: authEvents, type: 'email_verified', payload: { user_id: 'u1' }, at: start } },
      { when: { topic: authEvents, type: 'organization_suspended', payload: { reason: 'payment_failed' }, at: start } },
    ],
  },
]
