/** The command line of `npm run chaos -- --program producer`. */

import { parseArgs } from 'node:util'

export interface ProducerArguments {
  readonly via: 'http' | 'kafka'
  readonly events: number
  readonly kills: number
  /** http: how often the platform is killed too. */
  readonly platformKills: number
  readonly seed: number
  /** The most events that are sent together. */
  readonly unitEvents: number
  readonly timeoutMin: number
  readonly keep: boolean
  readonly json: string | null
}

export const producerUsage = [
  'npm run chaos -- --program producer --via http|kafka [options]',
  '  --via p                 http: through the ingest API of a platform that is started for it; kafka: into a broker',
  '  --events n              events of two tenants (20000)',
  '  --kills n               kill -9 the producer so often (10)',
  '  --platform-kills n      http: and the platform so often, in between (0)',
  '  --unit-events n         most events that are sent together (200)',
  '  --seed n, --minutes n, --keep, --json file as above',
].join('\n')

const defaults = { events: 20_000, kills: 10, 'platform-kills': 0, 'unit-events': 200, minutes: 30 }

/** @returns the arguments, or one line that says what is wrong */
export function readProducerArguments(argv: readonly string[], freshSeed: number): ProducerArguments | string {
  const text = { type: 'string' } as const
  const numbers: Record<keyof typeof defaults | 'seed', number> = { ...defaults, seed: freshSeed }
  let values: Readonly<Record<string, string | boolean | undefined>>
  try {
    const counted = Object.fromEntries(Object.keys(numbers).map((name) => [name, text]))
    const options = { ...counted, program: text, via: text, json: text, keep: { type: 'boolean' } as const }
    values = parseArgs({ args: [...argv], options }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
  const { via } = values
  if (via !== 'http' && via !== 'kafka') return `--via: ${String(via)} is given; wanted http or kafka`
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const given = values[name]
    if (given === undefined) continue
    if (typeof given !== 'string' || !/^\d{1,9}$/.test(given))
      return `--${name}: ${String(given)} is given; wanted a whole number`
    numbers[name] = Number(given)
  }
  if (numbers['platform-kills'] > 0 && via === 'kafka')
    return '--platform-kills: is given with --via kafka; wanted http'
  if (numbers['unit-events'] < 1 || numbers['unit-events'] > 1_000)
    return `--unit-events: ${numbers['unit-events']} is given; wanted 1 to 1000`
  return {
    ...{ via, events: numbers.events, kills: numbers.kills, platformKills: numbers['platform-kills'] },
    ...{ seed: numbers.seed, unitEvents: numbers['unit-events'] },
    timeoutMin: numbers.minutes,
    keep: values['keep'] === true,
    json: typeof values['json'] === 'string' ? values['json'] : null,
  }
}
