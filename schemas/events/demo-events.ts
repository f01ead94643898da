/** Demos generated for a prospect, and what its people did with them. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { array, int, instant, json, long, oneOf, optional, personal, record, string } from '../fields.ts'
import { exampleRef, ref } from './ref.ts'

const device = () => oneOf('desktop', 'mobile', 'tablet', 'bot', 'unknown')

/** A sentence of the demo and the finding it rests on; without one it is a neutral default. */
const claim = () => record('Claim', { text: string(), finding_id: optional(string()) })
const tourStep = () => record('TourStep', { title: string(), text: string(), finding_id: optional(string()) })

export const demoEvents = eventTopic({
  name: 'demo_events',
  key: 'O',
  retention: 'forever',
  events: {
    demo_requested: event(
      { research_session_id: string(), persona: optional(string()), reason: optional(string()) },
      'public',
      { research_session_id: 's1', persona: 'head_of_support', reason: 'research_completed' },
    ),
    /** The content whole: what the page shows and what the simulated agent may say. Facts about the company only. */
    demo_generated: event(
      {
        demo_id: string(),
        version: int(),
        research_session_id: string(),
        ref: ref(),
        personalization: record('Personalization', {
          company_name: string(),
          industry: optional(string()),
          headline: string(),
          pain_points: array(claim()),
          steps: array(tourStep()),
          call_to_action: string(),
        }),
        /** Which model wrote it; `none` for the neutral default. */
        model: string(),
      },
      'internal',
      {
        demo_id: 'd1',
        version: 1,
        research_session_id: 's1',
        ref: exampleRef,
        personalization: {
          company_name: 'Acme',
          industry: 'Logistics',
          headline: 'Support that keeps up with every shipment',
          pain_points: [{ text: 'Customers ask where their parcel is.', finding_id: 'f1' }],
          steps: [{ title: 'A question comes in', text: 'The agent finds the shipment.', finding_id: null }],
          call_to_action: 'Talk about a pilot',
        },
        model: 'gpt-6-luna',
      },
    ),
    /** Whoever has the token sees the demo: token and address are personal. */
    demo_published: event(
      {
        demo_id: string(),
        version: int(),
        share_token: personal(),
        url: personal(),
        qr_ref: ref(),
        expires_at: instant(),
      },
      'internal',
      {
        demo_id: 'd1',
        version: 1,
        share_token: 'b1c5…',
        url: 'https://demo.example/d/b1c5',
        qr_ref: exampleRef,
        expires_at: 1_768_435_200_000,
      },
    ),
    demo_generation_failed: event({ demo_id: string(), reason: string() }, 'internal', {
      demo_id: 'd1',
      reason: 'exhausted',
    }),

    /** What a viewer's page tells. `viewer_hash` is the same for one viewer of one tenant, and tells nothing else. */
    demo_viewed: event(
      { demo_id: string(), viewer_hash: string(), session_id: string(), device: device() },
      'webhook',
      { demo_id: 'd1', viewer_hash: '5f2c', session_id: 'v1', device: 'mobile' },
    ),
    demo_step_completed: event(
      { demo_id: string(), viewer_hash: string(), session_id: string(), step: string(), dwell_ms: long() },
      'webhook',
      { demo_id: 'd1', viewer_hash: '5f2c', session_id: 'v1', step: '1', dwell_ms: 14_000 },
    ),
    /** `role` visitor comes from the page, assistant from the simulated agent; `message_id` is the visitor's. */
    demo_simulation_message: event(
      {
        demo_id: string(),
        session_id: string(),
        message_id: string(),
        /** Of the visitor who asked. */
        viewer_hash: optional(string()),
        role: oneOf('visitor', 'assistant'),
        excerpt: personal(),
        /** Findings the answer rests on. */
        finding_ids: array(string()),
      },
      'webhook',
      {
        demo_id: 'd1',
        session_id: 'v1',
        message_id: 'm1',
        role: 'visitor',
        excerpt: 'Does it work with our shop?',
        finding_ids: [],
      },
    ),
    demo_cta_clicked: event(
      { demo_id: string(), viewer_hash: string(), session_id: string(), cta: string() },
      'webhook',
      { demo_id: 'd1', viewer_hash: '5f2c', session_id: 'v1', cta: 'pilot' },
    ),

    /** Once per demo: the score passed the bar. */
    demo_engaged: event({ demo_id: string(), score: int(), sessions: int() }, 'internal', {
      demo_id: 'd1',
      score: 72,
      sessions: 2,
    }),
    /** A session of views came to its end, or the score moved: the analytics of the demo as they stand. */
    demo_engagement_changed: event(
      {
        demo_id: string(),
        score: int(),
        sessions: int(),
        viewers: int(),
        steps_completed: int(),
        dwell_ms: long(),
        cta_clicked: oneOf('yes', 'no'),
        bots_ignored: int(),
      },
      'internal',
      {
        demo_id: 'd1',
        score: 41,
        sessions: 1,
        viewers: 1,
        steps_completed: 3,
        dwell_ms: 94_000,
        cta_clicked: 'no',
        bots_ignored: 1,
      },
    ),
    /** Published and not looked at for `days`: a message to its reader is due. */
    demo_unviewed: event({ demo_id: string(), days: int(), n: int() }, 'internal', { demo_id: 'd1', days: 3, n: 1 }),
    demo_expired: event({ demo_id: string() }, 'internal', { demo_id: 'd1' }),
    /** Also the answer to compensation: the pages have a delete marker, the link answers 410. */
    demo_unpublished: event({ demo_id: string(), reason: string() }, 'internal', {
      demo_id: 'd1',
      reason: 'compensation',
    }),
    /** Its pages could not be taken down; it is tried again. */
    demo_removal_failed: event({ demo_id: string(), reason: string(), retry_at: instant() }, 'internal', {
      demo_id: 'd1',
      reason: 'retry',
      retry_at: 1_767_229_200_000,
    }),
    /** What was exported to product analytics, for the record; `insert_ids` deduplicate there. */
    demo_analytics_exported: event(
      {
        demo_id: string(),
        insert_ids: json<readonly string[]>(),
        /** How many were given up, where they could not be exported. */
        dropped: optional(int()),
      },
      'internal',
      {
        demo_id: 'd1',
        insert_ids: ['9f86d081-884c-7d65-9a2f-eaa0c55ad015'],
      },
    ),
    ...callEvents,
  },
})
