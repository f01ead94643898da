/** Requests against their schemas. A body that does not fit is 422, a query string 400; nothing unknown is ignored. */

import { z } from 'zod'
import type { ZodType } from 'zod'
import { ApiProblem } from './problem.ts'

/** Objects refuse fields they do not declare, whether or not their author said so. */
export const strict = (schema: ZodType): ZodType => (schema instanceof z.ZodObject ? schema.strict() : schema)

/** @throws ApiProblem 422 `unknown_field`, `missing_field`, `invalid_field` */
export function validBody(schema: ZodType, body: unknown): unknown {
  const result = schema.safeParse(body, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const errors = result.error.issues.slice(0, 20).map((each) => ({ field: fieldOf(each), message: each.message }))
  const field = fieldOf(issue)
  throw new ApiProblem(422, codeOf(issue), sentence(field, issue.message), { extra: { errors } })
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'unknown_field'
  return issue.code === 'invalid_type' && issue.input === undefined ? 'missing_field' : 'invalid_field'
}

function fieldOf(issue: z.core.$ZodIssue): string {
  const own = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  return [...issue.path, ...own].map(String).join('.').slice(0, 100)
}

const sentence = (field: string, message: string): string => (field === '' ? `${message}.` : `${field}: ${message}.`)

/** @throws ApiProblem 400 `repeated_parameter`, `unknown_parameter`, `bad_parameter` */
export function validQuery(schema: ZodType | undefined, text: string): unknown {
  const given = parametersOf(text)
  if (schema === undefined) {
    const [first] = given.keys()
    if (first !== undefined) throw unknownParameter(first)
    return {}
  }
  const result = schema.safeParse(Object.fromEntries(given))
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  if (issue.code === 'unrecognized_keys') throw unknownParameter(issue.keys[0] ?? '')
  throw new ApiProblem(400, 'bad_parameter', sentence(fieldOf(issue), issue.message))
}

function parametersOf(text: string): Map<string, string> {
  const given = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (given.has(name)) throw new ApiProblem(400, 'repeated_parameter', `The parameter ${quote(name)} is given twice.`)
    if (name === '__proto__') throw unknownParameter(name)
    // URLSearchParams spells bytes that are not UTF-8 as U+FFFD; PostgreSQL refuses NUL.
    if (/[\0\ufffd]/.test(value)) throw new ApiProblem(400, 'bad_parameter', `${quote(name)} is not clean text.`)
    given.set(name, value)
  }
  return given
}

const quote = (name: string): string => JSON.stringify(name.slice(0, 40))
const unknownParameter = (name: string): ApiProblem =>
  new ApiProblem(400, 'unknown_parameter', `There is no parameter ${quote(name)} here.`)
