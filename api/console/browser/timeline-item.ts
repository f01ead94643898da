/** One event of a timeline, as the API tells it. */
export interface TimelineItem {
  readonly event_id: string
  readonly organization_id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly position: string
  readonly event_type: string
  readonly occurred_at: string
  readonly causation_id: string | null
  readonly correlation_id: string
  readonly source: string
  readonly actor: { readonly type: string; readonly id: string }
  readonly summary: Readonly<Record<string, unknown>>
}

/**
 * Newest first. What follows from an event bears its time: of equal times the effect comes above its cause, and within one
 * partition the later above the earlier.
 */
export function newestFirst(items: readonly TimelineItem[]): TimelineItem[] {
  const byId = new Map(items.map((item) => [item.event_id, item]))
  const depths = new Map<string, number>()
  const depth = (item: TimelineItem, seen: number): number => {
    const known = depths.get(item.event_id)
    if (known !== undefined) return known
    const cause = item.causation_id === null ? undefined : byId.get(item.causation_id)
    const found =
      cause === undefined || seen > 50 || cause.occurred_at !== item.occurred_at ? 0 : depth(cause, seen + 1) + 1
    depths.set(item.event_id, found)
    return found
  }
  return [...items].sort(
    (a, b) =>
      b.occurred_at.localeCompare(a.occurred_at) ||
      depth(b, 0) - depth(a, 0) ||
      a.topic.localeCompare(b.topic) ||
      Number(BigInt(b.offset) - BigInt(a.offset)),
  )
}
