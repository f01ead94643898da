/** Names in the environment that were meant for us but are not ours: each is an error with the cure. */

import { notServed, variables } from './variables.ts'

const known = Object.keys(variables)

/** Beginnings that nobody else uses for something that we should leave alone. */
const prefixes = [
  ...['STATE_', 'COMMIT_', 'STREAM_', 'TIMER_', 'TRANSACTION_', 'HEARTBEAT_', 'TOPIC_', 'LOG_FSYNC', 'RATE_LIMIT_'],
  ...[
    'BODY_LIMIT',
    'JWT_',
    'DATABASE_',
    'KAFKA_BROKER',
    'KAFKA_SSL',
    'KAFKA_SASL',
    'SCHEMA_REGISTRY_',
    'DATA_KEY_',
    'PERPLEXITY_',
    'WEBSCRAPER_',
    'SENDGRID_',
    'MIXPANEL_',
    'S3_',
    'STRIPE_',
    'LLM_',
  ],
]

/** Kubernetes names a service's address this way in every pod, Kafka's own scripts the second way. */
const foreign =
  /_SERVICE_(HOST|PORT)(_|$)|_PORT(_\d+_(TCP|UDP)(_|$)|$)|^KAFKA_(HOME|OPTS|HEAP_OPTS|JMX_OPTS|LOG4J_OPTS|CLUSTERS_.*)$/

/** One line per name, sorted; empty when all is well. Names set to nothing are not looked at. */
export function misspeltNames(environment: Readonly<Record<string, string | undefined>>): string[] {
  const names = Object.keys(environment).filter((name) => environment[name] !== undefined && environment[name] !== '')
  return names
    .sort()
    .map(findingOn)
    .filter((line) => line !== null)
}

function findingOn(name: string): string | null {
  if (known.includes(name) || foreign.test(name)) return null
  for (const [prefix, reason] of Object.entries(notServed)) {
    if (name.startsWith(prefix)) return `${name}: is given, but ${reason}; unset it`
  }
  const meant = known.find((candidate) => looksLike(name, candidate))
  if (meant !== undefined) return `${name}: is not a setting; wanted ${meant}?`
  if (prefixes.some((prefix) => name.startsWith(prefix))) {
    return `${name}: is not a setting; wanted ${nearest(name)}? Otherwise unset it`
  }
  return null
}

/** Near enough to be a slip of the finger. Short names have many innocent neighbours, so they must be nearer. */
function looksLike(name: string, meant: string): boolean {
  if (meant.length >= 8 && name.toUpperCase() === meant) return true
  if (meant.length >= 8) return editDistance(name, meant) <= 2
  // MODE and NODE, HOST and LOST are different words: only a letter lost, doubled or swapped counts.
  return editDistance(name, meant) === 1 && (name.length !== meant.length || sameLetters(name, meant))
}

function sameLetters(a: string, b: string): boolean {
  return [...a].sort().join('') === [...b].sort().join('')
}

function nearest(name: string): string {
  return known.reduce((best, candidate) =>
    editDistance(name, candidate) < editDistance(name, best) ? candidate : best,
  )
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const changed = a[row - 1] === b[column - 1] ? 0 : 1
      let best = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + changed)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) best = Math.min(best, at(beforeLast, column - 2) + 1)
      current.push(best)
    }
    beforeLast = last
    last = current
  }
  return at(last, b.length)
}

const at = (row: readonly number[], column: number): number => row[column] ?? 0
