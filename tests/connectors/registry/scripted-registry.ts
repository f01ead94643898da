/** A server that answers as it is told, in Confluent's words unless told otherwise, and keeps what it was asked. */

import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Told {
  readonly status: number
  /** An object is sent as JSON. */
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Told by a function, it writes what it likes, or nothing. */
export type Script = Readonly<Record<string, Told | readonly Told[] | ((response: ServerResponse) => void)>>

export interface Question {
  /** As in `GET /subjects`. */
  readonly what: string
  readonly body: unknown
  readonly headers: IncomingMessage['headers']
}

export interface ScriptedRegistry {
  readonly url: string
  readonly asked: Question[]
  /** Most questions that were open at one time. */
  atOnce(): number
  connections(): Promise<number>
  close(): Promise<void>
}

export const json = (body: unknown): Told => ({ status: 200, body })
export const refused = (status: number, code: number, message: string): Told => ({
  status,
  body: { error_code: code, message },
})

/**
 * @param script by method and path; of several answers the last is given for ever. What is not in it is a path that is not
 *   served.
 */
export async function scriptedRegistry(
  script: Script,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ScriptedRegistry> {
  const asked: Question[] = []
  let open = 0
  let most = 0
  const times = new Map<string, number>()
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    most = Math.max(most, ++open)
    response.on('close', () => void open--)
    const what = `${request.method} ${request.url}`
    void textOf(request).then((text) => {
      asked.push({ what, body: text === '' ? null : (JSON.parse(text) as unknown), headers: request.headers })
      const told = script[what] ?? refused(404, 404, 'HTTP 404 Not Found')
      if (typeof told === 'function') return told(response)
      const list = Array.isArray(told) ? (told as readonly Told[]) : [told as Told]
      const time = times.get(what) ?? 0
      times.set(what, time + 1)
      send(response, list[Math.min(time, list.length - 1)]!)
    })
  }
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    atOnce: () => most,
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, { status, body, headers }: Told): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  setTimeout(() => {
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json', ...headers })
    response.end(text)
  }, 2)
}
