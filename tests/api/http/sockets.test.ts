/** Bad inputs 4 and 5 at the socket: those who are slow or silent hold nothing for long, and one request is one request. */

import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { endpoint, httpDefaults } from '../../../api/index.ts'
import type { TestServer } from './world.ts'
import { answersIn, call, raw, serve, statusOf } from './world.ts'

let served = 0
const echo = endpoint({
  method: 'post',
  path: '/echo',
  summary: 'Answers what it was sent',
  tag: 'test',
  auth: 'none',
  request: z.record(z.string(), z.unknown()),
  response: [{ status: 200, description: 'The same' }],
  handler: async ({ body }) => {
    served += 1
    return { status: 200, body }
  },
})
/** What a smuggled request would reach. */
const secret = endpoint({
  method: 'get',
  path: '/secret',
  summary: 'Must not be reached',
  tag: 'test',
  auth: 'none',
  response: [{ status: 200, description: 'Reached' }],
  handler: async () => {
    served += 1
    return { status: 200, body: { reached: true } }
  },
})

let server: TestServer
beforeAll(async () => {
  const fast = { headersTimeoutMs: 1_000, requestTimeoutMs: 2_000, timeoutCheckMs: 100, keepAliveMs: 1_000 }
  server = await serve([echo, secret], fast)
})
afterAll(() => server.close())

const good = () => call(`${server.url}/api/v1/echo`, { body: { a: 1 } })

interface Idle {
  readonly socket: Socket
  readonly closed: Promise<void>
}
function open(say: string): Promise<Idle> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    const closed = new Promise<void>((end) => socket.once('close', () => end()))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      socket.on('error', () => undefined)
      socket.resume()
      if (say !== '') socket.write(say)
      resolve({ socket, closed })
    })
  })
}

test('row 4: 2,000 idle sockets and a hundred half-sent heads keep nobody out, and are gone within their time (H2)', async () => {
  expect(httpDefaults.maxConnections).toBeGreaterThan(4_000)
  const idle: Idle[] = []
  try {
    // In hundreds: the system's queue of new connections is short.
    for (let n = 0; n < 20; n++) {
      idle.push(...(await Promise.all(Array.from({ length: 100 }, () => open('')))))
      expect((await good()).status).toBe(200)
    }
    const slow = await Promise.all(Array.from({ length: 100 }, () => open('POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n')))
    idle.push(...slow)
    expect((await Promise.all(Array.from({ length: 50 }, good))).every(({ status }) => status === 200)).toBe(true)
    await Promise.all(idle.map(({ closed }) => closed))
    expect((await good()).status).toBe(200)
  } finally {
    for (const { socket } of idle) socket.destroy()
  }
}, 60_000)

test('row 4: a head, and a body, that come a byte at a time are 408 in their time, however lively (H2)', async () => {
  const drip = async (first: string): Promise<{ text: string; ms: number }> => {
    const { socket, closed } = await open(first)
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    const start = performance.now()
    const timer = setInterval(() => socket.write('x'), 50)
    await closed
    clearInterval(timer)
    return { text: Buffer.concat(chunks).toString(), ms: performance.now() - start }
  }
  const head = 'POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n'
  const answers = await Promise.all([
    drip(`${head}X-Slow: `),
    drip(`${head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"a":"`),
  ])
  expect(answers.map(({ text }) => statusOf(text))).toEqual([408, 408])
  for (const { ms } of answers) expect(ms).toBeLessThan(5_000)
})

test('past the bound of connections a new one is closed at once, and those that are there go on', async () => {
  await using small = await serve([echo], { maxConnections: 3 })
  const sockets = await Promise.all(
    Array.from({ length: 3 }, () => new Promise<Socket>((resolve) => {
      const socket = connect(small.port, '127.0.0.1', () => resolve(socket))
    })), // prettier-ignore
  )
  expect((await raw(small.port, ['GET /ready HTTP/1.1\r\nHost: a\r\n\r\n'])).text).toBe('')
  const text = await new Promise<string>((resolve) => {
    sockets[0]!.once('data', (chunk) => resolve(chunk.toString()))
    sockets[0]!.write('GET /ready HTTP/1.1\r\nHost: a\r\n\r\n')
  })
  expect(statusOf(text)).toBe(200)
  for (const socket of sockets) socket.destroy()
})

