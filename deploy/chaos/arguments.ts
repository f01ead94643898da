/** The command line of `npm run chaos`. */

import { parseArgs } from 'node:util'

export interface ChaosArguments {
  readonly program: 'ledger' | 'acquire'
  /** Which log the process has: its own in the same process, or a Kafka that is started for it. */
  readonly log: 'embedded' | 'kafka'
  /** The Kafka asks who one is, and what one may. */
  readonly secured: boolean
  readonly kills: number
  /** How often a broker dies and comes back under the process, in so many of its lives. */
  readonly brokerKills: number
  readonly copies: number
  readonly review: number
  /** Everything random follows from it; printed, so that a failure can be repeated. */
  readonly seed: number
  /** Longest time a started process lives before it is killed, in ms. */
  readonly lifeMs: number
  readonly stateFlushBytes: number
  readonly concurrency: number
  readonly timeoutMin: number
  /** A check follows every so many kills. */
  readonly checkEvery: number
  /** The directory of an interrupted run to go on with. */
  readonly resume: string | null
  /** Leaves the data directory behind, also after success. */
  readonly keep: boolean
  readonly json: string | null
}

export const usage = [
  'npm run chaos -- --embedded | --kafka [options]',
  '  --program p             ledger: the engine alone; acquire: the product (ledger)',
  '  --kills n               kill -9 so often (400; acquire 25)',
  '  --broker-kills n        kafka: of three brokers one is killed too in so many lives, and started again (0)',
  '  --secured               kafka: by SASL, with the rights that the programs need and no others',
  '  --seed n                repeats the moments of an earlier run',
  '  --life-ms n             longest life of a process that became ready (1000; acquire 12000)',
  '  --state-flush-bytes n   STATE_FLUSH_BYTES of the process (65536; acquire 262144)',
  '  --minutes n             stop after so many minutes (30)',
  '  --check-every n         ledger: check after so many kills (20)',
  '  --resume directory      ledger: go on with an interrupted run',
  '  --copies n              acquire: of the 100 companies of example:acquire (10)',
  '  --review n              acquire: how many of them go to review (37)',
  '  --concurrency n         acquire: companies under way at once (24)',
  '  --keep                  leave the data directory behind',
  '  --json file             write the report there as JSON',
].join('\n')

const shared = { copies: 10, review: 37, concurrency: 24, minutes: 30, 'check-every': 20, 'broker-kills': 0 }
const defaults = {
  ledger: { ...shared, kills: 400, 'life-ms': 1000, 'state-flush-bytes': 65_536 },
  acquire: { ...shared, kills: 25, 'life-ms': 12_000, 'state-flush-bytes': 262_144 },
} as const

/**
 * @param freshSeed taken when none is given
 * @returns the arguments, or one line that says what is wrong
 */
export function readChaosArguments(argv: readonly string[], freshSeed: number): ChaosArguments | string {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const texts = { program: text, json: text, resume: text }
  const program = argv.includes('acquire') ? 'acquire' : 'ledger'
  const numbers: Record<keyof typeof defaults.ledger | 'seed', number> = { ...defaults[program], seed: freshSeed }
  let values: Readonly<Record<string, string | boolean | undefined>>
  try {
    const counted = Object.fromEntries(Object.keys(numbers).map((name) => [name, text]))
    const options = { ...counted, ...texts, embedded: flag, kafka: flag, keep: flag, secured: flag }
    values = parseArgs({ args: [...argv], options }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
  if ((values['embedded'] === true) === (values['kafka'] === true))
    return '--embedded, --kafka: wanted one of the two: whose log it is'
  if (values['secured'] === true && values['kafka'] !== true) return '--secured: is given without --kafka; wanted both'
  if (values['kafka'] === true && program === 'acquire')
    return '--kafka: is given with --program acquire, which this build kills on the embedded log only'
  if (values['kafka'] === true && values['resume'] !== undefined)
    return '--resume: is given with --kafka, whose broker ends with the run'
  if ((values['program'] ?? 'ledger') !== program)
    return `--program: ${String(values['program'])} is given; wanted ledger or acquire`
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const given = values[name]
    if (given === undefined) continue
    if (typeof given !== 'string' || !/^\d{1,9}$/.test(given))
      return `--${name}: ${String(given)} is given; wanted a whole number`
    numbers[name] = Number(given)
  }
  const { kills, copies, review, seed, concurrency } = numbers
  const brokerKills = numbers['broker-kills']
  if (brokerKills > 0 && values['kafka'] !== true) return '--broker-kills: is given without --kafka; wanted both'
  if (brokerKills > kills) return `--broker-kills: ${brokerKills} is given; wanted at most one a kill (${kills})`
  return {
    ...{ program, kills, brokerKills, copies, review, seed, concurrency },
    log: values['kafka'] === true ? 'kafka' : 'embedded',
    secured: values['secured'] === true,
    lifeMs: Math.max(500, numbers['life-ms']),
    stateFlushBytes: numbers['state-flush-bytes'],
    timeoutMin: numbers.minutes,
    checkEvery: Math.max(1, numbers['check-every']),
    resume: typeof values['resume'] === 'string' ? values['resume'] : null,
    keep: values['keep'] === true,
    json: typeof values['json'] === 'string' ? values['json'] : null,
  }
}
