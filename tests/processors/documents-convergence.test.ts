/** The documents service reads five topics; in whatever order it reads them, it says the same and stands the same. */

import { describe } from 'vitest'
import { documentsService } from '../../processors/index.ts'
import { created, engaged, ref, researched, start, volume } from '../../processors/documents/scenario-data.ts'
import type { Told } from '../../processors/scenario.ts'
import { scenarioEvent } from '../../processors/scenario.ts'
import { documentEvents, uuidv5 } from '../../schemas/index.ts'
import type { History } from '../contracts/processor.ts'
import { convergence } from '../contracts/processor.ts'

type Said = History['said'][number]
const said = (...inputs: readonly unknown[]): readonly Said[] => inputs as readonly Said[]

const event = (cause: Told, type: string, payload: Readonly<Record<string, unknown>>): Told => {
  const id = uuidv5(`${type} after ${cause.event.event_id}`)
  return {
    topic: documentEvents,
    event: scenarioEvent('a', type, payload, start, id, { type: 'provider', id: 'p' }),
  }
}

/** A renderer, and a signature service whose signers sign at once: its webhook comes before or after its answer. */
const world =
  (webhookFirst: boolean) =>
  (told: Told): readonly Told[] => {
    const { event_type, call_id, provider, operation, attempt, request } = told.event
    if (event_type !== 'call_requested') return []
    const { document_type } = request as { readonly document_type: string }
    const envelope_id = `envelope-${document_type}`
    const answer = (output: unknown): Told =>
      event(told, 'call_answered', {
        ...{ call_id, provider, operation, attempt, class: 'ok', retry_at: null, status: 200, output },
        ...{ output_ref: null, error: null, cost_microdollars: 0, sandbox: 'sandbox' },
      })
    switch (operation) {
      case 'document':
        return [answer({ ref: ref(document_type) })]
      case 'create_envelope': {
        const completed = event(told, 'envelope_webhook_received', {
          ...{ envelope_id, event: 'envelope-completed', generated_at: start, delivery_id: `${envelope_id}:completed` },
          ...{ recipient: null, reason: null },
        })
        return webhookFirst ? [completed, answer({ envelope_id })] : [answer({ envelope_id }), completed]
      }
      case 'fetch_signed':
        return [answer({ signed_ref: ref('signed'), certificate_ref: ref('certificate') })]
      default:
        return []
    }
  }

// All at one time, answers too: when a document is sent is the time of whichever event it waited for.
const history = said(volume, researched, created, engaged(start)).map((input) => ({ ...input, at: start }))

describe('documents', () => {
  convergence(documentsService(), [
    { it: 'from the first interest to the signed contract', said: history, reacts: world(false) },
    { it: 'the same, its webhooks faster than the answers', said: history, reacts: world(true) },
  ])
})
