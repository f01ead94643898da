/** What a demo shows, as far as its simulated agent may speak of it. */

import type { EventOf } from '../../schemas/index.ts'
import type { demoEvents } from '../../schemas/index.ts'

export type DemoEvent = EventOf<(typeof demoEvents)['events']>
export type DemoGenerated = Extract<DemoEvent, { event_type: 'demo_generated' }>
export type DemoMessage = Extract<DemoEvent, { event_type: 'demo_simulation_message' }>

/** A sentence of the demo, and the finding it rests on. */
export interface Fact {
  readonly text: string
  readonly finding: string
}

export interface DemoContent {
  readonly company: string
  readonly headline: string
  readonly callToAction: string
  /** Sentences without a finding are neutral defaults, nothing that may be told as a fact. */
  readonly facts: readonly Fact[]
}

export function contentOf({ personalization }: DemoGenerated): DemoContent {
  const { company_name: company, headline, pain_points: points, steps, call_to_action: callToAction } = personalization
  const told = [
    ...points.map(({ text, finding_id: finding }) => ({ text, finding })),
    ...steps.map(({ title, text, finding_id: finding }) => ({ text: `${title}: ${text}`, finding })),
  ]
  const facts = told.flatMap(({ text, finding }) => (typeof finding === 'string' ? [{ text, finding }] : []))
  return { company, headline, callToAction, facts }
}
