/** The command line of `npm run chaos`. */

import { parseArgs } from 'node:util'

export interface ChaosArguments {
  readonly kills: number
  readonly copies: number
  readonly review: number
  /** Everything random follows from it; printed, so that a failure can be repeated. */
  readonly seed: number
  /** Longest time a started process lives before it is killed, in ms. */
  readonly lifeMs: number
  readonly stateFlushBytes: number
  readonly concurrency: number
  readonly timeoutMin: number
  /** Leaves the data directory behind, also after success. */
  readonly keep: boolean
  readonly json: string | null
}

export const usage = [
  'npm run chaos -- --embedded [options]',
  '  --kills n               kill -9 so often (25)',
  '  --copies n              of the 100 companies of example:acquire (10)',
  '  --review n              how many of them go to review (37)',
  '  --seed n                repeats the moments of an earlier run',
  '  --life-ms n             longest life of a process (12000)',
  '  --state-flush-bytes n   STATE_FLUSH_BYTES of the process (262144)',
  '  --concurrency n         companies under way at once (24)',
  '  --timeout-min n         give up after so many minutes (30)',
  '  --keep                  leave the data directory behind',
  '  --json file             write the report there as JSON',
].join('\n')

/**
 * @param freshSeed taken when none is given
 * @returns the arguments, or one line that says what is wrong
 */
export function readChaosArguments(argv: readonly string[], freshSeed: number): ChaosArguments | string {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const numbers = {
    ...{ kills: 25, copies: 10, review: 37, seed: freshSeed, 'life-ms': 12_000 },
    ...{ 'state-flush-bytes': 262_144, concurrency: 24, 'timeout-min': 30 },
  }
  let values: Readonly<Record<string, string | boolean | undefined>>
  try {
    const counted = Object.fromEntries(Object.keys(numbers).map((name) => [name, text]))
    values = parseArgs({ args: [...argv], options: { ...counted, embedded: flag, keep: flag, json: text } }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
  if (values['embedded'] !== true) return '--embedded: is not given; this build has no other parts to kill'
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const given = values[name]
    if (given === undefined) continue
    if (typeof given !== 'string' || !/^\d{1,9}$/.test(given))
      return `--${name}: ${String(given)} is given; wanted a whole number`
    numbers[name] = Number(given)
  }
  const { kills, copies, review, seed, concurrency } = numbers
  return {
    ...{ kills, copies, review, seed, concurrency },
    lifeMs: Math.max(500, numbers['life-ms']),
    stateFlushBytes: numbers['state-flush-bytes'],
    timeoutMin: numbers['timeout-min'],
    keep: values['keep'] === true,
    json: typeof values['json'] === 'string' ? values['json'] : null,
  }
}
