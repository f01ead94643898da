/** I15: no deadline of the business fires when what it waited for was committed before it was due. */

import type { Violation } from '../../program.ts'
import type { Seen, SeenEvent } from '../seen.ts'

export function deadlinesKept(seen: Seen): Violation[] {
  const saving = Map.groupBy(
    [
      ...seen.of('research_completed'),
      ...seen.of('research_failed'),
      ...seen.of('review_requested').filter(({ event }) => event['requester'] === 'research'),
    ],
    ({ event }) => event.organization_id,
  )
  const started = Map.groupBy(seen.of('step_started'), ({ event }) => event.organization_id)
  return seen.of('step_timed_out').flatMap((fired): Violation[] => {
    const { organization_id: organization, timestamp: dueAt } = fired.event
    const armed = (started.get(organization) ?? []).find(({ event }) => event['deadline'] === dueAt)
    if (armed === undefined)
      return [{ invariant: 'I15', what: `${organization}: a deadline at ${dueAt} fired that nobody set` }]
    const first = seen.byId(armed.event.causation_id)?.event.event_type === 'organization_created'
    const saved = (saving.get(organization) ?? []).find((one) => saves(seen, one, armed, first, dueAt))
    if (saved === undefined) return []
    const said = `${saved.event.event_type} at ${saved.topic}-${saved.partition}@${saved.offset}`
    return [
      {
        invariant: 'I15',
        what: `${organization}: the deadline at ${dueAt} fired although ${said} was there before it`,
      },
    ]
  })
}

/** Of a later try only what came after it began can be its outcome. */
function saves(seen: Seen, outcome: SeenEvent, armed: SeenEvent, first: boolean, dueAt: number): boolean {
  if (!first && outcome.seenAt <= armed.seenAt) return false
  return outcome.seenAt < seen.log.earliestWall(dueAt)
}
