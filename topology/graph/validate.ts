/** Judges a topology whole: every finding is one line that names the node and the cure. */

import type { Node, StoreNode } from './nodes.ts'
import { splitSubTopologies } from './sub-topologies.ts'
import type { Topology } from './topology.ts'
import { isAsync, isProcessor, isSink, isSource, parentsOf, storesOf, topicName } from './topology.ts'

type Parts = Omit<Topology, 'subTopologies'>

/** Kafka's rule for topic names, which all our durable names end up in. */
const legalName = /^[a-zA-Z0-9._-]{1,200}$/

export function validate(parts: Parts): string[] {
  const findings = [...nameFindings(parts), ...edgeFindings(parts), ...storeFindings(parts), ...topicFindings(parts)]
  if (findings.length > 0) return findings
  return [...cycleFindings(parts.nodes), ...partFindings(parts)]
}

function nameFindings(parts: Parts): string[] {
  const findings: string[] = []
  const named: [string, string][] = [
    ['application', parts.name],
    ...parts.nodes.map((node): [string, string] => [node.kind, node.name]),
    ...parts.stores.map((store): [string, string] => ['store', store.name]),
    ...parts.repartitions.map((repartition): [string, string] => ['repartition', repartition.name]),
    ...[...parts.partNames.values()].map((name): [string, string] => ['part', name]),
  ]
  for (const [what, name] of named) {
    if (!legalName.test(name)) findings.push(`${what} "${name}": a name is 1 to 200 of a-z A-Z 0-9 . _ -`)
  }
  for (const [what, names] of [
    ['node', parts.nodes.map((node) => node.name)],
    ['store', parts.stores.map((store) => store.name)],
    ['repartition', parts.repartitions.map((repartition) => repartition.name)],
  ] as const) {
    for (const name of duplicates(names)) findings.push(`${what} "${name}" is declared twice: give one another name`)
  }
  return findings
}

function duplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}

function edgeFindings(parts: Parts): string[] {
  const findings: string[] = []
  const names = new Map(parts.nodes.map((node) => [node.name, node]))
  for (const node of parts.nodes) {
    if (node.kind !== 'source' && node.parents.length === 0) findings.push(`${node.kind} "${node.name}" has no parent`)
    for (const up of parentsOf(node)) {
      const found = names.get(up)
      if (found === undefined) findings.push(`${node.kind} "${node.name}" reads from unknown node "${up}"`)
      else if (isSink(found))
        findings.push(`${node.kind} "${node.name}" reads from sink "${up}": read its topic instead`)
    }
  }
  if (!parts.nodes.some(isSource)) findings.push(`application "${parts.name}" has no source`)
  return findings
}

/** Which kind of store each use needs. */
function usesOf(node: Node): [name: string, kinds: readonly StoreNode['kind'][]][] {
  if (isProcessor(node)) {
    const own = node.stores.map((name): [string, readonly StoreNode['kind'][]] => [
      name,
      ['state', 'set-aside', 'window'],
    ])
    return node.timers === null ? own : [...own, [node.timers.store, ['timers']]]
  }
  if (isAsync(node))
    return [
      [node.doneStore, ['done']],
      [node.waitingStore, ['waiting']],
      ...node.stores.map((name): [string, readonly StoreNode['kind'][]] => [name, ['state']]),
    ]
  return []
}

function storeFindings(parts: Parts): string[] {
  const findings: string[] = []
  const declared = new Map(parts.stores.map((store) => [store.name, store]))
  for (const node of parts.nodes) {
    for (const [name, kinds] of usesOf(node)) {
      const store = declared.get(name)
      if (store === undefined)
        findings.push(`${node.kind} "${node.name}" uses unknown store "${name}": declare it with store()`)
      else if (!kinds.includes(store.kind))
        findings.push(
          `${node.kind} "${node.name}" uses store "${name}" of kind ${store.kind} where ${kinds.join(' or ')} is needed`,
        )
    }
  }
  const used = new Set(parts.nodes.flatMap(storesOf))
  for (const store of parts.stores) if (!used.has(store.name)) findings.push(`store "${store.name}" is used by no node`)
  findings.push(...parts.stores.flatMap(windowFindings))
  const handled = parts.nodes.filter(isProcessor).flatMap((node) => {
    const timers = node.timers
    return timers === null ? [] : timers.handles.map((timer) => `${timers.store}: ${timer}`)
  })
  for (const timer of duplicates(handled)) findings.push(`timer "${timer}" is handled by two processors: keep one`)
  return findings
}

