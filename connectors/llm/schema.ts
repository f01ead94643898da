/**
 * JSON schemas on their way to a vendor and back. Both vendors promise an answer of the schema but leave out some of its
 * words; those are told to the model in the description instead, and the answer is checked against the whole schema here.
 */

import { Ajv2020 } from 'ajv/dist/2020.js'
import type { Json } from '../../schemas/index.ts'
import type { JsonSchema, Vendor } from './port.ts'

/** Says what is wrong in a few words; null when all is well. Formats are told to the model, and not checked. */
export type SchemaCheck = (value: unknown) => string | null

const mostKept = 200
const compiled = new Map<string, SchemaCheck>()

/** @throws Error when it is no schema */
export function schemaCheck(schema: JsonSchema): SchemaCheck {
  const text = JSON.stringify(schema)
  const known = compiled.get(text)
  if (known !== undefined) return known
  const { $schema: _draft, ...told } = schema
  const validate = new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(told)
  const check: SchemaCheck = (value) => {
    if (validate(value) === true) return null
    const [first] = validate.errors ?? []
    // The path and the keyword, never the value: it may be personal.
    return `${first?.instancePath === '' ? 'it' : (first?.instancePath ?? 'it')} breaks "${first?.keyword ?? 'schema'}"`
  }
  if (compiled.size >= mostKept) compiled.delete(compiled.keys().next().value!)
  compiled.set(text, check)
  return check
}

/** Why neither vendor would hold an answer to this schema; null when they do. */
export function looseness(schema: Json, path = 'the schema'): string | null {
  if (!isObject(schema)) return null
  const properties = schema['properties']
  if (schema['type'] === 'object' && !isObject(properties)) return `${path} is an object without properties`
  if (isObject(properties)) {
    if (schema['additionalProperties'] === true) return `${path} takes other properties than it names`
    const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : []
    const optional = Object.keys(properties).find((name) => !required.includes(name))
    if (optional !== undefined)
      return `"${optional}" of ${path} is not required; require it, and allow null where it may be missing`
  }
  for (const [where, inner] of innerSchemas(schema)) {
    const found = looseness(inner, `${path}/${where}`)
    if (found !== null) return found
  }
  return null
}

/** What each vendor does not take as a rule. */
const untold: Readonly<Record<Vendor, ReadonlySet<string>>> = {
  openai: new Set(['minLength', 'maxLength', 'uniqueItems']),
  anthropic: new Set([
    ...['minLength', 'maxLength', 'uniqueItems', 'minItems', 'maxItems'],
    ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ]),
}

/** The schema in the vendor's words: closed objects, and the rules it does not take as part of the description. */
export function vendorSchema(vendor: Vendor, schema: JsonSchema): JsonSchema {
  const { $schema: _draft, ...told } = translated(vendor, schema) as JsonSchema
  return told
}

function translated(vendor: Vendor, schema: Json): Json {
  if (!isObject(schema)) return schema
  const kept: Record<string, Json> = {}
  const rules: string[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    if (untold[vendor].has(keyword)) rules.push(`${keyword}: ${JSON.stringify(value)}`)
    else if (mapsOfSchemas.has(keyword) && isObject(value))
      kept[keyword] = Object.fromEntries(Object.entries(value).map(([name, of]) => [name, translated(vendor, of)]))
    else if (listsOfSchemas.has(keyword) && Array.isArray(value))
      kept[keyword] = (value as readonly Json[]).map((of) => translated(vendor, of))
    else kept[keyword] = keyword === 'items' ? translated(vendor, value) : value
  }
  if (isObject(schema['properties'])) kept['additionalProperties'] = false
  if (rules.length > 0) {
    const before = typeof schema['description'] === 'string' ? `${schema['description']} ` : ''
    kept['description'] = `${before}(${rules.join(', ')})`
  }
  return kept
}

const mapsOfSchemas: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions'])
const listsOfSchemas: ReadonlySet<string> = new Set(['anyOf', 'allOf', 'oneOf', 'prefixItems'])

function innerSchemas(schema: JsonSchema): [string, Json][] {
  return Object.entries(schema).flatMap(([keyword, value]): [string, Json][] => {
    if (mapsOfSchemas.has(keyword) && isObject(value)) return Object.entries(value)
    if (listsOfSchemas.has(keyword) && Array.isArray(value))
      return (value as readonly Json[]).map((of, n) => [`${keyword}/${n}`, of])
    return keyword === 'items' ? [[keyword, value]] : []
  })
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
