/** Query parameters that many reads share. Everything arrives as text, once, and is exact or refused. */

import { z } from 'zod'
import { parsePosition } from '../ingest/index.ts'

const outbox = /^outbox:\d{1,19}$/
const positionsMax = 40

const minPosition = z
  .string()
  .max(8_000)
  .transform((text) => text.split(','))
  .refine(
    (list) => list.length <= positionsMax && list.every((each) => outbox.test(each) || parsePosition(each) !== null),
    {
      error: 'expected what a Position header said',
    },
  )
  .optional()
  .meta({ type: 'string', description: 'What a `Position` header said: waits up to 2 s until the read has seen it' })

export const readQuery = z.strictObject({ min_position: minPosition })

export const limitMax = 200

export const listQuery = z.strictObject({
  min_position: minPosition,
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, `expected 1 to ${String(limitMax)}`)
    .transform(Number)
    .pipe(z.int().min(1).max(limitMax))
    .default(50),
  cursor: z.string().max(2_000).optional().meta({ description: '`next_cursor` of the page before' }),
})

export type ReadQuery = z.infer<typeof readQuery>
export type ListQuery = z.infer<typeof listQuery>

/** The answer of a list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable().meta({ description: 'Null on the last page' }) })

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
export const isUuid = (text: string): boolean => uuidForm.test(text)
