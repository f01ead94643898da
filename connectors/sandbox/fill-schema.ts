/**
 * A value of a JSON schema, made of what the asker gave: a field of the same name is copied, a list of the same name (or
 * the findings, where items cite one) is walked, texts are written about it, and numbers keep within their bounds.
 */

import type { Known, Schema } from './conversation.ts'
import { isKnown } from './conversation.ts'
import { actionOf, painOf, stepOf, subjectOf, talkOf, titleOf } from './sentences.ts'

export interface Given {
  /** What was asked, and the facts beneath it. */
  readonly asked: Known
  readonly findings: readonly Known[]
  /** The asker's words, for what is chosen of a list. */
  readonly words: string
}

interface Place {
  readonly given: Given
  readonly root: Schema
  /** The item that is written about: an element of a list of the asker's, or a finding. */
  readonly item: Known | null
  readonly finding: Known | null
  /** The names of the fields above. */
  readonly path: readonly string[]
}

/** @param root a schema of an object */
export const filled = (root: Schema, given: Given): unknown =>
  fill(root, '', { given, root, item: null, finding: null, path: [] })

function fill(told: unknown, name: string, place: Place): unknown {
  const schema = resolved(told, place.root)
  if ('const' in schema) return schema['const']
  const options = alternatives(schema)
  if (options !== null) return oneOf(options, name, place)
  const types = [schema['type']].flat()
  if (Array.isArray(schema['enum'])) return chosen(schema['enum'] as unknown[], name, place)
  if (types.includes('null') && isNothing(name, place)) return null
  if (types.includes('object') || isKnown(schema['properties'])) return objectOf(schema, name, place)
  if (types.includes('array')) return arrayOf(schema, name, place)
  if (types.includes('string')) return textOf(schema, name, place)
  if (types.includes('integer') || types.includes('number')) return numberOf(schema, name, place, types)
  if (types.includes('boolean')) return known(name, place) === true
  return null
}

function resolved(told: unknown, root: Schema): Schema {
  const schema = isKnown(told) ? told : {}
  const reference = schema['$ref']
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return schema
  let at: unknown = root
  for (const part of reference.slice(2).split('/')) at = isKnown(at) ? at[part] : undefined
  return isKnown(at) ? at : {}
}

const alternatives = (schema: Schema): unknown[] | null => {
  const found = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(found) && found.length > 0 ? (found as unknown[]) : null
}

/** Null where nothing is known and null is allowed; else the first alternative that is more than null. */
function oneOf(options: readonly unknown[], name: string, place: Place): unknown {
  const isNull = (option: unknown): boolean => resolved(option, place.root)['type'] === 'null'
  if (options.some(isNull) && isNothing(name, place)) return null
  return fill(options.find((option) => !isNull(option)) ?? options[0], name, place)
}

/** Whether a field that may be null is: it names something, and there is nothing to name. */
const isNothing = (name: string, place: Place): boolean =>
  known(name, place) === undefined && (name.endsWith('_id') || !isWritten(name))

function objectOf(schema: Schema, name: string, place: Place): unknown {
  const properties = isKnown(schema['properties']) ? schema['properties'] : {}
  const inner = known(name, place)
  const below: Place = { ...place, item: isKnown(inner) ? inner : place.item, path: [...place.path, name] }
  return Object.fromEntries(Object.entries(properties).map(([key, of]) => [key, fill(of, key, below)]))
}

function arrayOf(schema: Schema, name: string, place: Place): unknown[] {
  const items = schema['items']
  const least = bound(schema, 'minItems') ?? 0
  const most = Math.max(least, bound(schema, 'maxItems') ?? 5)
  const subjects = subjectsOf(items, name, place)
  const wanted = Math.min(most, Math.max(least, subjects.length))
  const path = [...place.path, name]
  return Array.from({ length: subjects.length === 0 ? least : wanted }, (_, n) => {
    const subject = subjects.length === 0 ? {} : subjects[n % subjects.length]!
    const value = 'value' in subject ? subject.value : undefined
    if (value !== undefined && !isKnown(value) && !isKnown(resolved(items, place.root)['properties'])) return value
    return fill(items, singular(name), { ...place, path, item: isKnown(value) ? value : null, ...subject })
  })
}

type Subjects = readonly { readonly value?: unknown; readonly finding?: Known | null }[]

/** What the items of a list are about. */
function subjectsOf(items: unknown, name: string, place: Place): Subjects {
  const own = known(name, place)
  if (Array.isArray(own))
    return own.map((value: unknown) => ({ value, ...(isFinding(value) ? { finding: value } : {}) }))
  const schema = resolved(items, place.root)
  const cited = isKnown(schema['properties']) ? schema['properties']['finding_id'] : undefined
  const findings = variedFirst(place.given.findings).map((finding) => ({ finding }))
  if (cited === undefined) return /_ids$/.test(name) || !isWritten(singular(name)) ? [] : findings
  return mayBeNull(cited, place.root) ? [{ finding: null }, ...findings] : findings
}

