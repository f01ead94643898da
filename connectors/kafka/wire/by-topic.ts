/** What is asked of partitions stands by topic in Kafka's requests. */
export function byTopic<T extends { readonly topic: string }>(parts: readonly T[]): [topic: string, parts: T[]][] {
  return [...Map.groupBy(parts, ({ topic }) => topic)]
}