const behind = 'GET /api/v1/secret HTTP/1.1\r\nHost: a\r\n\r\n'
const head = (...lines: string[]): string =>
  ['POST /api/v1/echo HTTP/1.1', 'Host: a', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')
const chunked = `7\r\n{"a":1}\r\n0\r\n\r\n`

test.each<[string, string]>([
  ['Content-Length and Transfer-Encoding', `${head('Content-Length: 7', 'Transfer-Encoding: chunked')}${chunked}`],
  ['Transfer-Encoding and Content-Length', `${head('Transfer-Encoding: chunked', 'Content-Length: 7')}${chunked}`],
  ['two Content-Lengths', `${head('Content-Length: 7', 'Content-Length: 8')}{"a":1}`],
  ['the same Content-Length twice', `${head('Content-Length: 7', 'Content-Length: 7')}{"a":1}`],
  ['a list of Content-Lengths', `${head('Content-Length: 7, 7')}{"a":1}`],
  ['a signed Content-Length', `${head('Content-Length: +7')}{"a":1}`],
  ['a hexadecimal Content-Length', `${head('Content-Length: 0x7')}{"a":1}`],
  ['a Content-Length below zero', `${head('Content-Length: -7')}{"a":1}`],
  ['an unknown coding after chunked', `${head('Transfer-Encoding: chunked, x')}${chunked}`],
  ['an unknown coding alone', `${head('Transfer-Encoding: xchunked')}${chunked}`],
  ['two Transfer-Encodings', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}${chunked}`],
  ['a blank before the colon', `${head('Transfer-Encoding : chunked')}${chunked}`],
  ['a folded header', `${head('X: 1\r\n Transfer-Encoding: chunked', 'Content-Length: 7')}{"a":1}`],
  ['bare line feeds', head('Content-Length: 7').replaceAll('\r\n', '\n') + '{"a":1}'],
  ['a bare carriage return', `${head('X: 1\rContent-Length: 7')}{"a":1}`],
  ['NUL in a header', `${head('X: a\0b', 'Content-Length: 7')}{"a":1}`],
  ['a chunk size that is no number', `${head('Transfer-Encoding: chunked')}zz\r\n{"a":1}\r\n0\r\n\r\n`],
  ['a chunk longer than its size', `${head('Transfer-Encoding: chunked')}3\r\n{"a":1}\r\n0\r\n\r\n`],
  ['a chunk size past 64 bits', `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\n{"a":1}\r\n0\r\n\r\n`],
])('row 5: %s: 400, closed, and the request behind it is not served', async (_what, bytes) => {
  const before = served
  const { text, closed } = await raw(server.port, [bytes + behind])
  expect([statusOf(text), answersIn(text), closed]).toEqual([400, 1, true])
  expect(served - before).toBe(0)
  expect((await good()).status).toBe(200)
})

test('row 5: two honest requests on one connection are two answers, so that what is not served above was refused', async () => {
  const before = served
  const last = behind.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
  for (const first of [`${head('Content-Length: 7')}{"a":1}`, `${head('Transfer-Encoding: chunked')}${chunked}`])
    expect(answersIn((await raw(server.port, [first + last])).text)).toBe(2)
  expect(served - before).toBe(4)
})

test('a stream of events whose reader takes nothing is cut off, and its work ends', async () => {
  let ended = 0
  const flood = endpoint({
    method: 'get',
    path: '/flood',
    summary: 'News without end',
    tag: 'test',
    auth: 'none',
    response: [{ status: 200, description: 'News', type: 'text/event-stream' }],
    handler: async () => ({
      status: 200,
      stream: async (out) => {
        const data = 'x'.repeat(1024 * 1024)
        while (!out.signal.aborted) await out.send({ event: 'news', data })
        ended += 1
      },
    }),
  })
  await using streams = await serve([flood], { streamStallMs: 300 })
  const socket = connect(streams.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  socket.write('GET /api/v1/flood HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => ended, { timeout: 5_000 }).toBe(1)
  socket.destroy()
})
