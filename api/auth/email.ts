/** E-mail addresses and host names as people type them, made comparable. */

import { domainToASCII } from 'node:url'
import { freeMailDomains } from './free-mail-domains.ts'

export interface Email {
  /** Lower case, host in ASCII: the form that is stored and compared. */
  readonly address: string
  readonly host: string
}

const localPart = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** Asked first: domainToASCII reads like a URL parser, which drops a path, decodes `%2e` and skips a tab. */
const hostLetters = /^[\p{L}\p{M}\p{N}.。．-]+$/u
const hostName = /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/

/** A public host name in lower-case ASCII (`Müller.DE.` is `xn--mller-kva.de`); null when it is none. */
export function parseHost(text: string): string | null {
  const trimmed = text.trim()
  if (!hostLetters.test(trimmed)) return null
  const host = domainToASCII(trimmed).replace(/\.$/, '')
  return hostName.test(host) ? host : null
}

/** A dot-atom address (RFC 5321, at most 254 bytes) at a public host; null when it is none. */
export function parseEmail(text: string): Email | null {
  const trimmed = text.trim()
  const at = trimmed.lastIndexOf('@')
  if (at < 1 || at > 64) return null
  const local = trimmed.slice(0, at).toLowerCase()
  const host = parseHost(trimmed.slice(at + 1))
  if (host === null || !localPart.test(local) || local.length + 1 + host.length > 254) return null
  return { address: `${local}@${host}`, host }
}

/** Whether a host is a free-mail provider's, or lies below one. Whole labels are compared: `notgmail.com` is not. */
export function isFreeMail(host: string): boolean {
  for (let from = 0; from !== -1;) {
    if (freeMailDomains.has(host.slice(from))) return true
    const dot = host.indexOf('.', from)
    from = dot === -1 ? -1 : dot + 1
  }
  return false
}
