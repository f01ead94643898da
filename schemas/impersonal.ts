/** Which fields of an event are about a person, by their declaration, and an event without them. */

import type { EventDefinition } from './envelope.ts'
import type { Field, Fields, Json } from './fields.ts'

/** True when the field, or a part of it, is encrypted on the wire. */
export function isPersonal(field: Field<unknown>): boolean {
  if (field.kind === 'personal' || field.kind === 'personal-json') return true
  if (field.of !== undefined) return isPersonal(field.of)
  return field.fields !== undefined && Object.values(field.fields).some(isPersonal)
}

/** Names of the payload fields that are about a person, wholly or in part. */
export const personalNames = ({ fields }: Pick<EventDefinition, 'fields'>): readonly string[] =>
  Object.entries(fields)
    .filter(([, field]) => isPersonal(field))
    .map(([name]) => name)

/** The payload's fields that hold nothing about a person; what the event has no value for is null. */
export function impersonalPayload(
  { fields }: Pick<EventDefinition, 'fields'>,
  event: unknown,
): Readonly<Record<string, Json>> {
  const values = event as Readonly<Record<string, Json>>
  return Object.fromEntries(namesOf(fields).map((name) => [name, values[name] ?? null]))
}

const namesOf = (fields: Fields): readonly string[] =>
  Object.entries(fields)
    .filter(([, field]) => !isPersonal(field))
    .map(([name]) => name)
