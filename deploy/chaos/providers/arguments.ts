/** The command line of `npm run chaos -- --providers`. */

import { parseArgs } from 'node:util'

export interface ProvidersArguments {
  readonly program: 'providers'
  readonly runs: number
  /** Of the first run; each run's seed is one more than the one before. */
  readonly seed: number
  /** Kills that each run's seed plans. */
  readonly kills: number
  readonly companies: number
  /** Runs under way together, in the same life of the application: each is hit by the kills of all. */
  readonly atOnce: number
  /** A fresh directory, with fresh providers, after so many runs. */
  readonly season: number
  readonly minutes: number
  readonly keep: boolean
  readonly json: string | null
}

export const providersUsage = [
  'npm run chaos -- --providers [options]',
  '  --runs n                seeded runs (200); from 200 on, more until every operation has met every fault',
  '  --seed n                of the first run; those after it count up. Repeats what an earlier run said',
  '  --kills n               kill -9 that each run plans (1); runs under way together meet the kills of all of them',
  '  --companies n           companies of a run (3)',
  '  --at-once n             runs under way together (16)',
  '  --season n              runs on one DATA_DIR and one set of providers (32)',
  '  --minutes n             begin nothing more after so many (150); the report says how to go on',
  '  --keep, --json file     as above',
].join('\n')

const defaults = { runs: 200, kills: 1, companies: 3, 'at-once': 16, season: 32, minutes: 150 }

/** @returns the arguments, or one line that says what is wrong */
export function readProvidersArguments(argv: readonly string[], freshSeed: number): ProvidersArguments | string {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const numbers: Record<keyof typeof defaults | 'seed', number> = { ...defaults, seed: freshSeed }
  let values: Readonly<Record<string, string | boolean | undefined>>
  try {
    const counted = Object.fromEntries(Object.keys(numbers).map((name) => [name, text]))
    values = parseArgs({ args: [...argv], options: { ...counted, json: text, providers: flag, keep: flag } }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const given = values[name]
    const least = name === 'kills' || name === 'seed' ? 0 : 1
    if (given === undefined) continue
    if (typeof given !== 'string' || !/^\d{1,9}$/.test(given) || Number(given) < least)
      return `--${name}: ${String(given)} is given; wanted a whole number from ${least}`
    numbers[name] = Number(given)
  }
  if (numbers.companies > 10) return `--companies: ${numbers.companies} is given; wanted at most 10`
  const { 'at-once': atOnce, ...others } = numbers
  const json = typeof values['json'] === 'string' ? values['json'] : null
  return { program: 'providers', ...others, atOnce, keep: values['keep'] === true, json }
}
