/** Reading unknown JSON into a typed value, or one clear line about the first thing that is wrong. */

export class InputError extends Error {
  override readonly name = 'InputError'
}

/** Reads the value at a path. @throws InputError */
export type Reader<T> = (value: unknown, path: string) => T

/** @throws InputError always; numbers are repeated, texts are not: the line may be kept where no personal data belongs */
export function refuse(path: string, value: unknown, wanted: string): never {
  throw new InputError(`${path}: ${shown(value)} is given; wanted ${wanted}`)
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return `a text of ${value.length} characters`
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object' && value !== null ? 'a record' : String(value)
}

const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/
const unpaired = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

export const text =
  (longest: number): Reader<string> =>
  (value, path) => {
    if (typeof value !== 'string' || value.trim() === '') return refuse(path, value, 'a text')
    if (value.length > longest) return refuse(path, value, `a text of at most ${longest} characters`)
    if (unprintable.test(value) || unpaired.test(value)) return refuse(path, value, 'a text without control characters')
    return value.normalize('NFC')
  }

export const whole =
  (min: number, max: number): Reader<number> =>
  (value, path) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : refuse(path, value, `a whole number from ${min} to ${max}`)

export const flag: Reader<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, value, 'true or false')

export const matching =
  (pattern: RegExp, wanted: string): Reader<string> =>
  (value, path) =>
    typeof value === 'string' && pattern.test(value) ? value : refuse(path, value, wanted)

export const oneOf =
  <const C extends readonly string[]>(choices: C): Reader<C[number]> =>
  (value, path) =>
    choices.find((choice) => choice === value) ?? refuse(path, value, choices.join(' or '))

/** Absent and null are null. */
export const optional =
  <T>(reader: Reader<T>): Reader<T | null> =>
  (value, path) =>
    value === undefined || value === null ? null : reader(value, path)

export const list =
  <T>(reader: Reader<T>, min: number, max: number): Reader<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value) || value.length < min || value.length > max)
      return refuse(path, value, `a list of ${min} to ${max}`)
    return value.map((item, index) => reader(item, `${path}[${index}]`))
  }

/** A record with these fields and no others: a misspelt one must not be left out of a contract in silence. */
export const record =
  <T extends object>(readers: { readonly [K in keyof T]-?: Reader<T[K]> }): Reader<T> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(path, value, 'a record')
    const stray = Object.keys(value).find((name) => !Object.hasOwn(readers, name))
    if (stray !== undefined)
      return refuse(`${path}.${stray.slice(0, 40)}`, (value as Record<string, unknown>)[stray], 'no such field')
    const read = Object.entries<Reader<unknown>>(readers).map(([name, reader]) => [
      name,
      reader((value as Record<string, unknown>)[name], `${path}.${name}`),
    ])
    return Object.fromEntries(read) as T
  }
