/** The link to a demo for who asked for it, and a nudge while nobody looks. */

import { communicationEvents, demoEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { nothingYet, outreachState } from '../outreach/state.ts'
import { dayOf, write } from '../outreach/write.ts'

export const outreachDemo = () =>
  defineProcessor({
    name: 'outreach-demo',
    reads: demoEvents,
    writes: [communicationEvents],
    state: outreachState,
    handle(state, input, context) {
      if (state?.closed === true) return { state }
      const known = state ?? nothingYet
      switch (input.event_type) {
        case 'demo_published': {
          const { demo_id, expires_at } = input
          const url = typeof input.url === 'string' ? input.url : null
          // A new version stands under the link that was written already; who was taken with it needs no other.
          const isToldOf = known.demo?.demo_id === demo_id && known.demo.url === url
          const next = { ...known, demo: { demo_id, url, expires_at } }
          if (url === null || isToldOf || known.engaged) return { state: next }
          const data = { url, expires: dayOf(expires_at) }
          return write(
            next,
            { key: `demo_link:${context.eventId}`, template: 'demo_link', purpose: 'transactional', data },
            context,
          )
        }
        case 'demo_engaged':
          return { state: { ...known, engaged: true } }
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
        case 'demo_expired':
        case 'demo_unpublished':
          return state?.demo?.demo_id === input.demo_id ? { state: { ...state, demo: null } } : { state }
        default:
          return { state }
      }
    },
  })
