/** A graph drawn: places by dagre, the rest is SVG. What it shows stands beside it as text too. */

import type { graphlib as Graphlib, layout as Layout } from '@dagrejs/dagre'
import { svg } from './dom.ts'
import { root } from './router.ts'

export interface GraphNode {
  readonly id: string
  readonly text: string
  /** A second, smaller line. */
  readonly note?: string
  /** Chooses the look: `topic`, `application`, `processor`, `store`… */
  readonly kind: string
  /** Where it leads. */
  readonly href?: string
}

export interface GraphEdge {
  readonly from: string
  readonly to: string
  readonly kind?: string
}

interface Point {
  readonly x: number
  readonly y: number
}

const charWidth = 7.4
const smallCharWidth = 6.3

const sizeOf = ({ text, note = '' }: GraphNode): { width: number; height: number } => ({
  width: Math.ceil(Math.max(text.length * charWidth, note.length * smallCharWidth) + 28),
  height: note === '' ? 34 : 50,
})

/**
 * @param label what is drawn, for those who do not see it
 * @param direction in which it flows: to the right, or down
 */
export async function drawGraph(
  label: string,
  direction: 'LR' | 'TB',
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
): Promise<SVGElement> {
  const { graphlib, layout } = (await import(`${root}/assets/vendor/dagre.js`)) as {
    graphlib: typeof Graphlib
    layout: typeof Layout
  }
  const graph = new graphlib.Graph({ multigraph: true })
  graph.setGraph({
    rankdir: direction,
    nodesep: direction === 'LR' ? 14 : 22,
    ranksep: direction === 'LR' ? 56 : 34,
    marginx: 6,
    marginy: 6,
  })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const node of nodes) graph.setNode(node.id, sizeOf(node))
  for (const { from, to } of edges) graph.setEdge(from, to, {}, `${from} ${to}`)
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  const lines = edges.map(({ from, to, kind = '' }) =>
    line((graph.edge(from, to, `${from} ${to}`) as { points: Point[] }).points, kind),
  )
  return svg(
    'svg',
    {
      class: 'graph',
      viewBox: `0 0 ${String(Math.ceil(width))} ${String(Math.ceil(height))}`,
      width: Math.ceil(width),
      height: Math.ceil(height),
      role: 'group',
      'aria-label': label,
    },
    svg(
      'defs',
      {},
      svg(
        'marker',
        {
          id: 'arrow',
          viewBox: '0 0 8 8',
          refX: 7,
          refY: 4,
          markerWidth: 7,
          markerHeight: 7,
          orient: 'auto-start-reverse',
        },
        svg('path', { d: 'M0 1 7 4 0 7z', class: 'arrow' }),
      ),
    ),
    ...lines,
    ...nodes.map((node) => box(node, graph.node(node.id) as Point & { width: number; height: number })),
  )
}

/** A curve through the corners that dagre left between the boxes. */
function line(points: readonly Point[], kind: string): SVGElement {
  const [first, ...rest] = points
  let path = `M${at(first!)}`
  for (let index = 0; index < rest.length - 1; index++) {
    const [here, next] = [rest[index]!, rest[index + 1]!]
    const isLast = index === rest.length - 2
    const end = isLast ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 }
    path += `Q${at(here)} ${at(end)}`
  }
  if (rest.length === 1) path += `L${at(rest[0]!)}`
  return svg('path', { class: `edge ${kind}`.trim(), d: path, 'marker-end': 'url(#arrow)' })
}

const at = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`

function box(
  { id, text, note, kind, href }: GraphNode,
  { x, y, width, height }: Point & { width: number; height: number },
): SVGElement {
  const isPill = kind.startsWith('topic')
  const group = svg(
    'g',
    { class: `node ${kind}`, transform: `translate(${at({ x: x - width / 2, y: y - height / 2 })})`, 'data-id': id },
    svg('rect', { width, height, rx: isPill ? height / 2 : kind.startsWith('store') ? 2 : 7 }),
    svg('text', { x: width / 2, y: note === undefined ? height / 2 : 20, class: 'name' }, text),
    note !== undefined && svg('text', { x: width / 2, y: 38, class: 'note' }, note),
  )
  return href === undefined ? group : svg('a', { href }, group)
}
