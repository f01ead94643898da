/** The payload of an event for one reader: personal fields as they are, or left out by name. */

import type { EventDefinition } from './envelope.ts'
import type { Field } from './fields.ts'
import { erased } from './fields.ts'
import { isPersonal } from './impersonal.ts'
import type { Json } from './fields.ts'

export interface ShownPayload {
  readonly payload: Readonly<Record<string, Json>>
  /** Personal fields left out because the reader may not see them. */
  readonly hidden: readonly string[]
  /** Personal fields, or fields with such a part, whose tenant's key is destroyed. */
  readonly erased: readonly string[]
}

/** @param mayRead whether this reader may see what is said about a person of this tenant */
export function personalShown({ fields }: EventDefinition, event: unknown, mayRead: boolean): ShownPayload {
  const values = event as Readonly<Record<string, unknown>>
  const payload: Record<string, Json> = {}
  const hidden: string[] = []
  const gone: string[] = []
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name] ?? null
    if (value !== null && isPersonal(field) && !mayRead) hidden.push(name)
    else payload[name] = plain(field, value, () => gone.push(name))
  }
  return { payload, hidden, erased: [...new Set(gone)] }
}

/** A value as JSON; what was erased is null and noted. */
function plain(field: Field<unknown>, value: unknown, noteErased: () => void): Json {
  if (value === erased) {
    noteErased()
    return null
  }
  if (value === null || value === undefined || !isPersonal(field)) return (value ?? null) as Json
  const inner = field.of
  if (field.kind === 'optional' && inner !== undefined) return plain(inner, value, noteErased)
  if (field.kind === 'array' && inner !== undefined)
    return (value as readonly unknown[]).map((each) => plain(inner, each, noteErased))
  if (field.kind === 'map' && inner !== undefined) return mapped(value, () => inner, noteErased)
  if (field.kind === 'record') return mapped(value, (name) => field.fields?.[name], noteErased)
  return value as Json
}

function mapped(value: unknown, fieldOf: (name: string) => Field<unknown> | undefined, noteErased: () => void): Json {
  return Object.fromEntries(
    Object.entries(value as object).map(([name, each]) => {
      const field = fieldOf(name)
      return [name, field === undefined ? null : plain(field, each, noteErased)]
    }),
  )
}