function windowFindings({ name, window }: StoreNode): string[] {
  if (window === undefined) return []
  const { windowSizeMs, retentionMs } = window
  if (![windowSizeMs, retentionMs].every((ms) => Number.isSafeInteger(ms) && ms > 0))
    return [`window store "${name}": size and retention are whole milliseconds above 0`]
  if (retentionMs < windowSizeMs)
    return [
      `window store "${name}" keeps ${retentionMs} ms of windows of ${windowSizeMs} ms: keep at least size and grace`,
    ]
  return []
}

function topicFindings(parts: Parts): string[] {
  const findings: string[] = []
  const sources = parts.nodes.filter(isSource)
  const read = sources.map((node) => topicName(parts, node.topic))
  for (const topic of duplicates(read)) findings.push(`topic "${topic}" is read by two sources: share one`)
  for (const sink of parts.nodes.filter(isSink)) {
    if (sink.topics.length === 0) findings.push(`sink "${sink.name}" names no topic`)
  }
  const written = new Set(parts.nodes.filter(isSink).flatMap((node) => node.topics))
  for (const { name } of parts.repartitions) {
    if (!written.has(name)) findings.push(`repartition "${name}" is written by no sink`)
    if (!sources.some((source) => source.topic === name)) findings.push(`repartition "${name}" is read by no source`)
  }
  return findings
}

function cycleFindings(nodes: readonly Node[]): string[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const finished = new Set<string>()
  const findings: string[] = []
  const visit = (name: string, path: readonly string[]): void => {
    if (finished.has(name)) return
    const at = path.indexOf(name)
    if (at >= 0) {
      findings.push(
        `nodes form a cycle: ${[...path.slice(at), name].reverse().join(' -> ')}: go through a topic instead`,
      )
      return
    }
    const node = byName.get(name)
    for (const up of node === undefined ? [] : parentsOf(node)) visit(up, [...path, name])
    finished.add(name)
  }
  for (const node of nodes) visit(node.name, [])
  return findings
}

/**
 * An async operator re-reads records from its lowest open offset after a restart, so nothing else in its part may
 * remember or write what a record upstream of it did.
 */
function partFindings(parts: Parts): string[] {
  const findings: string[] = []
  const split = splitSubTopologies(parts)
  for (const name of duplicates(split.map((part) => part.name))) {
    const named = split.filter((part) => part.name === name).map((part) => `"${part.sources[0]?.name ?? ''}"`)
    findings.push(`parts with sources ${named.join(' and ')} need names of their own: give them with part()`)
  }
  for (const part of split) {
    if (part.sources.length === 0)
      findings.push(`nodes ${part.nodes.map((node) => `"${node.name}"`).join(', ')} have no source`)
    const setAside = part.stores.filter((store) => store.kind === 'set-aside')
    if (setAside.length > 1) findings.push(`part "${part.name}" has ${setAside.length} set-aside stores: keep one`)
    const operators = part.nodes.filter(isAsync)
    if (operators.length > 1)
      findings.push(`part "${part.name}" has ${operators.length} async operators: put a repartition between them`)
    const [operator] = operators
    if (operator === undefined) continue
    if (setAside.length > 0)
      findings.push(
        `part "${part.name}" has a set-aside store beside async operator "${operator.name}": put a repartition between them`,
      )
    const upstream = ancestors(part.nodes, operator.name)
    for (const node of part.nodes) {
      if (node.name === operator.name || isSource(node)) continue
      if (upstream.has(node.name) && storesOf(node).length > 0)
        findings.push(
          `processor "${node.name}" keeps state upstream of async operator "${operator.name}": put a repartition between them`,
        )
      if (!upstream.has(node.name) && !ancestors(part.nodes, node.name).has(operator.name))
        findings.push(
          `"${node.name}" branches off beside async operator "${operator.name}": put a repartition between them`,
        )
    }
  }
  return findings
}

function ancestors(nodes: readonly Node[], name: string): Set<string> {
  const found = new Set<string>()
  const queue = [name]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const node = nodes.find((candidate) => candidate.name === next)
    for (const up of node === undefined ? [] : parentsOf(node)) {
      if (!found.has(up)) queue.push(up)
      found.add(up)
    }
  }
  return found
}

/**
 * Co-partitioning, judged with the counts the log really has: every source of a part must have as many partitions.
 * @param partitions of each topic by its name in Kafka, repartition topics resolved
 */
export function copartitionFindings(topology: Topology, partitions: ReadonlyMap<string, number>): string[] {
  const findings: string[] = []
  for (const part of topology.subTopologies) {
    if (part.stores.length === 0) continue
    const counts = part.sources.map(
      (source) => [topicName(topology, source.topic), partitions.get(topicName(topology, source.topic))] as const,
    )
    if (new Set(counts.map(([, count]) => count)).size > 1)
      findings.push(
        `application "${topology.name}": topics that share state need the same number of partitions: ${counts
          .map(([topic, count]) => `${topic} has ${count}`)
          .join(', ')}`,
      )
  }
  return findings
}
