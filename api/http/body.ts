/**
 * Reads a request's body, whoever sends it. Bounds are on bytes received and on bytes decoded, never on what was promised.
 *
 *   413 too_large (announced, received or decoded) · 415 unsupported_media_type, unsupported_encoding · 400 bad_encoding
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ApiProblem } from './problem.ts'

/** The peer went away before its request was whole: there is nobody to answer. */
export class RequestAborted extends Error {
  constructor() {
    super('the request ended before its body did')
    this.name = 'RequestAborted'
  }
}

const inflate = promisify(gunzip)
const jsonType = /^application\/json[ \t]*(;[ \t]*charset[ \t]*=[ \t]*("utf-8"|utf-8)[ \t]*)?$/i

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0

/** Refuses on the announced length alone, before a byte is read. @throws ApiProblem 413 */
export function checkAnnouncedLength(request: IncomingMessage, limitBytes: number): void {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
}

/** The decoded bytes of a JSON body. @throws ApiProblem as above; RequestAborted */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limitBytes: number,
): Promise<Buffer> {
  checkType(request.headers['content-type'])
  const encoding = checkEncoding(request.headers['content-encoding'])
  checkAnnouncedLength(request, limitBytes)
  if (request.headers.expect !== undefined) response.writeContinue()
  const received = await receive(request, limitBytes)
  return encoding === 'gzip' ? decode(received, limitBytes) : received
}

function checkType(type: string | undefined): void {
  if (type !== undefined && jsonType.test(type.trim())) return
  throw new ApiProblem(415, 'unsupported_media_type', 'Send the body as application/json in UTF-8.', {
    headers: { Accept: 'application/json' },
  })
}

function checkEncoding(encoding: string | undefined): 'identity' | 'gzip' {
  const name = encoding?.trim().toLowerCase() ?? 'identity'
  if (name === 'identity' || name === 'gzip') return name
  throw unsupportedEncoding()
}

const unsupportedEncoding = (): ApiProblem =>
  new ApiProblem(415, 'unsupported_encoding', 'Send the body as it is, or compressed once with gzip.', {
    headers: { 'Accept-Encoding': 'gzip' },
  })

const tooLarge = (limitBytes: number): ApiProblem =>
  new ApiProblem(413, 'too_large', `The body is larger than ${String(limitBytes)} bytes.`)

/** The bytes as they came, whatever they are called. @throws ApiProblem 413; RequestAborted */
export function receive(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const stop = (error: Error): void => {
      request.removeAllListeners('data')
      request.pause()
      reject(error)
    }
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limitBytes) stop(tooLarge(limitBytes))
      else chunks.push(chunk)
    })
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)))
    request.once('error', () => reject(new RequestAborted()))
    request.once('close', () => {
      if (!request.complete) reject(new RequestAborted())
    })
  })
}

async function decode(bytes: Buffer, limitBytes: number): Promise<Buffer> {
  let decoded: Buffer
  try {
    decoded = await inflate(bytes, { maxOutputLength: limitBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limitBytes)
    throw new ApiProblem(400, 'bad_encoding', 'The body is not what its Content-Encoding says.')
  }
  if (decoded[0] === 0x1f && decoded[1] === 0x8b) throw unsupportedEncoding()
  return decoded
}
