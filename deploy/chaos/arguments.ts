/** The command line of `npm run chaos`. */

import { parseArgs } from 'node:util'

/** How often which fault is asked for. What goes on with `--resume` keeps what it was begun with. */
export interface Asked {
  readonly kills: number
  /** How often a broker dies and comes back under the process, in so many of its lives. */
  readonly brokerKills: number
  /** How often at each place between two effects; 0 leaves it to chance. */
  readonly places: number
  /** Those places alone; all that can be come to when null. */
  readonly placeNames: readonly string[] | null
  /** Connections cut or silenced under a request that writes. */
  readonly cuts: number
  /** Requests that come to their broker late. */
  readonly late: number
  /** Processes that stand still until another has taken over, and go on. */
  readonly zombies: number
  /** Members that come or go while a commit is on its way. */
  readonly rebalances: number
  /** How often three processes of the build before become this build's, one by one. */
  readonly upgrades: number
  /** Which build that is: a directory with it, or a revision. */
  readonly before: string
  /** What the brokers are formatted with. */
  readonly transactionVersion: 0 | 2
  /** The brokers ask who one is, and what one may. */
  readonly secured: boolean
}

export interface ChaosArguments extends Asked {
  readonly program: 'ledger' | 'acquire'
  /** Which log the process has: its own in the same process, or a Kafka that is started for it. */
  readonly log: 'embedded' | 'kafka'
  readonly copies: number
  readonly review: number
  /** Everything random follows from it; printed, so that a failure can be repeated. */
  readonly seed: number
  /** Longest time a started process lives before it is killed, in ms. */
  readonly lifeMs: number
  readonly stateFlushBytes: number
  readonly concurrency: number
  readonly timeoutMin: number
  /** A check follows every so many lives. */
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
  '  --kills n               kill -9 so often (400, or 0 where other faults are asked for; acquire 25)',
  '  --places n              ledger: kill it besides n times at each place between two effects (0: some of the kills, by chance)',
  '  --place C06,C07         of the places these alone',
  '  --broker-kills n        kafka: of three brokers one is killed too in so many lives, and started again (0)',
  '  --cuts n                kafka: end or silence a connection under so many requests that write (0)',
  '  --late n                kafka: hold so many requests back until it is too late for them (0)',
  '  --zombies n             kafka: stop a process until another has taken over, and let it go on (0)',
  '  --rebalances n          kafka: a second process comes or goes while a commit is on its way (0)',
  '  --upgrades n            kafka: three processes of the build before become this one, in any order (0)',
  '  --before build          which that is: a directory with it, or a revision (HEAD^)',
  '  --transaction-version n kafka: 2, or 0 for the protocol before KIP-890 (2)',
  '  --secured               kafka: by SASL, with the rights that the programs need and no others',
  '  --seed n                repeats the moments of an earlier run',
  '  --life-ms n             longest life of a process that became ready (1000; acquire 12000)',
  '  --state-flush-bytes n   STATE_FLUSH_BYTES of the process (65536; acquire 262144)',
  '  --minutes n             stop after so many minutes (30); the ledger goes on with --resume',
  '  --check-every n         ledger: check after so many lives (20)',
  '  --resume directory      ledger: go on with a run that was interrupted or whose minutes were over',
  '  --copies n              acquire: of the 100 companies of example:acquire (10)',
  '  --review n              acquire: how many of them go to review (37)',
  '  --concurrency n         acquire: companies under way at once (24)',
  '  --keep                  leave the data directory behind',
  '  --json file             write the report there as JSON',
].join('\n')

const faultsOfKafka = {
  'broker-kills': 0,
  cuts: 0,
  late: 0,
  zombies: 0,
  rebalances: 0,
  upgrades: 0,
  'transaction-version': 2,
}
const shared = { copies: 10, review: 37, concurrency: 24, minutes: 30, 'check-every': 20, places: 0, ...faultsOfKafka }
const defaults = {
  ledger: { ...shared, kills: 400, 'life-ms': 1000, 'state-flush-bytes': 65_536 },
  acquire: { ...shared, kills: 25, 'life-ms': 12_000, 'state-flush-bytes': 262_144 },
} as const

type Numbers = Record<keyof typeof defaults.ledger | 'seed', number>
type Values = Readonly<Record<string, string | boolean | undefined>>

/**
 * @param freshSeed taken when none is given
 * @returns the arguments, or one line that says what is wrong
 */
