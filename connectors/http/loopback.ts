/** Whether somebody asks from this machine: for doors that nobody else has a business at. */

import type { IncomingMessage } from 'node:http'

const loopbackName = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i
const loopbackAddress = /^(::1|(::ffff:)?127(\.\d+){3})$/i

/** From this machine itself, not through a proxy on it, and under a name of it (so that no web page can reach it). */
export function fromLoopback({ socket, headers }: IncomingMessage): boolean {
  return (
    loopbackAddress.test(socket.remoteAddress ?? '') &&
    loopbackName.test(headers.host ?? '') &&
    headers['x-forwarded-for'] === undefined &&
    headers.forwarded === undefined
  )
}
