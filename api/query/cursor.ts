/**
 * Cursors: where a list goes on. Signed (HMAC-SHA256) over who asks, what is asked and how, the place and the hour, so that
 * an edited, borrowed or old one is `bad_cursor` and the place inside can be trusted.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../topology/clock.ts'
import { ApiProblem } from '../http/problem.ts'

/** The sort values of the last row shown. */
export type Place = readonly (string | number | null)[]

export interface Cursors {
  /** `scope` names asker, list and filters. */
  sign(scope: readonly string[], place: Place): string
  /** @throws ApiProblem 400 `bad_cursor` */
  open(scope: readonly string[], cursor: string): Place
}

const form = /^([A-Za-z0-9_-]{1,1000})\.([A-Za-z0-9_-]{43})$/

export function cursors(secret: Buffer, lifetimeMs: number, clock: Clock): Cursors {
  const mac = (scope: readonly string[], content: string): Buffer =>
    createHmac('sha256', secret)
      .update(JSON.stringify(['cursor', ...scope, content]))
      .digest()
  return {
    sign(scope, place) {
      const content = Buffer.from(JSON.stringify([clock.now(), ...place])).toString('base64url')
      return `${content}.${mac(scope, content).toString('base64url')}`
    },
    open(scope, cursor) {
      const [, content, given] = form.exec(cursor) ?? []
      if (content === undefined || given === undefined) throw badCursor()
      if (!timingSafeEqual(mac(scope, content), Buffer.from(given, 'base64url'))) throw badCursor()
      const [madeAt, ...place] = JSON.parse(Buffer.from(content, 'base64url').toString()) as [number, ...Place]
      if (clock.now() - madeAt > lifetimeMs) throw badCursor()
      return place
    },
  }
}

const badCursor = (): ApiProblem =>
  new ApiProblem(400, 'bad_cursor', 'The cursor is not one of this list, or too old; begin without it.')
