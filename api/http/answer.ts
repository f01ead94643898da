/** Writes answers and problems. Nothing internal leaves: an unknown error is `internal_error`, and is logged instead. */

import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './endpoint.ts'
import type { ApiProblem } from './problem.ts'

export const problemType = 'application/problem+json'

/** The members of RFC 9457, and ours: `code` for programs, `request_id` to find the request in the log. */
export function problemBody(problem: ApiProblem, requestId: string): Record<string, unknown> {
  return {
    ...problem.extra,
    type: `urn:problem:${problem.code}`,
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.detail,
    request_id: requestId,
  }
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value)
  if (answer.bytes !== undefined) sendBytes(response, answer.bytes.type, answer.bytes.content)
  else if (answer.body === undefined) response.end()
  else sendText(response, 'application/json; charset=utf-8', JSON.stringify(answer.body))
}

export function sendText(response: ServerResponse, type: string, text: string): void {
  sendBytes(response, type, Buffer.from(text))
}

function sendBytes(response: ServerResponse, type: string, bytes: Buffer): void {
  response.setHeader('Content-Type', type)
  response.setHeader('Content-Length', bytes.length)
  response.end(bytes)
}

/** How long, and how much, we listen to a peer that still sends what was refused: so that it reads the answer. */
const lingerMs = 1_000
const lingerBytes = 4 * 1024 * 1024

/** `closing`: the rest of the request will not be read, so the connection ends after the answer. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problem: ApiProblem,
  requestId: string,
  closing: boolean,
): void {
  const bytes = Buffer.from(JSON.stringify(problemBody(problem, requestId)))
  response.statusCode = problem.status
  for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value)
  response.setHeader('Content-Type', problemType)
  response.setHeader('Content-Length', bytes.length)
  if (!closing) {
    response.end(bytes)
    return
  }
  // A socket closed with unread bytes is reset, and a reset can overtake the answer. So: answer, drain a little, close.
  response.setHeader('Connection', 'close')
  response.write(request.method === 'HEAD' ? '' : bytes)
  let drained = 0
  const finish = (): void => {
    clearTimeout(timer)
    request.removeListener('data', onData)
    response.end()
  }
  const onData = (chunk: Buffer): void => {
    drained += chunk.length
    if (drained > lingerBytes) finish()
  }
  const timer = setTimeout(finish, lingerMs)
  request.on('data', onData)
  request.once('end', finish)
  request.once('error', finish)
  request.once('close', finish)
  request.resume()
}
