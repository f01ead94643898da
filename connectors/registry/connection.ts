/**
 * HTTP to one registry: its own connections, kept between requests, each exchange bounded in bytes and time. Node's request
 * instead of `connectors/http`, because fetch takes no certificates of its own, and a company's registry often has them from
 * an authority of that company. Redirects are not followed, so that credentials are never sent on.
 */

import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface RegistryAddress {
  /** The root of the API, http or https; a path in it stays. */
  readonly url: string
  readonly credentials: RegistryCredentials | null
  /** Certificates to trust, PEM; the system's when null. */
  readonly ca: string | null
}

export type RegistryCredentials = { readonly username: string; readonly password: string } | { readonly token: string }

export interface RegistryQuestion {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Below the root, encoded. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: object
}

export interface RegistryAnswer {
  readonly status: number
  readonly type: string
  /** What the `retry-after` header says; empty when there is none. */
  readonly retryAfter: string
  readonly body: string
}

const contentType = 'application/vnd.schemaregistry.v1+json'
/** A schema of 1 MiB, escaped as text in JSON. */
const maxAnswerBytes = 2_621_440

export class RegistryConnection {
  readonly #root: URL
  readonly #agent: HttpAgent | HttpsAgent
  readonly #headers: Readonly<Record<string, string>>
  readonly #timeoutMs: number

  /**
   * @param timeoutMs for a whole answer
   * @param sockets open at once
   */
  constructor({ url, credentials, ca }: RegistryAddress, timeoutMs: number, sockets: number) {
    this.#root = new URL(url)
    const kept = { keepAlive: true, maxSockets: sockets }
    this.#agent =
      this.#root.protocol === 'https:' ? new HttpsAgent(ca === null ? kept : { ...kept, ca }) : new HttpAgent(kept)
    this.#headers = credentials === null ? {} : { authorization: authorizationOf(credentials) }
    this.#timeoutMs = timeoutMs
  }

  /** For a person's eyes: without what stands in front of the host. */
  get name(): string {
    return this.#root.origin + this.#root.pathname.replace(/\/+$/, '')
  }

  /** @throws Error with a `code`: the network's and TLS's own, TIMEOUT, TOO_LARGE */
  async ask(question: RegistryQuestion): Promise<RegistryAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    try {
      const response = await this.#send(question, timeout)
      const body = await boundedText(response)
      const { 'content-type': type = '', 'retry-after': retryAfter = '' } = response.headers
      return { status: response.statusCode ?? 0, type, retryAfter, body }
    } catch (error) {
      if (timeout.aborted) throw failure('TIMEOUT', `no whole answer within ${this.#timeoutMs} ms`)
      throw error
    }
  }

  #send({ method, path, body }: RegistryQuestion, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body))
    const sent = bytes === null ? {} : { 'content-type': contentType, 'content-length': bytes.length }
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      signal,
      headers: { accept: `${contentType}, application/json`, ...sent, ...this.#headers },
    }
    const address = new URL(this.name + path)
    const send = address.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(address, options, resolve)
    request.on('error', reject)
    request.end(bytes ?? undefined)
    return promise
  }

  close(): void {
    this.#agent.destroy()
  }
}

function authorizationOf(credentials: RegistryCredentials): string {
  if ('token' in credentials) return `Bearer ${credentials.token}`
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

async function boundedText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop closes the connection.
    if (size > maxAnswerBytes) throw failure('TOO_LARGE', `an answer of more than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })
