import type { Node, SourceNode } from './nodes.ts'
import type { SubTopology, Topology } from './topology.ts'
import { isSource, parentsOf, storesOf } from './topology.ts'

type Parts = Pick<Topology, 'nodes' | 'stores' | 'partNames'>

/** Connected components over parent edges and shared stores, in order of declaration. */
export function splitSubTopologies(parts: Parts): SubTopology[] {
  const leader = joinNodes(parts.nodes)
  const groups = new Map<string, Node[]>()
  for (const node of parts.nodes) {
    const root = leader(node.name)
    const group = groups.get(root)
    if (group === undefined) groups.set(root, [node])
    else group.push(node)
  }
  return [...groups.values()].map((nodes) => {
    const names = new Set(nodes.flatMap(storesOf))
    const sources = nodes.filter(isSource)
    return Object.freeze({
      name: nameOf(sources, parts.partNames),
      nodes: Object.freeze(parentsFirst(nodes)),
      stores: Object.freeze(parts.stores.filter((store) => names.has(store.name))),
      sources: Object.freeze(sources),
    })
  })
}

/** A part alone needs no name; several are told apart by hand (validate sees to it). */
function nameOf(sources: readonly SourceNode[], names: ReadonlyMap<string, string>): string {
  for (const source of sources) {
    const name = names.get(source.name)
    if (name !== undefined) return name
  }
  return 'main'
}

/** Union-find over names. */
function joinNodes(nodes: readonly Node[]): (name: string) => string {
  const parent = new Map<string, string>()
  const find = (name: string): string => {
    const up = parent.get(name) ?? name
    return up === name ? name : find(up)
  }
  const join = (a: string, b: string): void => {
    parent.set(find(b), find(a))
  }
  for (const node of nodes) {
    for (const up of parentsOf(node)) join(up, node.name)
    for (const store of storesOf(node)) join(`store ${store}`, node.name)
  }
  return find
}

function parentsFirst(nodes: readonly Node[]): Node[] {
  const sorted: Node[] = []
  const done = new Set<string>()
  const visit = (node: Node): void => {
    if (done.has(node.name)) return
    done.add(node.name)
    for (const name of parentsOf(node)) {
      const up = nodes.find((candidate) => candidate.name === name)
      if (up !== undefined) visit(up)
    }
    sorted.push(node)
  }
  nodes.forEach(visit)
  return sorted
}
