/** What reads have in common, for the document. */

import { z } from 'zod'
import type { ResponseSpec } from '../http/endpoint.ts'

/** Dates leave as ISO 8601 in UTC. */
export const instant = z.iso.datetime()
export const maybeInstant = instant.nullable()

const busy: readonly ResponseSpec[] = [
  { status: 503, description: '`too_expensive`, `too_busy`, `database_unavailable`; Retry-After says when' },
  { status: 504, description: '`not_yet_visible`: `min_position` did not come in time' },
]
const notFound: ResponseSpec = { status: 404, description: '`not_found`: it does not exist, or is not yours' }
const badParameter: ResponseSpec = {
  status: 400,
  description: '`bad_parameter`, `unknown_parameter`, `repeated_parameter`, `bad_cursor`',
}

export const read404: readonly ResponseSpec[] = [notFound, ...busy]
export const list404: readonly ResponseSpec[] = [badParameter, notFound, ...busy]
