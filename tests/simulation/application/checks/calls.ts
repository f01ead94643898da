/**
 * Outside calls, by the log and by the providers' own books. Each request is answered once; a provider is asked only for what
 * was committed; what it was asked twice under the same attempt lies across a place where a task could change hands.
 */

import type { Violation } from '../../program.ts'
import type { FirstLight } from '../first-light.ts'
import type { ProviderEntry } from '../providers.ts'
import type { Seen, SeenEvent } from '../seen.ts'

export function calls(seen: Seen, world: FirstLight): Violation[] {
  return [
    ...answeredOnce(seen),
    ...askedForCommitted(seen, world.providers.entries),
    ...oneKeyPerCall(seen),
    ...repeats(world),
  ]
}

const nameOf = ({ event }: SeenEvent): string => `${String(event['call_id'])} ${String(event['attempt'])}`

function answeredOnce(seen: Seen): Violation[] {
  const requests = Map.groupBy(seen.of('call_requested'), nameOf)
  const answers = Map.groupBy(seen.of('call_answered'), nameOf)
  const unanswered = [...requests].flatMap(([name, all]): Violation[] => {
    const count = answers.get(name)?.length ?? 0
    if (all.length !== 1) return [{ invariant: 'I2', what: `call ${name} was requested ${all.length} times` }]
    return count === 1
      ? []
      : [{ invariant: count === 0 ? 'I1' : 'I2', what: `call ${name} was answered ${count} times` }]
  })
  const unasked = [...answers.keys()].filter((name) => !requests.has(name))
  return [
    ...unanswered,
    ...unasked.map((name): Violation => ({ invariant: 'I3', what: `call ${name} was never requested` })),
  ]
}

/** I3: a request of an aborted transaction reaches nobody; what reaches a provider is what was committed. */
function askedForCommitted(seen: Seen, entries: readonly ProviderEntry[]): Violation[] {
  const requests = new Map(seen.of('call_requested').map((request) => [nameOf(request), request.event]))
  return entries.flatMap((entry): Violation[] => {
    const { provider, key, attempt, tenantId, operation, request } = entry
    const event = requests.get(`${key} ${attempt}`)
    if (event === undefined)
      return [{ invariant: 'I3', what: `${provider} was asked for ${key} ${attempt}, which is not committed` }]
    const same =
      event.tenant_id === tenantId &&
      event['provider'] === provider &&
      event['operation'] === operation &&
      JSON.stringify(event['request']) === request
    return same ? [] : [{ invariant: 'I2', what: `${provider} was asked something else than ${key} ${attempt} says` }]
  })
}

/** A provider that takes our key is asked for one thing under one key, however often. */
function oneKeyPerCall(seen: Seen): Violation[] {
  const sessions = Map.groupBy(seen.of('research_started'), ({ event }) => event.organization_id)
  const scrapes = Map.groupBy(
    seen.of('call_requested').filter(({ event }) => event['provider'] === 'webscraper'),
    ({ event }) => event.organization_id,
  )
  return [...scrapes].flatMap(([organization, requests]): Violation[] => {
    const keys = new Set(requests.map(({ event }) => event['call_id'])).size
    const most = sessions.get(organization)?.length ?? 0
    return keys <= most
      ? []
      : [{ invariant: 'I2', what: `${organization}: ${keys} scrapes under keys of their own in ${most} sessions` }]
  })
}

function repeats({ providers, incidents, notices }: FirstLight): Violation[] {
  const byAttempt = Map.groupBy(
    // In the order they were sent: one request may take longer on its way than the next.
    providers.entries.filter(({ done }) => done).toSorted((a, b) => a.sentAt - b.sentAt),
    ({ provider, key, attempt }) => `${provider} ${key} ${attempt}`,
  )
  const excused = (earlier: ProviderEntry, later: ProviderEntry): boolean =>
    earlier.caller !== later.caller ||
    [...incidents, ...notices].some(
      ({ at, life }) => life === later.caller && at >= earlier.sentAt && at <= later.sentAt,
    )
  return [...byAttempt].flatMap(([name, entries]) =>
    entries.slice(1).flatMap((later, n): Violation[] => {
      const earlier = entries[n]!
      if (excused(earlier, later)) return []
      return [
        {
          invariant: 'I2',
          what: `${name} was done at ${earlier.at} and again at ${later.at} by ${later.caller}, without a reason`,
        },
      ]
    }),
  )
}
