/**
 * The map of the topology: what is read on the left, the applications in the middle, what is written on the right, so that
 * every line leads to the right and none crosses a box. Pure: places alone.
 */

import type { ApplicationView } from './topology-view.ts'

export interface MapNode {
  readonly id: string
  readonly name: string
  readonly kind: 'topic' | 'repartition' | 'application'
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface MapEdge {
  readonly application: string
  readonly topic: string
  readonly way: 'reads' | 'writes'
  /** Of a path of SVG. */
  readonly d: string
}

export interface TopologyMap {
  readonly width: number
  readonly height: number
  readonly nodes: readonly MapNode[]
  readonly edges: readonly MapEdge[]
}

const width = 1_100
const margin = 8
const topicSize = { width: 206, height: 30, gap: 12 }
const applicationSize = { width: 186, height: 50, gap: 20 }

interface Wiring {
  readonly application: string
  readonly topic: string
}

export function topologyMap(applications: readonly ApplicationView[]): TopologyMap {
  const reads = wiring(applications, 'source')
  const writes = wiring(applications, 'sink')
  const names = applications.map(({ name }) => name)
  const own = new Set(applications.flatMap(ownTopics))
  const left = inOrder(reads, names)
  const right = inOrder(writes, names)
  const tall = ({ length }: readonly unknown[], size: { height: number; gap: number }): number =>
    length * (size.height + size.gap) - size.gap
  const height = Math.max(tall(left, topicSize), tall(right, topicSize), tall(names, applicationSize)) + 2 * margin

  const column = (
    list: readonly string[],
    size: { readonly width: number; readonly height: number },
    x: number,
    idOf: (name: string) => string,
    kindOf: (name: string) => MapNode['kind'],
  ): MapNode[] => {
    const pitch = (height - 2 * margin) / Math.max(1, list.length)
    return list.map((name, index) => ({
      ...{ id: idOf(name), name, kind: kindOf(name), x, width: size.width, height: size.height },
      y: margin + pitch * (index + 0.5) - size.height / 2,
    }))
  }
  const topicKind = (name: string): MapNode['kind'] => (own.has(name) ? 'repartition' : 'topic')
  const from = column(left, topicSize, margin, (name) => `topic ${name}`, topicKind)
  const middle = column(names, applicationSize, (width - applicationSize.width) / 2, appId, () => 'application')
  const to = column(right, topicSize, width - margin - topicSize.width, (name) => `written ${name}`, topicKind)
  return {
    width,
    height,
    nodes: [...from, ...middle, ...to],
    edges: [...edgesOf('reads', reads, from, middle), ...edgesOf('writes', writes, middle, to)],
  }
}

const appId = (name: string): string => `app ${name}`

/** Repartition topics: only the application itself reads what it writes there. */
const ownTopics = ({ parts }: ApplicationView): string[] =>
  parts.flatMap(({ nodes }) => nodes.flatMap(({ topics }) => topics)).filter((topic) => topic.endsWith('-repartition'))

function wiring(applications: readonly ApplicationView[], kind: 'source' | 'sink'): Wiring[] {
  return applications.flatMap(({ name, parts }) => {
    const nodes = parts.flatMap((part) => part.nodes).filter((node) => node.kind === kind)
    return [...new Set(nodes.flatMap(({ topics }) => topics))].map((topic) => ({ application: name, topic }))
  })
}

/** Topics beside the middle of the applications they belong to, so that lines cross little. */
function inOrder(list: readonly Wiring[], applications: readonly string[]): string[] {
  const places = Map.groupBy(list, ({ topic }) => topic)
  const middle = (topic: string): number => {
    const of = places.get(topic) ?? []
    return of.reduce((sum, { application }) => sum + applications.indexOf(application), 0) / Math.max(1, of.length)
  }
  return [...places.keys()].sort((a, b) => middle(a) - middle(b) || a.localeCompare(b))
}

/** Curves from the right side of one node to the left side of another; at an application each has a place of its own. */
function edgesOf(
  way: MapEdge['way'],
  list: readonly Wiring[],
  from: readonly MapNode[],
  to: readonly MapNode[],
): MapEdge[] {
  const [applications, topics] = way === 'reads' ? [to, from] : [from, to]
  return applications.flatMap((node) => {
    const of = list.filter(({ application }) => application === node.name).map(({ topic }) => topic)
    const sorted = topics.filter(({ name }) => of.includes(name))
    return sorted.map((topic, index) => {
      const port = { x: way === 'reads' ? node.x : node.x + node.width, y: portOf(node, index, sorted.length) }
      const end = { x: way === 'reads' ? topic.x + topic.width : topic.x, y: topic.y + topic.height / 2 }
      const [a, b] = way === 'reads' ? [end, port] : [port, end]
      return { application: node.name, topic: topic.name, way, d: curve(a, b) }
    })
  })
}

const portOf = ({ y, height }: MapNode, index: number, count: number): number =>
  y + 8 + ((height - 16) * (index + 0.5)) / count

function curve(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const middle = (from.x + to.x) / 2
  const at = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`
  return `M${at(from.x, from.y)}C${at(middle, from.y)} ${at(middle, to.y)} ${at(to.x, to.y)}`
}
