/** How often a model is asked, and when it is given up. */

import { expect, test } from 'vitest'
import type { ChatModel, ChatOutcome } from '../../../connectors/agents/index.ts'
import { ask } from '../../../connectors/agents/chat-model.ts'
import type { Json } from '../../../schemas/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { turnedUntil } from '../../topology/runtime/harness.ts'
import { ok } from './world.ts'

const request = {
  system: 's',
  messages: [{ role: 'user', content: 'q' }],
  schema: { name: 'n', schema: {} },
  maxOutputTokens: 10,
  tenantId: 'acme',
} as const

const text = (answer: Json): string | null => (typeof answer === 'string' ? answer : null)
const failed = (of: ChatOutcome['class'], retryAfterMs?: number): ChatOutcome => ({ class: of, text: '', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }) // prettier-ignore

interface Asked {
  readonly answer: string | null
  /** Number of each try, and when it was made, in ms after the start. */
  readonly tries: readonly (readonly [attempt: number, atMs: number])[]
}

async function askOf(outcomes: readonly (ChatOutcome | Promise<ChatOutcome>)[], deadlineMs = 60_000): Promise<Asked> {
  const clock = new HandClock(0)
  const tries: [number, number][] = []
  const model: ChatModel = {
    complete: ({ attempt }) => {
      tries.push([attempt, clock.now()])
      return Promise.resolve(outcomes[tries.length - 1] ?? failed('retry'))
    },
  }
  const deadline = new AbortController()
  clock.after(deadlineMs, () => deadline.abort())
  const { signal } = new AbortController()
  const asking = { model, clock, tries: 3, retryMs: 500, deadline: deadline.signal, signal }
  return { answer: await turnedUntil(clock, ask(asking, request, text)), tries }
}

test('an answer is taken, read as JSON when nobody did', async () => {
  expect(await askOf([ok('yes')])).toEqual({ answer: 'yes', tries: [[1, 0]] })
  expect((await askOf([{ class: 'ok', text: '"yes"' }])).answer).toBe('yes')
})

test('what passes, and an answer that cannot be read, is tried again, with growing waits or the one it asked for', async () => {
  const { answer, tries } = await askOf([failed('retry'), { class: 'ok', text: 'no JSON' }, ok('yes')])
  expect([answer, tries]).toEqual(['yes', [[1, 0], [2, 500], [3, 1500]]]) // prettier-ignore
  expect((await askOf([failed('retry', 7000), ok('yes')])).tries).toEqual([[1, 0], [2, 7000]]) // prettier-ignore
})

test('after the last try it is given up', async () => {
  const { answer, tries } = await askOf([])
  expect([answer, tries.length]).toEqual([null, 3])
})

test.each(['auth', 'quota', 'invalid'] as const)('%s is not tried again', async (of) => {
  expect(await askOf([failed(of), ok('yes')])).toEqual({ answer: null, tries: [[1, 0]] })
})

test('when the time is up it is given up, in the middle of a call and of a wait', async () => {
  const never = new Promise<ChatOutcome>(() => undefined)
  expect(await askOf([never, ok('yes')], 3000)).toEqual({ answer: null, tries: [[1, 0]] })
  expect(await askOf([failed('retry', 9000), ok('yes')], 3000)).toEqual({ answer: null, tries: [[1, 0]] })
})

test('a caller who gives up gets no answer but its own reason', async () => {
  const caller = new AbortController()
  const model: ChatModel = { complete: () => new Promise(() => undefined) }
  const asking = { model, clock: new HandClock(), tries: 3, retryMs: 500, deadline: new AbortController().signal, signal: caller.signal } // prettier-ignore
  const asked = ask(asking, request, text)
  caller.abort(new Error('the task has moved'))
  await expect(asked).rejects.toThrow('the task has moved')
})
