/** One environment variable as data: how its text becomes a value, and the words for when it does not. */

import { z } from 'zod'

export interface Variable<T> {
  /** What it is, for the README's table and for an operator. */
  readonly meaning: string
  /** What a good value looks like; ends the sentence `wanted …`. */
  readonly wanted: string
  readonly schema: z.ZodType<T, string>
  /** The text it has when the environment does not name it; null when there is none. */
  readonly fallback: string | null
  /** Never shown, neither in errors nor in `printConfig`. */
  readonly secret: boolean
}

export type ValueOf<V> = V extends Variable<infer T> ? T : never

interface Described {
  readonly meaning: string
  readonly fallback: string
}

const units = { ms: 'milliseconds', bytes: 'bytes', calls: 'calls', none: '' } as const

/** A whole number, written as digits alone: `5s` or `16MiB` is refused, not guessed at. */
export function whole(
  options: Described & { readonly min: number; readonly max: number; readonly unit?: keyof typeof units },
): Variable<number> {
  const { min, max, unit = 'none' } = options
  const of = unit === 'none' ? '' : ` of ${units[unit]}`
  const without = unit === 'ms' || unit === 'bytes' ? ', without a unit' : ''
  const schema = z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
  return variable(options, `a whole number${of} from ${min} to ${max}${without}`, schema)
}

export function choice<const C extends readonly string[]>(choices: C, options: Described): Variable<C[number]> {
  return variable(options, choices.join(' or '), z.enum(choices) as unknown as z.ZodType<C[number], string>)
}

/** Names with commas between them; `all` is every one. */
export function list<const C extends readonly string[]>(
  choices: C,
  options: Described,
): Variable<readonly C[number][]> {
  const schema = z
    .string()
    .transform((text) => (text === 'all' ? [...choices] : text.split(',').map((name) => name.trim())))
    .pipe(z.array(z.enum(choices)).refine((names) => new Set(names).size === names.length))
  return variable(
    options,
    `all, or some of ${choices.join(', ')} with commas between them, none twice`,
    schema as unknown as z.ZodType<readonly C[number][], string>,
  )
}

export function text(options: Described & { readonly wanted: string; readonly pattern: RegExp }): Variable<string> {
  return variable(options, options.wanted, z.string().regex(options.pattern))
}

/** Text that need not be given: null then. */
export function given(options: {
  readonly meaning: string
  readonly wanted: string
  readonly pattern: RegExp
}): Variable<string | null> {
  const { meaning, wanted, pattern } = options
  return { meaning, wanted, schema: z.string().regex(pattern), fallback: null, secret: false }
}

/** Lines with `;` between them. */
export function lines(
  options: Described & { readonly most: number; readonly longest: number },
): Variable<readonly string[]> {
  const { most, longest } = options
  const schema = z
    .string()
    .transform((text) => text.split(';').map((line) => line.trim()))
    .pipe(z.array(z.string().min(1).max(longest)).max(most))
  return variable(options, `up to ${most} lines of ${longest} characters with ; between them`, schema)
}

/** Addresses and networks of IP with commas between them; `none` is no one. */
export function networks(options: Described): Variable<readonly string[]> {
  const schema = z
    .string()
    .transform((text) => (text === 'none' ? [] : text.split(',').map((each) => each.trim())))
    .pipe(z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).max(100))
  return variable(
    options,
    'none, or addresses and networks such as 10.0.0.0/8 with commas between them',
    schema as unknown as z.ZodType<readonly string[], string>,
  )
}

/** An address; `null` when it is not given. A password inside is never shown. */
export function url(options: {
  readonly meaning: string
  readonly protocols: readonly string[]
}): Variable<string | null> {
  const schema = z
    .string()
    .refine((value) => URL.canParse(value) && options.protocols.includes(new URL(value).protocol))
  const wanted = `an address that begins with ${options.protocols.map((protocol) => `${protocol}//`).join(' or ')}`
  return { meaning: options.meaning, wanted, schema, fallback: null, secret: true }
}

/** Text that must stay unknown to others. `null` when it is not given. */
export function secret(options: { readonly meaning: string; readonly minLength: number }): Variable<string | null> {
  const wanted = `at least ${options.minLength} characters, without blanks at its ends`
  const schema = z
    .string()
    .min(options.minLength)
    .refine((value) => value.trim() === value)
  return { meaning: options.meaning, wanted, schema, fallback: null, secret: true }
}

/** A private key in PEM; `\\n` in it stands for a line's end, as one-line settings need. `null` when it is not given. */
export function pem(options: { readonly meaning: string }): Variable<string | null> {
  const schema = z
    .string()
    .transform((value) => value.replaceAll('\\n', '\n'))
    .pipe(z.string().regex(/^-----BEGIN (RSA )?PRIVATE KEY-----\n[\s\S]+-----END (RSA )?PRIVATE KEY-----\s*$/))
  const wanted = 'a private key in PEM, from BEGIN to END'
  return { meaning: options.meaning, wanted, schema, fallback: null, secret: true }
}

/** By endpoint, the secrets that may have signed what is posted to it. */
export type EndpointSecrets = Readonly<Record<string, readonly string[]>>

const endpointForm = /^([a-z0-9][a-z0-9-]{0,63})=([^\s,]{16,4000}(?:,[^\s,]{16,4000}){0,99})$/

/** `main=secret other=secret,next-secret`: several secrets while one is replaced by another. */
export function endpointSecrets(options: { readonly meaning: string }): Variable<EndpointSecrets> {
  const schema = z
    .string()
    .transform((value) => value.split(/\s+/).filter((part) => part !== ''))
    .refine((parts) => parts.every((part) => endpointForm.test(part) && !part.startsWith('sandbox=')))
    .transform((parts) => parts.map((part) => endpointForm.exec(part) ?? ['', '', '']))
    .refine((parts) => new Set(parts.map(([, name]) => name)).size === parts.length)
    .transform((parts) => Object.fromEntries(parts.map(([, name = '', secrets = '']) => [name, secrets.split(',')])))
  const wanted =
    'endpoint=secret, several with blanks between them, no endpoint twice and none of the name sandbox; secrets of at least 16 characters, several with commas between them'
  return { meaning: options.meaning, wanted, schema, fallback: '', secret: true }
}

/** Secrets with commas between them, so none holds a comma; no secret when it is not given. */
export function secrets(options: {
  readonly meaning: string
  readonly minLength: number
  readonly most: number
}): Variable<readonly string[] | null> {
  const { meaning, minLength, most } = options
  const schema = z
    .string()
    .transform((value) => value.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().min(minLength)).max(most))
  const wanted = `up to ${most} secrets of at least ${minLength} characters, with commas between them`
  return { meaning, wanted, schema, fallback: null, secret: true }
}

function variable<T>(described: Described, wanted: string, schema: z.ZodType<T, string>): Variable<T> {
  return { meaning: described.meaning, wanted, schema, fallback: described.fallback, secret: false }
}
