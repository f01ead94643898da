/** The map of the topology as SVG: places from `topologyMap`, words of state and lag that follow, lines that light up. */

import { svg } from './dom.ts'
import { count } from './format.ts'
import { topicHref } from './topology-inside.ts'
import type { MapEdge, MapNode } from './topology-map.ts'
import { topologyMap } from './topology-map.ts'
import type { ApplicationView } from './topology-view.ts'
import { lagOf, stateTone } from './topology-view.ts'

/** @param label what is drawn, for those who do not see it */
export function drawMap(label: string, applications: readonly ApplicationView[]): SVGElement {
  const { width, height, nodes, edges } = topologyMap(applications)
  const drawing = svg(
    'svg',
    {
      class: 'graph map',
      viewBox: `0 0 ${String(width)} ${height.toFixed(0)}`,
      role: 'group',
      'aria-label': label,
    },
    ...edges.map(line),
    ...nodes.map(box),
  )
  lightUp(drawing)
  return drawing
}

const line = ({ application, topic, way, d }: MapEdge): SVGElement =>
  svg('path', { class: `edge ${way}`, d, 'data-application': application, 'data-topic': topic, 'data-way': way })

function box({ id, name, kind, x, y, width, height }: MapNode): SVGElement {
  const isApplication = kind === 'application'
  const text = name.replace(/-repartition$/, '')
  const group = svg(
    'g',
    {
      class: `node ${kind === 'repartition' ? 'topic repartition' : kind}`,
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      'data-id': id,
    },
    svg('rect', { width, height, rx: isApplication ? 7 : height / 2 }),
    svg('text', { x: width / 2, y: isApplication ? 19 : height / 2, class: 'name' }, text),
    isApplication && svg('text', { x: width / 2, y: 36, class: 'note' }, ' '),
  )
  return svg('a', { href: isApplication ? `#inside-${name}` : topicHref(name) }, group)
}

/** State and lag as they are now; nothing moves. */
export function followMap(place: Element, applications: readonly ApplicationView[]): void {
  for (const application of applications) {
    const { name, state, reads } = application
    const group = place.querySelector(`[data-id="${CSS.escape(`app ${name}`)}"]`)
    const lag = lagOf(application)
    const note = group?.querySelector('.note')
    if (note != null) note.textContent = `${state}, lag ${count(lag)}`
    group?.setAttribute('class', `node application ${stateTone(state)}`)
    for (const { topic, lag: behind } of reads)
      place
        .querySelector(`.edge.reads[data-application="${CSS.escape(name)}"][data-topic="${CSS.escape(topic)}"]`)
        ?.classList.toggle('waits', (behind ?? 0) > 0)
  }
}

/** What belongs to the box under the pointer or with the focus stands out of the rest. */
function lightUp(drawing: SVGElement): void {
  const light = (target: EventTarget | null): void => {
    const id = (target as Element | null)?.closest<SVGElement>('.node')?.dataset['id'] ?? null
    const named = id?.slice(id.indexOf(' ') + 1) ?? null
    const way = id?.startsWith('topic ') === true ? 'reads' : id?.startsWith('written ') === true ? 'writes' : null
    drawing.classList.toggle('lit', id !== null)
    const belongs = ({ dataset }: SVGElement): boolean =>
      way === null ? dataset['application'] === named : dataset['topic'] === named && dataset['way'] === way
    for (const edge of drawing.querySelectorAll<SVGElement>('.edge')) edge.classList.toggle('on', belongs(edge))
  }
  drawing.addEventListener('pointerover', ({ target }) => light(target))
  drawing.addEventListener('pointerleave', () => light(null))
  drawing.addEventListener('focusin', ({ target }) => light((target as Element).querySelector('.node')))
  drawing.addEventListener('focusout', () => light(null))
}
