import type { Json } from '../../schemas/index.ts'

/** One competitor under one key, however its name was written. */
export const competitorKey = (name: string): string =>
  name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase().slice(0, 200)

/** The name in a competitor finding's data; null when it has none. */
export function competitorName(data: Json | undefined): string | null {
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return null
  const name = (data as Readonly<Record<string, Json>>)['name']
  return typeof name === 'string' ? name : null
}
