/** Where a large payload stands: events carry this instead of the bytes. */

import { long, record, string } from '../fields.ts'

export const ref = () =>
  record('Ref', { bucket: string(), key: string(), version_id: string(), sha256: string(), bytes: long() })

export const exampleRef = {
  bucket: 'lifecycle',
  key: 'tenants/t1/scrapes/j1.json',
  version_id: 'v1',
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  bytes: 20_480,
}
