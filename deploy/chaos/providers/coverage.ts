/** Which operation has met which fault, over all runs. */

import type { ProvidersArguments } from './arguments.ts'
import type { FaultKind, ProviderCall } from './faults.ts'
import { faultKinds, isPromised } from './faults.ts'

export type Met = Map<string, Map<FaultKind | 'calls' | 'killed', number>>

/** Operations of the promised classes that every set of runs comes to: each must have met each kind. */
export const mustMeet = [
  ...['create_customer', 'create_product', 'create_subscription', 'cancel_subscription', 'void_invoice'],
  ...['invoice_payments', 'refund', 'meters', 'create_meter', 'report_usage'],
]
  .map((operation) => `stripe.${operation}`)
  .concat(
    ['token', 'list_envelopes', 'create_envelope', 'void_envelope', 'combined', 'certificate'].map(
      (operation) => `docusign.${operation}`,
    ),
    ['mixpanel.import'],
    ['put_object', 'get_object', 'head_object'].map((operation) => `s3.${operation}`),
  )

export function add(met: Met, calls: readonly ProviderCall[]): void {
  for (const { provider, operation, fault, killed } of calls) {
    const name = `${provider}.${operation}`
    const counts = met.get(name) ?? new Map<FaultKind | 'calls' | 'killed', number>()
    met.set(name, counts)
    const count = (what: FaultKind | 'calls' | 'killed'): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
    count('calls')
    if (fault !== null) count(fault)
    if (killed !== null) count('killed')
  }
}

/** One line per pair that did not come. */
export function missing(met: Met): string[] {
  return mustMeet.flatMap((name) =>
    faultKinds.filter((kind) => (met.get(name)?.get(kind) ?? 0) === 0).map((kind) => `${name} has not met ${kind}`),
  )
}

/** A set in which every operation must have met every fault. */
export const isWholeSet = ({ runs }: Pick<ProvidersArguments, 'runs'>): boolean => runs >= 200

/** Those asked for and, in a whole set, as many at a time until nothing is missing. */
export function runsToCome(
  options: Pick<ProvidersArguments, 'runs' | 'atOnce'>,
  played: { readonly runs: number; readonly met: Met },
): number {
  if (played.runs < options.runs) return options.runs - played.runs
  return isWholeSet(options) && missing(played.met).length > 0 ? options.atOnce : 0
}

export function tableOf(met: Met): string[] {
  const columns = ['calls', 'killed', ...faultKinds] as const
  const width = Math.max(...[...met.keys()].map((name) => name.length), 9)
  const line = (name: string, cells: readonly (string | number)[]): string =>
    [name.padEnd(width), ...cells.map((cell, index) => String(cell).padStart(columns[index]!.length))].join('  ')
  const named = [...met].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const promisedFirst = (name: string): number => (isPromised({ provider: name.split('.')[0] ?? '' }) ? 0 : 1)
  return [
    line('operation', columns),
    ...named
      .toSorted(([a], [b]) => promisedFirst(a) - promisedFirst(b))
      .map(([name, counts]) =>
        line(
          name,
          columns.map((column) => counts.get(column) ?? 0),
        ),
      ),
  ]
}
