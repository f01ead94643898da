/**
 * Answers that go on: server-sent events (text/event-stream) over an ordinary response. Nothing is kept here: a message is
 * handed over when the one before it has left, so a slow reader holds one message and no more.
 */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Answer, EventMessage, EventSink } from './endpoint.ts'

export const eventStreamType = 'text/event-stream'

/**
 * Resolves when the stream's work has ended, the peer is gone or the server closes. A peer that takes nothing any more is
 * cut off: else it would hold its place, and a socket, for as long as it likes.
 * @param closing aborted when the server takes no more requests
 * @param stallMs how long a peer may take nothing
 */
export async function sendEventStream(
  response: ServerResponse,
  answer: Answer & { readonly stream: (out: EventSink) => Promise<void> },
  closing: AbortSignal,
  stallMs: number,
): Promise<void> {
  const gone = new AbortController()
  if (response.destroyed) gone.abort()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, closing])
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value)
  response.setHeader('Content-Type', `${eventStreamType}; charset=utf-8`)
  // A proxy that collects before it passes on would hold the news back.
  response.setHeader('X-Accel-Buffering', 'no')
  response.flushHeaders()
  const write = async (text: string): Promise<void> => {
    if (signal.aborted || response.write(text)) return
    const stalled = setTimeout(() => response.destroy(), stallMs)
    await once(response, 'drain', { signal }).catch(() => undefined)
    clearTimeout(stalled)
  }
  try {
    await answer.stream({ signal, send: (message) => write(textOf(message)), beat: () => write(': \n\n') })
  } finally {
    if (!response.destroyed) response.end()
  }
}

/** JSON holds no line break, and ids are ours, so that a message is what it says it is. */
function textOf({ event, id, data }: EventMessage): string {
  const lines = [`event: ${event}`, ...(id === undefined ? [] : [`id: ${id}`]), `data: ${JSON.stringify(data)}`]
  return `${lines.join('\n')}\n\n`
}
