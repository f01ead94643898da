/** What the effect worker must know of a request without reading it: carried as record headers. */

import type { Header, StreamRecord } from '../../topology/index.ts'

export type RequestHeader = 'origin-topic' | 'origin-key' | 'provider' | 'not-before'

export function requestHeaders(of: {
  topic: string
  key: Buffer
  provider: string
  notBefore: number
}): readonly Header[] {
  const header = (key: RequestHeader, value: Buffer | string): Header => ({ key, value: Buffer.from(value as string) })
  return [
    header('origin-topic', of.topic),
    header('origin-key', of.key),
    header('provider', of.provider),
    header('not-before', String(of.notBefore)),
  ]
}

export function headerOf(record: StreamRecord, name: RequestHeader): string {
  return record.headers.find((header) => header.key === name)?.value.toString('utf8') ?? ''
}
