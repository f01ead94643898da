/** The door for events: `POST /events`. */

import { z } from 'zod'
import { lastPositions } from '../../connectors/kafka/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import type { Ingest } from './ingest.ts'

const event = z.strictObject({
  topic: z.string().meta({ description: 'One of the 18 topics', example: 'research_events' }),
  type: z.string().meta({ description: 'A type that is declared public', example: 'research_requested' }),
  payload: z
    .record(z.string(), z.unknown())
    .meta({ example: { company_name: 'Acme', domain: 'acme.example', depth: 'standard', reason: 'asked' } }),
  timestamp: z.int().optional().meta({ description: 'Event time in ms since 1970; now unless told' }),
  producer: z.string().optional().meta({ description: "The sender's durable name; goes with `sequence`" }),
  sequence: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "Which of the sender's events about its entity this is; written into the record's headers" }),
})

/** For the document only: the body is judged event by event, so that an error names its index and its reason. */
const documented = z.toJSONSchema(
  z.union([event, z.array(event).min(1), z.strictObject({ events: z.array(event).min(1) })]),
)
const body = z.unknown().meta({ anyOf: documented.anyOf })

const receipt = z.object({
  event_id: z.uuid(),
  position: z.string().meta({ description: '`topic-partition@offset`', example: 'research_events-1@42' }),
})

export function ingestEndpoints(ingest: Ingest): readonly Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/events',
      summary:
        'Send one event, or up to 1,000 that are written together or not at all. With an `Idempotency-Key` header a retry ' +
        'writes nothing twice and gets the first answer.',
      tag: 'events',
      auth: 'any',
      scope: 'events:write',
      request: body,
      response: [
        { status: 202, description: 'Durable; a list answers `{events: […]}`', schema: receipt },
        {
          status: 400,
          description:
            '`invalid_json`, `duplicate_key`, `too_deep`, `too_many_keys`, `too_long`, `bad_idempotency_key`',
        },
        {
          status: 403,
          description: '`type_not_public`, `tenant_mismatch`, `forbidden`, `sellers_decision`, `insufficient_scope`',
        },
        { status: 429, description: '`quota_exceeded` of the API key; Retry-After says when' },
        { status: 413, description: '`too_large`' },
        { status: 415, description: '`unsupported_media_type`, `unsupported_encoding`' },
        {
          status: 422,
          description:
            '`unknown_topic`, `unknown_type`, `unknown_field`, `missing_field`, `wrong_type`, `timestamp_out_of_range`, ' +
            '`idempotency_key_reused`, …; in a list with `index` and `reason`, and nothing was written',
        },
        { status: 503, description: '`log_unavailable`, `overloaded`, `outcome_unknown`; Retry-After says when' },
      ],
      handler: async ({ body: sent, principal, header }) => {
        const { single, eventIds, positions } = await ingest.submit(principal, sent, header('idempotency-key'))
        const receipts = eventIds.map((eventId, index) => ({ event_id: eventId, position: positions[index]! }))
        return {
          status: 202,
          body: single ? receipts[0] : { events: receipts },
          headers: { Position: lastPositions(positions).join(',') },
        }
      },
    }),
  ]
}
