/** S3's XML, as far as its stand-in speaks it. */

import type { Answer } from './exchange.ts'

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
const namespace = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

/** @param xml the root element and what is in it; nothing for an answer without a body */
export function answerXml(status: number, xml: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = xml === '' ? '' : declaration + xml.replace(/^<(\w+)/, `<$1${namespace}`)
  return { status, headers: { ...(xml === '' ? {} : { 'content-type': 'application/xml' }), ...headers }, body }
}

/** @param code S3's own word */
export function errorXml(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = `${declaration}<Error><Code>${code}</Code><Message>The sandbox answers ${status}.</Message></Error>`
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body }
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** The text of the first element with this name; null when there is none. */
export const textIn = (xml: string, name: string): string | null =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? null
