/**
 * I2, I12: everything that was asked for has come to its end once: companies, research sessions, messages, decisions.
 * A service may repeat work as often as it crashes; what it says it says once.
 */

import type { Violation } from '../../program.ts'
import type { FirstLight } from '../first-light.ts'
import type { Command } from '../people.ts'
import type { Seen, SeenEvent } from '../seen.ts'

const outside = new Set(['identity', 'ingest'])

export function accounted(seen: Seen, { people }: Pick<FirstLight, 'people'>): Violation[] {
  return [
    ...commandsThere(seen, people.sentCommands),
    ...derivedOnce(seen),
    ...causesThere(seen),
    ...companiesBegun(seen),
    ...sessionsEnded(seen),
    ...messagesEnded(seen),
    ...decisionsJudged(seen),
    ...answersUsed(seen),
    ...deadLetters(seen),
  ]
}

const violation = (invariant: Violation['invariant'], what: string): Violation => ({ invariant, what })

const place = ({ topic, partition, offset }: SeenEvent): string => `${topic}-${partition}@${offset}`

/** I1: what the log has acknowledged is in it. */
function commandsThere(seen: Seen, sent: readonly Command[]): Violation[] {
  return sent
    .filter(({ event }) => seen.byId(event.event_id) === undefined)
    .map(({ event }) => violation('I1', `${event.event_type} ${event.event_id} was acknowledged and is not there`))
}

/** I2: an event that a service made is in the log once, whatever topic it is on. */
function derivedOnce({ events }: Seen): Violation[] {
  const first = new Map<string, SeenEvent>()
  return events.flatMap((seen) => {
    if (outside.has(seen.event.source)) return []
    const earlier = first.get(seen.event.event_id)
    if (earlier === undefined) {
      first.set(seen.event.event_id, seen)
      return []
    }
    return [
      violation('I2', `${seen.event.event_type} ${seen.event.event_id} is at ${place(earlier)} and at ${place(seen)}`),
    ]
  })
}

/** Said because a timer came due: the cause is no event. */
const byTimer = (seen: SeenEvent): boolean =>
  seen.event.event_type === 'step_timed_out' || seen.event['reason'] === 'research did not finish in time'

/** I3: nothing follows from what was never committed. */
function causesThere(seen: Seen): Violation[] {
  return seen.events
    .filter((one) => !outside.has(one.event.source) && !byTimer(one))
    .filter(({ event }) => seen.byId(event.causation_id) === undefined)
    .map((one) =>
      violation(
        'I3',
        `${one.event.event_type} at ${place(one)} follows from ${one.event.causation_id}, which is nowhere`,
      ),
    )
}

/** A company that was verified begins one lifecycle and one research session of its own. */
function companiesBegun(seen: Seen): Violation[] {
  return seen.of('organization_created').flatMap(({ event }) => {
    const of = (type: string): number =>
      seen.of(type).filter(({ event: other }) => other.organization_id === event.organization_id).length
    const once = ['lifecycle_started', 'client_created']
      .filter((type) => of(type) !== 1)
      .map((type) => violation('I2', `organization ${event.organization_id}: ${of(type)} of ${type}`))
    return of('research_started') > 0
      ? once
      : [...once, violation('I1', `organization ${event.organization_id} was never researched`)]
  })
}

/** Each research session ends once: completed, failed, or before a person who has not decided. */
function sessionsEnded(seen: Seen): Violation[] {
  const decided = new Set(seen.of('review_decided').map(({ event }) => event['review_id']))
  const open = new Set(
    seen
      .of('review_requested')
      .filter(({ event }) => event['requester'] === 'research' && !decided.has(event['review_id']))
      .map(({ event }) => event['subject_ref']),
  )
  const ends = Map.groupBy(
    [...seen.of('research_completed'), ...seen.of('research_failed')],
    ({ event }) => event['research_session_id'],
  )
  return seen.of('research_started').flatMap(({ event }) => {
    const session = event['research_session_id']
    const count = (ends.get(session) ?? []).length + (open.has(session) ? 1 : 0)
    if (count === 1) return []
    return [
      violation(
        count === 0 ? 'I1' : 'I2',
        `research session ${String(session)} of ${event.organization_id} has ${count} ends`,
      ),
    ]
  })
}

function messagesEnded(seen: Seen): Violation[] {
  const ends = [...seen.of('message_sent'), ...seen.of('message_suppressed'), ...seen.of('delivery_updated')]
  const byMessage = Map.groupBy(ends, ({ event }) => event['message_id'])
  return seen.of('message_requested').flatMap(({ event }) => {
    const count = byMessage.get(event['message_id'])?.length ?? 0
    return count === 1
      ? []
      : [violation(count === 0 ? 'I1' : 'I2', `message ${String(event['message_id'])} has ${count} ends`)]
  })
}

const verdicts = ['review_decided', 'review_decision_rejected', 'review_escalated']

function decisionsJudged(seen: Seen): Violation[] {
  return seen.of('review_decision_requested').flatMap(({ event }) => {
    const told = seen.causedBy(event.event_id).filter((one) => verdicts.includes(one.event.event_type))
    if (told.length === 1) return []
    return [violation(told.length === 0 ? 'I1' : 'I2', `decision ${event.event_id} was answered ${told.length} times`)]
  })
}

/** One call is in flight at a time, so every answer moves its session or its message. */
function answersUsed(seen: Seen): Violation[] {
  return seen
    .of('call_answered')
    .filter(({ event }) => seen.causedBy(event.event_id).length === 0)
    .map((one) => violation('I1', `nothing followed from the answer at ${place(one)}`))
}

/** I12: nothing here is bad data. */
function deadLetters({ log }: Seen): Violation[] {
  return log
    .topics()
    .filter((topic) => topic.endsWith('.dlq'))
    .flatMap((topic) =>
      Array.from({ length: log.partitions(topic) }, (_, partition) => log.committed(topic, partition)),
    )
    .flat()
    .map(({ topic, partition, offset, headers }) => {
      const said = headers.map(({ key, value }) => `${key}=${value.toString()}`).join(' ')
      return violation('I12', `${topic}-${partition}@${offset} is a dead letter of good data: ${said}`)
    })
}
