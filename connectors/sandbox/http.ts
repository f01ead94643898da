/** The HTTP edges of the sandbox: bodies in, answers out. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './exchange.ts'
import type { SandboxRule } from './script.ts'

const longestBody = 64 * 1024 * 1024

/** The body; null when it is too long or breaks off. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parsed = (request as IncomingMessage & { readonly body?: unknown }).body
  if (Buffer.isBuffer(parsed)) return parsed
  if (parsed !== undefined) return Buffer.from(typeof parsed === 'string' ? parsed : JSON.stringify(parsed)) // a parser was here before us
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > longestBody) return null
      chunks.push(chunk)
    }
  } catch {
    return null
  }
  return Buffer.concat(chunks)
}

/** Sends an answer as the rule bends it. */
export async function send(response: ServerResponse, answer: Answer, rule: SandboxRule | null): Promise<void> {
  if (rule?.delay_ms !== undefined) await sleep(rule.delay_ms)
  if (rule?.reset === true) {
    response.destroy()
    return
  }
  const told = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  const body = rule?.pad_to === undefined ? told : padded(told, rule.pad_to)
  response.writeHead(answer.status, { 'content-length': body.length, ...answer.headers, ...rule?.headers })
  if (rule?.truncate_at === undefined) response.end(body)
  else response.write(body.subarray(0, rule.truncate_at), () => response.destroy())
}

const padded = (body: Buffer, bytes: number): Buffer =>
  Buffer.concat([body, Buffer.alloc(Math.max(0, bytes - body.length), ' ')])

export function sendJson(response: ServerResponse, status: number, value: unknown, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' })
  response.end(JSON.stringify(value))
}

export function sendProblem(response: ServerResponse, status: number, title: string, detail: string): void {
  sendJson(response, status, { type: 'about:blank', title, status, detail }, 'application/problem+json')
}
