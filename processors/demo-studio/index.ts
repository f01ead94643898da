/** Drives a demo on its own topic: requests and answers make it, what its viewers' pages tell is counted, its time runs out. */

import { demoEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { defineProcessor, emit } from '../define.ts'
import type { Look } from '../demo/engagement.ts'
import { exportAnswered, send } from '../demo/exports.ts'
import type { DemoSettings } from '../demo/settings.ts'
import type { DemoState } from '../demo/state.ts'
import { demoState, demoTimers, disarmed, noDemo } from '../demo/state.ts'
import type { Move } from '../demo/studio.ts'
import { answered, removedAgain, wanted } from '../demo/studio.ts'
import { looked, unviewed } from '../demo/viewing.ts'

export const demoStudio = (settings: DemoSettings) =>
  defineProcessor({
    name: 'demo-studio',
    reads: demoEvents,
    writes: [demoEvents],
    state: demoState,
    timers: Object.values(demoTimers),
    handle(state, input, context) {
      if (state?.status === 'erased') return { state }
      const known = state ?? noDemo
      switch (input.event_type) {
        case '$timer':
          return state === null ? { state } : timerFired(settings, state, input.timer, context)
        case 'demo_requested': {
          const { research_session_id: session_id, persona = null } = input
          return wanted(settings, known, { session_id, persona }, context)
        }
        case 'call_answered':
          return exportAnswered(settings, known, input, context) ?? answered(settings, known, input, context)
        case 'demo_viewed':
        case 'demo_step_completed':
        case 'demo_cta_clicked':
        case 'demo_simulation_message':
          return viewed(settings, known, input, context)
        default:
          return { state }
      }
    },
  })

function timerFired(settings: DemoSettings, state: DemoState, timer: string, context: StepContext): Move {
  switch (timer) {
    case demoTimers.nudge:
      return unviewed(settings, state)
    case demoTimers.export:
      return send(settings, state, context)
    case demoTimers.removal:
      return removedAgain(settings, state, context)
    default: {
      if (state.status !== 'published') return { state }
      const expired = emit(demoEvents, 'demo_expired', { demo_id: state.demo_id })
      return { state: { ...state, status: 'expired' }, emit: [expired], timers: disarmed }
    }
  }
}

type Viewed = Extract<
  EventOf<typeof demoEvents.events>,
  { event_type: 'demo_viewed' | 'demo_step_completed' | 'demo_cta_clicked' | 'demo_simulation_message' }
>

function viewed(settings: DemoSettings, state: DemoState, event: Viewed, context: StepContext): Move {
  const look = (more: Partial<Look> & { readonly viewer: string }): Look => ({
    at: context.time,
    isRobot: false,
    touched: false,
    ...more,
  })
  switch (event.event_type) {
    case 'demo_viewed': {
      const { demo_id, viewer_hash: viewer, device } = event
      const name = { name: 'demo_viewed', detail: device }
      return looked(settings, state, demo_id, look({ viewer, isRobot: device === 'bot' }), name, context)
    }
    case 'demo_step_completed': {
      const { demo_id, viewer_hash: viewer, step, dwell_ms: dwellMs } = event
      const name = { name: 'demo_step_completed', detail: step }
      return looked(settings, state, demo_id, look({ viewer, step, dwellMs, touched: true }), name, context)
    }
    case 'demo_cta_clicked': {
      const { demo_id, viewer_hash: viewer, cta } = event
      const name = { name: 'demo_cta_clicked', detail: cta }
      return looked(settings, state, demo_id, look({ viewer, cta: true, touched: true }), name, context)
    }
    case 'demo_simulation_message': {
      if (event.role !== 'visitor') return { state }
      const { demo_id, session_id, viewer_hash } = event
      const viewer = viewer_hash ?? session_id
      const name = { name: 'demo_question_asked', detail: '' }
      return looked(settings, state, demo_id, look({ viewer, touched: true }), name, context)
    }
  }
}
