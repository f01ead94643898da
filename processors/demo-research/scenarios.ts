/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import type { Scenario } from '../define.ts'
import { last } from '../define.ts'
import {
  answer,
  clicked,
  stepped,
  asksModel,
  called,
  client,
  finding,
  made,
  renders,
  requested,
  researched,
  seconds,
  written,
} from '../demo/scenario-data.ts'

export const scenarios: readonly Scenario[] = [
  {
    it: 'asks for a demo when a session is complete, once for each session (5.2.1, 4.5.1)',
    play: [...made, { when: { ...researched(seconds(9)), eventId: 'again' } }],
  },
  {
    it: 'shows what was found to the model, and neither what is doubtful nor what was withdrawn (5.2.1)',
    play: [
      { when: client },
      { when: finding('f1', { employees: 120 }) },
      { when: finding('f2', { employees: 7 }, 0.41) },
      { when: finding('f3', { founded: 1990 }) },
      { when: finding('f3', { founded: 1990 }, 0) },
      {
        when: researched(),
        then: [
          requested,
          called('llm', 'complete', {
            request: {
              messages: [
                {
                  role: 'user',
                  content: JSON.stringify({
                    company_name: 'Acme',
                    industry: 'Logistics',
                    persona: null,
                    findings: [{ finding_id: 'f1', finding_type: 'company_info', data: { employees: 120 } }],
                  }),
                },
              ],
            },
          }),
        ],
      },
    ],
  },
  {
    it: 'asks for no other demo of a client that was taken with one',
    play: [
      ...made,
      { when: stepped(seconds(10), '1', 300_000), then: [{ type: 'demo_engagement_changed' }] },
      { when: clicked(seconds(11)), then: [{ type: 'demo_engagement_changed' }, { type: 'demo_engaged' }] },
      { when: researched(seconds(50), 's2') },
    ],
  },
  {
    it: 'makes a new version of the same demo from a new session (5.2.6)',
    play: [
      ...made,
      {
        when: researched(seconds(100), 's2'),
        then: [{ type: 'demo_requested', payload: { research_session_id: 's2' } }, asksModel],
      },
      {
        when: answer(seconds(101), { json: written, model: 'm' }),
        then: [
          {
            ...renders,
            payload: { ...renders.payload, request: { version: 2, demo_id: last('demo_published', 'demo_id') } },
          },
        ],
      },
    ],
  },
]
