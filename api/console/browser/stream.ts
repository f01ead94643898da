/** Server-sent events over fetch, because an EventSource cannot say who it is. Goes on where it was after any break. */

import { heardTime } from './clock.ts'
import { base, queryOf } from './http.ts'
import { end, renew, token } from './session.ts'

export type StreamState = 'live' | 'waiting'

export interface Listener<T> {
  /** From here on everything is heard. What happened before, also since the page was first read, is to be read. */
  begun(): void
  event(item: T): void
  state(state: StreamState): void
}

const firstWaitMs = 500
const longestWaitMs = 10_000

/** Listens until the signal comes. */
export async function listen<T>(
  parameters: Readonly<Record<string, string>>,
  listener: Listener<T>,
  signal: AbortSignal,
): Promise<void> {
  let lastEventId: string | null = null
  let waitMs = firstWaitMs
  while (!signal.aborted) {
    const isNew = lastEventId === null
    try {
      await readOnce(parameters, lastEventId, signal, (event, id, data) => {
        waitMs = firstWaitMs
        if (id !== null) lastEventId = id
        if (event === 'start') listener.state('live')
        if (event === 'start' && isNew) listener.begun()
        if (event === 'event') listener.event(JSON.parse(data) as T)
      })
      continue
    } catch {
      if (signal.aborted) return
      listener.state('waiting')
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    waitMs = Math.min(waitMs * 2, longestWaitMs)
  }
}

type Told = (event: string, id: string | null, data: string) => void

/** @throws when the stream breaks; returns when it ends as announced */
async function readOnce(
  parameters: Readonly<Record<string, string>>,
  lastEventId: string | null,
  signal: AbortSignal,
  told: Told,
): Promise<void> {
  const response = await open(parameters, lastEventId, signal)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  let isEnd = false
  for (;;) {
    const { value, done } = await reader.read()
    if (done) break
    const blocks = (text + value).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => splitField(line)))
      const event = fields.get('event')
      if (event === undefined) continue
      isEnd ||= event === 'end'
      told(event, fields.get('id') ?? null, fields.get('data') ?? '')
    }
  }
  if (!isEnd) throw new Error('the stream broke off')
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(': ')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 2)]
}

async function open(
  parameters: Readonly<Record<string, string>>,
  lastEventId: string | null,
  signal: AbortSignal,
): Promise<Response> {
  const ask = (): Promise<Response> =>
    fetch(`${base}/stream${queryOf(parameters)}`, {
      headers: {
        authorization: `Bearer ${token() ?? ''}`,
        ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
      },
      signal,
    })
  let response = await ask()
  heardTime(response.headers.get('business-time'))
  if (response.status === 401) {
    if (await renew()) response = await ask()
    else end('ended')
  }
  if (!response.ok) throw new Error(`the stream answered ${String(response.status)}`)
  return response
}
