/** What is inside an application: its parts, each drawn with its nodes and stores, and told as text. Drawn when it is opened. */

import { h } from './dom.ts'
import { capital, counted } from './format.ts'
import type { GraphEdge, GraphNode } from './graph.ts'
import { drawGraph } from './graph.ts'
import { root } from './router.ts'
import type { ApplicationView, TopologyNode, TopologyPart } from './topology-view.ts'

export const topicHref = (topic: string): string => `${root}/topics?topic=${encodeURIComponent(topic)}`

export function insideOf(application: ApplicationView): HTMLElement {
  const place = h('div', {})
  return h(
    'details',
    {
      id: `inside-${application.name}`,
      ontoggle: () => {
        if (place.childNodes.length === 0) void drawParts(application, place)
      },
    },
    h('summary', {}, h('h3', {}, application.name), h('span', { class: 'quiet' }, insideWords(application))),
    place,
  )
}

function insideWords({ parts }: ApplicationView): string {
  const nodes = parts.flatMap((part) => part.nodes)
  const stores = parts.flatMap((part) => part.stores)
  return `${counted(parts.length, 'part')}, ${counted(nodes.length, 'node')}, ${counted(stores.length, 'store')}`
}

async function drawParts(application: ApplicationView, place: HTMLElement): Promise<void> {
  for (const part of application.parts) {
    const { nodes, edges } = graphOf(part)
    const drawn = await drawGraph(`${application.name}, part ${part.name}`, 'LR', nodes, edges)
    place.append(
      h('h4', {}, `${capital(part.name)} part`),
      h(
        'div',
        {
          class: 'scroll graph-place',
          tabindex: 0,
          role: 'region',
          'aria-label': `${application.name}, part ${part.name}, drawn`,
        },
        drawn,
      ),
      h(
        'details',
        { class: 'as-text' },
        h('summary', {}, 'The same as text'),
        h('ul', {}, ...part.nodes.map((node) => h('li', {}, asText(node)))),
      ),
    )
  }
}

function asText({ kind, name, parents, topics, stores }: TopologyNode): string {
  const more = [
    parents.length > 0 ? ` after ${parents.join(', ')}` : '',
    topics.length > 0 ? `, ${kind === 'source' ? 'reads' : 'writes'} ${topics.join(', ')}` : '',
    stores.length > 0 ? `, keeps ${stores.join(', ')}` : '',
  ]
  return `${kind} ${name}${more.join('')}`
}

function graphOf(part: TopologyPart): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const nodes: GraphNode[] = []
  const edges: GraphEdge[] = []
  const topics = new Set<string>()
  for (const node of part.nodes) {
    const id = `node ${node.name}`
    if (node.kind === 'source') {
      // A source is its topic.
      for (const topic of node.topics) topics.add(topic)
      continue
    }
    if (node.kind !== 'sink') nodes.push({ id, text: node.name, kind: node.kind })
    for (const parent of node.parents) {
      const source = part.nodes.find(({ name, kind }) => name === parent && kind === 'source')
      const from = source === undefined ? [`node ${parent}`] : source.topics.map((topic) => `topic ${topic}`)
      const to = node.kind === 'sink' ? node.topics.map((topic) => `out ${topic}`) : [id]
      for (const a of from) for (const b of to) edges.push({ from: a, to: b })
    }
    for (const store of node.stores) edges.push({ from: id, to: `store ${store}`, kind: 'keeps' })
    if (node.kind === 'sink')
      for (const topic of node.topics)
        addOnce(nodes, { id: `out ${topic}`, text: topic, kind: 'topic', href: topicHref(topic) })
  }
  for (const topic of topics) nodes.push({ id: `topic ${topic}`, text: topic, kind: 'topic', href: topicHref(topic) })
  for (const { name, kind } of part.stores)
    nodes.push({ id: `store ${name}`, text: name, note: `store of ${kind.replace('-', ' ')}`, kind: 'store' })
  const unique = new Map(edges.map((edge) => [`${edge.from} ${edge.to}`, edge]))
  return { nodes, edges: [...unique.values()] }
}

function addOnce(nodes: GraphNode[], node: GraphNode): void {
  if (!nodes.some(({ id }) => id === node.id)) nodes.push(node)
}
