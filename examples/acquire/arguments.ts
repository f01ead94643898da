/** The command line of `npm run example:acquire`. */

import { parseArgs } from 'node:util'

export interface Arguments {
  readonly url: string
  readonly copies: number
  /** Number of the first copy: a later run on the same instance takes copies that are new to it. */
  readonly firstCopy: number
  readonly review: number
  readonly concurrency: number
  readonly timeoutMin: number
  readonly password: string
  /** So many companies one after the other instead, or null. */
  readonly sequential: number | null
  /** Follow each company to its first payment or another end; needs CLOCK=warp. */
  readonly untilPaid: boolean
  /** What the companies do is drawn by it. */
  readonly seed: number
  /** Where the report goes as JSON, or null. */
  readonly json: string | null
}

export const usage = [
  'npm run example:acquire -- [options]      against a running instance whose providers are all sandbox',
  '  --copies n        how often each of the 100 companies signs up (1)',
  '  --first-copy n    number of the first copy, to go on with new ones (1)',
  '  --review n        how many go to review instead of being completed (37)',
  '  --concurrency n   companies under way at once (24)',
  '  --sequential n    measure n companies one after the other instead',
  '  --until paid      follow each to its first payment or a named end, in business time (CLOCK=warp)',
  '  --seed n          draws what the companies of --until paid do (1)',
  '  --url address     of the instance (http://127.0.0.1:8080)',
  '  --timeout-min n   give up after so many minutes (30)',
  '  --json file       write the report there as JSON',
].join('\n')

/** @returns the arguments, or one line that says what is wrong */
export function readArguments(argv: readonly string[]): Arguments | string {
  let values: Record<string, string | undefined>
  try {
    const text = { type: 'string' } as const
    const options = { copies: text, review: text, concurrency: text, sequential: text, url: text, json: text }
    const more = { 'first-copy': text, 'timeout-min': text, password: text, until: text, seed: text }
    values = parseArgs({ args: [...argv], options: { ...options, ...more }, strict: true }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
  const numbers = { copies: 1, 'first-copy': 1, review: 37, concurrency: 24, 'timeout-min': 30, sequential: 0, seed: 1 }
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const given = values[name]
    if (given === undefined) continue
    const least = name === 'review' ? 0 : 1
    if (!/^\d{1,6}$/.test(given) || Number(given) < least)
      return `--${name}: ${given} is given; wanted a whole number from ${least}`
    numbers[name] = Number(given)
  }
  if (values['until'] !== undefined && values['until'] !== 'paid')
    return `--until: ${values['until']} is given; wanted paid`
  const url = (values['url'] ?? 'http://127.0.0.1:8080').replace(/\/+$/, '')
  if (!URL.canParse(url) || !/^https?:/.test(url))
    return `--url: ${url} is given; wanted an address that begins with http://`
  return {
    url,
    copies: numbers.copies,
    firstCopy: numbers['first-copy'],
    review: numbers.review,
    concurrency: numbers.concurrency,
    timeoutMin: numbers['timeout-min'],
    password: values['password'] ?? 'acquire: one password for the whole run',
    sequential: numbers.sequential === 0 ? null : numbers.sequential,
    untilPaid: values['until'] === 'paid',
    seed: numbers.seed,
    json: values['json'] ?? null,
  }
}
