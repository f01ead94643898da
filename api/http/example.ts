/** An example value of a JSON Schema: the one its author gave, else one made up from its shape. */

import type { JsonSchema } from './openapi.ts'

const formats: Readonly<Record<string, string>> = {
  uuid: '0b9d3c52-6f0e-4a6e-9a53-3d1f7c2b8e41',
  'date-time': '2026-01-15T09:30:00.000Z',
  email: 'ada@acme.example',
}

export function exampleOf(schema: JsonSchema): unknown {
  const given =
    schema.example ?? (schema.examples as readonly unknown[] | undefined)?.[0] ?? schema.const ?? schema.default
  if (given !== undefined) return given
  if (Array.isArray(schema.enum)) return schema.enum[0]
  const variants = (schema.oneOf ?? schema.anyOf) as readonly JsonSchema[] | undefined
  if (variants !== undefined) return exampleOf(variants[0]!)
  return exampleOfType(schema)
}

function exampleOfType(schema: JsonSchema): unknown {
  switch (schema.type) {
    case 'object':
      return objectExample(schema)
    case 'array':
      return [exampleOf((schema.items ?? {}) as JsonSchema)]
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' && schema.minimum > -1e9 ? schema.minimum : 1
    case 'boolean':
      return true
    case 'string':
      return typeof schema.format === 'string' ? (formats[schema.format] ?? '…') : '…'
    default:
      return {}
  }
}

/** Required fields only: what a reader must send; of an answer, all are. */
function objectExample(schema: JsonSchema): unknown {
  const properties = Object.entries((schema.properties ?? {}) as Readonly<Record<string, JsonSchema>>)
  const required = schema.required as readonly string[] | undefined
  const shown = properties.filter(([name]) => required?.includes(name) ?? false)
  return Object.fromEntries(shown.map(([name, property]) => [name, exampleOf(property)]))
}