/** One finding of each type before a second of any: four competitors are no picture of a company. */
function variedFirst(findings: readonly Known[]): readonly Known[] {
  const first = [...Map.groupBy(findings, (finding) => finding['finding_type']).values()].map(([one]) => one!)
  return [...first, ...findings.filter((finding) => !first.includes(finding))]
}

const mayBeNull = (told: unknown, root: Schema): boolean => {
  const schema = resolved(told, root)
  const options = alternatives(schema) ?? []
  return [schema['type']].flat().includes('null') || options.some((option) => mayBeNull(option, root))
}

const isFinding = (value: unknown): value is Known => isKnown(value) && typeof value['finding_id'] === 'string'

function chosen(values: readonly unknown[], name: string, place: Place): unknown {
  const same = known(name, place)
  if (values.includes(same)) return same
  const said = ` ${(place.given.words.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ')} `
  const isSaid = (value: string): boolean =>
    value.length > 2 && said.includes(` ${value.toLowerCase().replaceAll('_', ' ')} `)
  if (/lang/.test(name)) return languageIn(said, values) ?? values[0]
  return values.find((value) => typeof value === 'string' && isSaid(value)) ?? values[0]
}

/** Words that hardly any other language has. */
const tellingWords: Readonly<Record<string, string>> = {
  en: 'the what how is are does do can you your with which',
  de: 'der das und ist wie wir ihr ihre kann können nicht mit für eine',
  fr: 'le les est quel quelle vous votre comment combien avec pour une',
  es: 'el los las qué cuál cómo cuánto cuántas usted su con para una',
}

/** The language that most of the words tell of, among those that may be named. @param said words between blanks */
function languageIn(said: string, values: readonly unknown[]): unknown {
  const told = Object.entries(tellingWords)
    .filter(([language]) => values.includes(language))
    .map(([language, telling]) => ({
      language,
      count: telling.split(' ').filter((word) => said.includes(` ${word} `)).length,
    }))
    .toSorted((a, b) => b.count - a.count)[0]
  return told === undefined || told.count === 0 ? undefined : told.language
}

function textOf(schema: Schema, name: string, place: Place): string {
  const found = known(name, place)
  const text =
    typeof found === 'string' || typeof found === 'number'
      ? String(found)
      : (formats[String(schema['format'])] ?? written(name, place))
  const [least, most] = [bound(schema, 'minLength') ?? 0, bound(schema, 'maxLength') ?? Number.POSITIVE_INFINITY]
  const long = text.length >= least ? text : text.padEnd(least, ` ${text || 'text'}`)
  return long.length <= most ? long : long.slice(0, most).replace(/\s+\S*$/, '') || long.slice(0, most)
}

const formats: Readonly<Record<string, string>> = {
  email: 'someone@company.example',
  uri: 'https://company.example',
  date: '2026-01-15',
  'date-time': '2026-01-15T09:00:00Z',
  uuid: '00000000-0000-4000-8000-000000000000',
}

const titles = /title|headline|subject|heading|label/
const actions = /call_to_action|cta|button/
const talks = /talk|script|summary|introduction|opening|body|answer|reply|message/
const pains = /pain|problem|text|description|reason|detail|note|point|step/
const isWritten = (name: string): boolean => [titles, actions, talks, pains].some((kind) => kind.test(name))

function written(name: string, { given, finding, path }: Place): string {
  const subject = subjectOf(given.asked, finding)
  if (actions.test(name)) return actionOf(subject)
  if (titles.test(name)) return titleOf(subject)
  if (talks.test(name)) return talkOf(given.asked, given.findings)
  return path.some((above) => /step|script/.test(above)) ? stepOf(subject) : painOf(subject)
}

function numberOf(schema: Schema, name: string, place: Place, types: readonly unknown[]): number {
  const low = bound(schema, 'minimum') ?? bound(schema, 'exclusiveMinimum')
  const high = bound(schema, 'maximum') ?? bound(schema, 'exclusiveMaximum')
  const step = bound(schema, 'multipleOf') ?? (types.includes('integer') ? 1 : 0)
  const found = known(name, place)
  const [from, to] = [low ?? Math.min(0, high ?? 0), high ?? Math.max(1, low ?? 1)]
  const wanted = typeof found === 'number' ? found : from + 0.8 * (to - from)
  const within = Math.min(high ?? wanted, Math.max(low ?? wanted, wanted))
  if (step === 0) return within
  const below = Math.floor(within / step) * step
  return low !== undefined && below < low ? below + step : below
}

/** A rule of the schema; one that the provider does not take stands in the description. */
function bound(schema: Schema, rule: string): number | undefined {
  const own = schema[rule]
  if (typeof own === 'number') return own
  const told = new RegExp(`\\b${rule}: (-?\\d+(?:\\.\\d+)?)`).exec(String(schema['description'] ?? ''))?.[1]
  return told === undefined ? undefined : Number(told)
}

/** What the asker gave under a name, nearest first. */
function known(name: string, { given, item, finding }: Place): unknown {
  if (name === '') return undefined
  const inside = [item, finding, isKnown(finding?.['data']) ? finding['data'] : null]
  return [...inside, given.asked].find((of) => of?.[name] !== undefined)?.[name]
}

const singular = (name: string): string => name.replace(/ies$/, 'y').replace(/s$/, '')
