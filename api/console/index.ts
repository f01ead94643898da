/** The console: one page and its modules, served by the process itself. It reads and writes through the API alone. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiProblem } from '../http/problem.ts'
import type { Asset } from './assets.ts'
import { readAssets } from './assets.ts'
import { consolePage, pageHeaders } from './page.ts'

/** @param base where it is mounted; the request's url is below it */
export function consoleHandler(base: string): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let made: Promise<ReadonlyMap<string, Asset>> | null = null
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new ApiProblem(405, 'method_not_allowed', 'This method is not served here.', {
        headers: { Allow: 'GET, HEAD' },
      })
    const assets = await (made ??= readAssets())
    const path = (request.url ?? '/').split('?')[0]!
    const name = /^\/assets\/(.+)$/.exec(path)?.[1]
    if (name === undefined) {
      // Every other path is a place inside the page.
      for (const [header, value] of Object.entries(pageHeaders)) response.setHeader(header, value)
      send(request, response, 200, 'text/html; charset=utf-8', Buffer.from(consolePage(base, assets)))
      return
    }
    const asset = assets.get(name)
    if (asset === undefined) throw new ApiProblem(404, 'not_found', 'There is nothing here.')
    sendAsset(request, response, asset)
  }
}

function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  response.setHeader('ETag', asset.etag)
  // Kept, and asked for again: a new version is taken at once.
  response.setHeader('Cache-Control', 'no-cache')
  response.setHeader('Vary', 'Accept-Encoding')
  if (request.headers['if-none-match'] === asset.etag) {
    response.statusCode = 304
    response.end()
    return
  }
  const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  if (zipped) response.setHeader('Content-Encoding', 'gzip')
  send(request, response, 200, asset.type, zipped ? asset.gzip : asset.bytes)
}

function send(request: IncomingMessage, response: ServerResponse, status: number, type: string, bytes: Buffer): void {
  response.statusCode = status
  response.setHeader('Content-Type', type)
  response.setHeader('Content-Length', bytes.length)
  response.end(request.method === 'HEAD' ? undefined : bytes)
}
