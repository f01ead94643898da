/** The link to a demo for who asked for it, a nudge while nobody looks, and word of one that ran out before it had engaged anybody. */

import { communicationEvents, demoEvents } from '../../schemas/index.ts'
import type { Step, StepContext } from '../define.ts'
import { defineProcessor } from '../define.ts'
import type { OutreachState } from '../outreach/state.ts'
import { nothingYet, outreachState } from '../outreach/state.ts'
import { dayOf, write } from '../outreach/write.ts'

const timer = 'demo_nurture'
/** From the first word of a demo that ran out to the last. */
const lastWordAfterMs = 7 * 24 * 60 * 60 * 1000

export const outreachDemo = () =>
  defineProcessor({
    name: 'outreach-demo',
    reads: demoEvents,
    writes: [communicationEvents],
    state: outreachState,
    timers: [timer],
    handle(state, input, context) {
      if (state?.closed === true) return { state }
      const known = state ?? nothingYet
      switch (input.event_type) {
        case 'demo_published': {
          const { demo_id, expires_at } = input
          const url = typeof input.url === 'string' ? input.url : null
          // A new version stands under the link that was written already; who was taken with it needs no other.
          const isToldOf =
            known.demo?.demo_id === demo_id && known.demo.url === url && known.demo.expires_at > context.time
          const next = { ...known, demo: { demo_id, url, expires_at } }
          if (url === null || isToldOf || known.engaged) return { state: next, timers: { [timer]: null } }
          const data = { url, expires: dayOf(expires_at) }
          const letter = {
            key: `demo_link:${context.eventId}`,
            template: 'demo_link',
            purpose: 'transactional',
            data,
          } as const
          return { ...write(next, letter, context), timers: { [timer]: null } }
        }
        case 'demo_engaged':
          return { state: { ...known, engaged: true }, timers: { [timer]: null } }
        case 'demo_unviewed': {
          const { demo } = known
          if (demo == null || demo.demo_id !== input.demo_id || typeof demo.url !== 'string') return { state }
          const data = { url: demo.url, expires: dayOf(demo.expires_at) }
          return write(
            known,
            { key: `demo_nudge:${context.eventId}`, template: 'demo_nudge', purpose: 'lifecycle', data },
            context,
          )
        }
        case 'demo_expired': {
          if (known.engaged || known.demo?.demo_id !== input.demo_id) return { state }
          return { ...ranOut(known, 'demo_expired', context), timers: { [timer]: context.time + lastWordAfterMs } }
        }
        case '$timer':
          return known.demo == null || known.engaged ? { state } : ranOut(known, 'demo_last_word', context)
        case 'demo_unpublished':
          return state?.demo?.demo_id === input.demo_id
            ? { state: { ...state, demo: null }, timers: { [timer]: null } }
            : { state }
        default:
          return { state }
      }
    },
  })

const ranOut = (state: OutreachState, template: string, context: StepContext): Step<OutreachState> =>
  write(state, { key: `${template}:${context.eventId}`, template, purpose: 'lifecycle', data: {} }, context)
