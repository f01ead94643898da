/** What a visitor's page tells, read strictly, and the event it becomes. */

import { z } from 'zod'
import type { AnyEventTopic } from '../../schemas/index.ts'
import { checkPayload, demoEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Device } from './device.ts'
import type { SharedDemo } from './shared-demo.ts'

export const sessionId = z
  .string()
  .regex(/^[A-Za-z0-9-]{8,64}$/, 'expected 8 to 64 letters, digits and -')
  .meta({ description: 'Made by the page, for as long as it is open' })

const longestDwellMs = 24 * 60 * 60 * 1000

export const beacon = z.strictObject({
  type: z.enum(['view', 'step', 'cta', 'ping']),
  session_id: sessionId,
  /** From 1. */
  step: z.union([z.int().min(1).max(1_000), z.string().regex(/^[1-9]\d{0,2}$/)]).optional(),
  dwell_ms: z.number().min(0).max(longestDwellMs).optional(),
  cta: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .optional(),
})

export const question = z.strictObject({ session_id: sessionId, text: z.string().trim().min(1).max(2_000) })

export interface DemoEvent {
  readonly topic: AnyEventTopic
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
}

export interface Viewer {
  readonly hash: string
  readonly device: Device
}

/** A robot's page tells that a robot was there, whatever it says. @throws ApiProblem 422 */
export function eventOf(demo: SharedDemo, viewer: Viewer, told: z.infer<typeof beacon>): DemoEvent {
  const { demoId: demo_id, steps } = demo
  const who = { demo_id, viewer_hash: viewer.hash, session_id: told.session_id }
  if (viewer.device !== 'bot' && told.type === 'cta')
    return demoEvent('demo_cta_clicked', { ...who, cta: told.cta ?? 'main' })
  if (viewer.device === 'bot' || told.type !== 'step')
    return demoEvent('demo_viewed', { ...who, device: viewer.device })
  const step = Number(told.step ?? 0)
  if (step < 1 || step > steps) throw new ApiProblem(422, 'invalid_field', `step: expected 1 to ${String(steps)}.`)
  return demoEvent('demo_step_completed', { ...who, step: String(step), dwell_ms: Math.round(told.dwell_ms ?? 0) })
}

export const questionEvent = (
  { demoId: demo_id }: SharedDemo,
  viewer: Viewer,
  message_id: string,
  { session_id, text }: z.infer<typeof question>,
): DemoEvent =>
  demoEvent('demo_simulation_message', {
    demo_id,
    session_id,
    message_id,
    viewer_hash: viewer.hash,
    role: 'visitor',
    excerpt: text,
    finding_ids: [],
  })

function demoEvent(type: keyof typeof demoEvents.events & string, payload: DemoEvent['payload']): DemoEvent {
  const checked = checkPayload(demoEvents, type, payload)
  if (checked.ok) return { topic: demoEvents, type, payload: checked.payload }
  const { path, code, message } = checked.issues[0]!
  throw new ApiProblem(422, code, `${path}: ${message}.`)
}
