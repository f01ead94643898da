/** A stream program as one frozen value: nodes, stores, and the sub-topologies they fall into. No I/O, no clock. */

import type { Node, ProcessorNode, RepartitionNode, SinkNode, SourceNode, StoreNode, AsyncNode } from './nodes.ts'

/** A connected part: its tasks are this part times its partitions. Parts meet only through topics. */
export interface SubTopology {
  /** Durable, names the task directory: given by hand with `part()`, or `main` when there is one. */
  readonly name: string
  readonly nodes: readonly Node[]
  readonly stores: readonly StoreNode[]
  readonly sources: readonly SourceNode[]
}

export interface Topology {
  /** Application id: group, transactional ids and changelogs carry it. */
  readonly name: string
  readonly nodes: readonly Node[]
  readonly stores: readonly StoreNode[]
  readonly repartitions: readonly RepartitionNode[]
  /** Names of parts, by a source in each. */
  readonly partNames: ReadonlyMap<string, string>
  readonly subTopologies: readonly SubTopology[]
}

export const isSource = (node: Node): node is SourceNode => node.kind === 'source'
export const isProcessor = (node: Node): node is ProcessorNode => node.kind === 'processor'
export const isSink = (node: Node): node is SinkNode => node.kind === 'sink'
export const isAsync = (node: Node): node is AsyncNode => node.kind === 'async'

export const parentsOf = (node: Node): readonly string[] => (node.kind === 'source' ? [] : node.parents)

/** Every store a node touches, its timers' and its operator's own included. */
export function storesOf(node: Node): readonly string[] {
  if (node.kind === 'processor') return node.timers === null ? node.stores : [...node.stores, node.timers.store]
  if (node.kind === 'async') return [node.doneStore, node.waitingStore, ...node.stores]
  return []
}

export const changelogTopic = (application: string, store: string): string => `${application}-${store}-changelog`
export const repartitionTopic = (application: string, name: string): string => `${application}-${name}-repartition`
export const deadLetterTopic = (topic: string): string => `${topic}.dlq`

/** Every topic that an application reads or writes, its own and dead letters included, as Kafka knows it. */
export function topicNames(topology: Topology): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { sources, nodes, stores } of topology.subTopologies) {
    for (const source of sources) names.add(topicName(topology, source.topic))
    for (const sink of nodes.filter(isSink)) for (const topic of sink.topics) names.add(topicName(topology, topic))
    for (const store of stores) if (store.logged) names.add(changelogTopic(topology.name, store.name))
  }
  for (const source of topology.nodes.filter(isSource)) names.add(deadLetterTopic(topicName(topology, source.topic)))
  return names
}

/** The name in Kafka of a topic that a source or sink names. */
export function topicName(topology: Pick<Topology, 'name' | 'repartitions'>, declared: string): string {
  const own = topology.repartitions.some((repartition) => repartition.name === declared)
  return own ? repartitionTopic(topology.name, declared) : declared
}
