/**
 * I18, I1: a key that was sent any number of times, anywhere, is one event and one answer; another body under it is refused;
 * another tenant's is another request. What was acknowledged is in the log once, where the answer says.
 */

import type { Receipt } from '../../../../api/index.ts'
import type { Violation } from '../../program.ts'
import type { ClientAnswer, Sending } from '../clients.ts'
import type { FirstLight } from '../first-light.ts'
import type { Seen, SeenEvent } from '../seen.ts'

export function ingested(seen: Seen, { clients, reservations }: FirstLight): Violation[] {
  const events = Map.groupBy(
    seen.events.filter(({ event, again }) => event.source === 'ingest' && !again),
    (one) => `${one.event.tenant_id} ${serialOf(markOf(one) ?? '')}`,
  )
  const sent = Map.groupBy(clients.sendings, ({ request }) => `${request.principal.tenantId} ${serialOf(request.mark)}`)
  const invented = [...events.keys()].filter((name) => !sent.has(name))
  return [
    ...[...sent].flatMap(([name, sendings]) => oneRequest(name, sendings, events.get(name) ?? [])),
    ...invented.map((name): Violation => ({ invariant: 'I3', what: `nobody sent the event of ${name}` })),
    ...reservations.takeovers
      .filter(({ fenced }) => !fenced)
      .map(({ by, from, key }): Violation => ({
        invariant: 'I18',
        what: `${by} took over ${key} and did not fence ${from}`,
      })),
  ]
}

function oneRequest(name: string, sendings: readonly Sending[], events: readonly SeenEvent[]): Violation[] {
  const receipts = sendings.flatMap(({ request, answers }) =>
    answers.filter(isReceipt).map((receipt) => ({ mark: request.mark, receipt })),
  )
  const found = [...refusals(sendings), ...receipts.flatMap(({ mark, receipt }) => there(mark, receipt, events))]
  const said = (what: string): Violation => ({ invariant: 'I18', what: `request ${name}: ${what}` })
  if (sendings[0]?.request.key === undefined) {
    const most = sendings.reduce((sum, sending) => sum + mayHaveWritten(sending), 0)
    return events.length <= most ? found.map(said) : [...found, `${events.length} events of ${most} attempts`].map(said)
  }
  const answers = new Set(receipts.map(({ mark, receipt }) => JSON.stringify([mark, receipt])))
  if (answers.size > 1) found.push(`was answered ${[...answers].join(' and ')}`)
  if (events.length > 1) found.push(`wrote ${events.length} events, at ${events.map(placeOf).join(' and ')}`)
  const lost = receipts.length > 0 && events.length === 0
  return [
    ...found.map(said),
    ...(lost ? [{ invariant: 'I1', what: `request ${name} was acknowledged and is not there` } as const] : []),
  ]
}

/** A refusal must have a reason: a key in use under another body. */
function refusals(sendings: readonly Sending[]): string[] {
  const bodies = new Set(sendings.filter(({ tries }) => tries > 0).map(({ request }) => request.mark)).size
  return sendings.flatMap(({ request, answers }) =>
    answers.flatMap((answer) => {
      if (isReceipt(answer) || answer.refused >= 500) return []
      const reused = answer.refused === 422 && answer.code === 'idempotency_key_reused'
      return reused && bodies > 1 ? [] : [`${request.mark} was refused as ${answer.refused} ${answer.code}`]
    }),
  )
}

/** The event of a receipt is where it says, and says what was sent. */
function there(mark: string, { eventIds, positions }: Receipt, events: readonly SeenEvent[]): string[] {
  const [eventId, position] = [eventIds[0], positions[0]]
  const found = events.filter(({ event }) => event.event_id === eventId)
  if (found.length !== 1) return [`event ${eventId} was acknowledged and is there ${found.length} times`]
  const [one] = found
  if (placeOf(one!) !== position) return [`event ${eventId} is at ${placeOf(one!)} and was said to be at ${position}`]
  return markOf(one!) === mark ? [] : [`${mark} was answered with the event of ${markOf(one!)}`]
}

/** Without a key, each try may write once, unless it was answered that it did not (G2). */
const mayHaveWritten = ({ tries, answers }: Sending): number =>
  tries - answers.filter((answer) => !isReceipt(answer) && answer.code !== 'outcome_unknown').length

const isReceipt = (answer: ClientAnswer): answer is Receipt => !('refused' in answer)
const placeOf = ({ topic, partition, offset }: SeenEvent): string => `${topic}-${partition}@${offset}`

const serialOf = (mark: string): string => mark.slice(0, -1)

function markOf({ event }: SeenEvent): string | null {
  const text = `${String(event['comment'] ?? '')} ${String(event['reason'] ?? '')}`
  return /under \d+[ab]/.exec(text)?.[0] ?? null
}
