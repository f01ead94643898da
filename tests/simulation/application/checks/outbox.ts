/** O1 to O5 of the relay: each row of the outbox is in the log once, in the order of its key, and knows where. */

import type { Violation } from '../../program.ts'
import type { FirstLight } from '../first-light.ts'
import type { Seen } from '../seen.ts'

export function carriedOnce(seen: Seen, { people, outbox }: FirstLight): Violation[] {
  const records = Map.groupBy(
    seen.events.filter(({ event, again }) => event.source === 'identity' && !again),
    ({ event }) => event.event_id,
  )
  const rows = new Map(outbox.rows.map((row) => [row.id, row]))
  const known = new Set(people.put.map(({ event }) => event.event_id))
  const each = people.put.flatMap(({ id, topic, key, event }): Violation[] => {
    const found = records.get(event.event_id) ?? []
    const [record] = found
    if (record === undefined || found.length > 1)
      return [
        { invariant: record === undefined ? 'I1' : 'I2', what: `outbox:${id} is in the log ${found.length} times` },
      ]
    const row = rows.get(id)
    const told = row?.offset ?? null
    if (record.topic !== topic || record.key !== key)
      return [{ invariant: 'I2', what: `outbox:${id} went to ${record.topic} under ${record.key}` }]
    if (row !== undefined && row.sentAt === null)
      return [{ invariant: 'I1', what: `outbox:${id} is in the log and not marked sent` }]
    if (told === null || (told === record.offset && row?.partition === record.partition)) return []
    return [
      {
        invariant: 'I7',
        what: `outbox:${id} is said to be at ${row?.partition}@${told} and is at ${record.partition}@${record.offset}`,
      },
    ]
  })
  const invented = [...records.keys()].filter((id) => !known.has(id))
  return [
    ...each,
    ...inOrder(seen, people.put),
    ...invented.map((id): Violation => ({ invariant: 'I3', what: `${id} never was in the outbox` })),
  ]
}

function inOrder(seen: Seen, put: FirstLight['people']['put']): Violation[] {
  const offsets = new Map(
    seen.events
      .filter(({ event, again }) => event.source === 'identity' && !again)
      .map(({ event, offset }) => [event.event_id, offset]),
  )
  const byKey = Map.groupBy(put, ({ topic, key }) => `${topic} ${key}`)
  return [...byKey].flatMap(([place, rows]): Violation[] => {
    const order = rows.flatMap(({ event }) => offsets.get(event.event_id) ?? [])
    const sorted = order.every((offset, n) => n === 0 || offset > order[n - 1]!)
    return sorted ? [] : [{ invariant: 'I2', what: `${place}: the rows of the outbox are out of order in the log` }]
  })
}