export function readChaosArguments(argv: readonly string[], freshSeed: number): ChaosArguments | string {
  const program = argv.includes('acquire') ? 'acquire' : 'ledger'
  const numbers: Numbers = { ...defaults[program], seed: freshSeed }
  const values = valuesOf(argv, Object.keys(numbers))
  if (typeof values === 'string') return values
  const misread = wrongWords(values, program) ?? readNumbers(values, numbers)
  withoutMereKills(values, numbers)
  const wrong = misread ?? wrongNumbers(values, numbers)
  return wrong ?? argumentsOf(values, numbers, program)
}

function valuesOf(argv: readonly string[], numbers: readonly string[]): Values | string {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const counted = Object.fromEntries(numbers.map((name) => [name, text]))
  const texts = { program: text, json: text, resume: text, place: text, before: text }
  try {
    const flags = { embedded: flag, kafka: flag, keep: flag, secured: flag }
    return parseArgs({ args: [...argv], options: { ...counted, ...texts, ...flags } }).values
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
}

function wrongWords(values: Values, program: ChaosArguments['program']): string | null {
  if ((values['embedded'] === true) === (values['kafka'] === true))
    return '--embedded, --kafka: wanted one of the two: whose log it is'
  if (values['secured'] === true && values['kafka'] !== true) return '--secured: is given without --kafka; wanted both'
  if (values['kafka'] === true && program === 'acquire')
    return '--kafka: is given with --program acquire, which this build kills on the embedded log only'
  if ((values['program'] ?? 'ledger') !== program)
    return `--program: ${String(values['program'])} is given; wanted ledger or acquire`
  const place = values['place']
  if (place !== undefined && (typeof place !== 'string' || !/^C\d\d(,C\d\d)*$/.test(place)))
    return `--place: ${String(place)} is given; wanted places with commas between them, like C06,C07`
  return null
}

/** Fills in those that are given. */
function readNumbers(values: Values, numbers: Numbers): string | null {
  for (const name of Object.keys(numbers) as (keyof Numbers)[]) {
    const given = values[name]
    if (given === undefined) continue
    if (typeof given !== 'string' || !/^\d{1,9}$/.test(given))
      return `--${name}: ${String(given)} is given; wanted a whole number`
    numbers[name] = Number(given)
  }
  return null
}

/** Whoever asks for other faults has not asked for 400 kills. */
function withoutMereKills(values: Values, numbers: Numbers): void {
  const { places, cuts, late, zombies, rebalances, upgrades } = numbers
  const others = places + cuts + late + zombies + rebalances + upgrades
  if (values['kills'] === undefined && others > 0) numbers.kills = numbers['broker-kills']
}

function wrongNumbers(values: Values, numbers: Numbers): string | null {
  const ofKafka = Object.keys(faultsOfKafka).find((name) => values[name] !== undefined && values['kafka'] !== true)
  if (ofKafka !== undefined) return `--${ofKafka}: is given without --kafka; wanted both`
  const {
    kills,
    'broker-kills': brokerKills,
    'transaction-version': version,
    cuts,
    late,
    zombies,
    rebalances,
    upgrades,
  } = numbers
  if (values['secured'] === true && cuts + late + zombies + rebalances + upgrades > 0)
    return '--secured: is given with faults on the wire, which stands open there; wanted --kills, --places and --broker-kills alone'
  if (brokerKills > kills) return `--broker-kills: ${brokerKills} is given; wanted at most one a kill (${kills})`
  if (version !== 0 && version !== 2) return `--transaction-version: ${version} is given; wanted 0 or 2`
  if (values['before'] !== undefined && upgrades === 0) return '--before: is given without --upgrades; wanted both'
  if (values['place'] !== undefined && numbers.places === 0) return '--place: is given without --places; wanted both'
  return null
}

function argumentsOf(values: Values, numbers: Numbers, program: ChaosArguments['program']): ChaosArguments {
  const { kills, places, cuts, late, zombies, rebalances, copies, review, seed, concurrency } = numbers
  const textOf = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null)
  return {
    ...{ program, kills, places, cuts, late, zombies, rebalances, copies, review, seed, concurrency },
    brokerKills: numbers['broker-kills'],
    upgrades: numbers.upgrades,
    before: textOf('before') ?? 'HEAD^',
    placeNames: textOf('place')?.split(',') ?? null,
    transactionVersion: numbers['transaction-version'] === 0 ? 0 : 2,
    secured: values['secured'] === true,
    log: values['kafka'] === true ? 'kafka' : 'embedded',
    lifeMs: Math.max(500, numbers['life-ms']),
    stateFlushBytes: numbers['state-flush-bytes'],
    timeoutMin: numbers.minutes,
    checkEvery: Math.max(1, numbers['check-every']),
    resume: textOf('resume'),
    keep: values['keep'] === true,
    json: textOf('json'),
  }
}
