/** The topology as it runs: applications, topics, stores and projections, with state and lag. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { capital, count, counted } from '../format.ts'
import type { GraphEdge, GraphNode } from '../graph.ts'
import { drawGraph } from '../graph.ts'
import { get, sentenceOf } from '../http.ts'
import type { LagChart } from '../lag-chart.ts'
import { lagChart } from '../lag-chart.ts'
import { liveMark, pageHead, tag } from '../parts.ts'
import type { Tone } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { root } from '../router.ts'
import type { ApplicationView, ProjectionView, TopologyPart, TopologyView } from '../topology-view.ts'
import { lagOf } from '../topology-view.ts'

const lookMs = 2_000
/** More than this is worth a colour, in records. */
const lagWorthSaying = 1_000

export async function topology({ signal }: Visit): Promise<Shown> {
  const first = await get<TopologyView>('/operator/topology', {}, signal)
  const mark = liveMark()
  mark.set(true)
  const lead = h('p', { class: 'lead' }, ' ')
  const overview = h('div', {
    class: 'scroll graph-place',
    tabindex: 0,
    role: 'region',
    'aria-label': 'Applications and topics, drawn',
  })
  const applications = h('tbody', {})
  const projections = h('tbody', {})
  const parts = h('div', { class: 'parts' })
  const chartPlace = h('div', {})
  const message = h('p', { class: 'form-message', role: 'status' })
  let chart: LagChart | null = null

  function draw(view: TopologyView): void {
    const lag = view.applications.reduce((sum, application) => sum + lagOf(application), 0)
    fill(
      lead,
      `${counted(view.applications.length, 'application')}, ${counted(view.topics.length, 'topic')}, ${counted(view.projections.length, 'projection')}. ${lag === 0 ? 'Everything is processed.' : `${counted(lag, 'record')} still to process.`}`,
    )
    fill(applications, ...view.applications.map(applicationRow))
    fill(projections, ...view.projections.map(projectionRow))
    chart?.add(
      Date.now(),
      Object.fromEntries(view.applications.map((application) => [application.name, lagOf(application)])),
    )
    notes(overview, view)
  }

  async function look(): Promise<void> {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, lookMs))
      if (signal.aborted || document.hidden) continue
      try {
        draw(await get<TopologyView>('/operator/topology', {}, signal))
        mark.set(true)
        fill(message)
      } catch (error) {
        if (signal.aborted) return
        mark.set(false)
        fill(message, sentenceOf(error))
      }
    }
  }

  signal.addEventListener('abort', () => chart?.close())
  overview.addEventListener('click', (event) => {
    const href = (event.target as Element).closest('a')?.getAttribute('href') ?? ''
    if (!href.startsWith('#')) return
    event.preventDefault()
    const inside = document.getElementById(href.slice(1)) as HTMLDetailsElement | null
    if (inside === null) return
    inside.open = true
    inside.querySelector('summary')?.focus()
  })
  const { nodes, edges } = overviewOf(first)
  fill(overview, await drawGraph('Applications and the topics between them', 'TB', nodes, edges))
  chart = await lagChart(first.applications.map(({ name }) => name))
  fill(chartPlace, chart.element)
  fill(parts, ...first.applications.map(partsOf))
  draw(first)
  void look()
  const table = (label: string, heads: readonly string[], body: HTMLElement): HTMLElement =>
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
      h('table', {}, h('thead', {}, h('tr', {}, ...heads.map((text) => h('th', { scope: 'col' }, text)))), body),
    )
  return {
    title: 'Topology',
    content: [
      pageHead('Topology', lead, mark.element),
      message,
      overview,
      legend(),
      h('h2', {}, 'Lag'),
      chartPlace,
      table('Applications', ['Application', 'State', 'Lag', 'Reads', 'Tasks', 'Processed', 'Blocked'], applications),
      h('h2', {}, 'Inside each application'),
      parts,
      h('h2', {}, 'Projections'),
      table('Projections', ['Projection', 'State', 'Lag', 'From', 'Into'], projections),
    ],
  }
}

const legend = (): HTMLElement =>
  h(
    'p',
    { class: 'legend' },
    h('span', { class: 'swatch application' }),
    ' application ',
    h('span', { class: 'swatch topic' }),
    ' topic ',
    h('span', { class: 'swatch repartition' }),
    ' its own topic',
  )

/** Topics that applications read or write, and the applications between them. */
function overviewOf(view: TopologyView): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const nodes = new Map<string, GraphNode>()
  const edges = new Map<string, GraphEdge>()
  const own = (application: ApplicationView, topic: string): boolean => topic.startsWith(`${application.name}-`)
  for (const application of view.applications) {
    const id = `app ${application.name}`
    nodes.set(id, {
      id,
      text: application.name,
      note: noteOf(application),
      kind: `application ${stateTone(application.state)}`,
      href: `#inside-${application.name}`,
    })
    for (const node of application.parts.flatMap((part) => part.nodes)) {
      for (const topic of node.topics) {
        const topicId = `topic ${topic}`
        nodes.set(topicId, {
          id: topicId,
          text: topic.replace(/^(.+)-repartition$/, '$1'),
          kind: own(application, topic) ? 'topic repartition' : 'topic',
          href: topicHref(topic),
        })
        const [from, to] = node.kind === 'source' ? [topicId, id] : [id, topicId]
        edges.set(`${from} ${to}`, { from, to })
      }
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] }
}

const topicHref = (topic: string): string => `${root}/topics?topic=${encodeURIComponent(topic)}`

function noteOf(application: ApplicationView): string {
  const lag = lagOf(application)
  return `${application.state}, lag ${count(lag)}`
}

/** The live words of the drawing: the places stay, so that nothing jumps. */
function notes(place: HTMLElement, view: TopologyView): void {
  for (const application of view.applications) {
    const group = place.querySelector(`[data-id="${CSS.escape(`app ${application.name}`)}"]`)
    const note = group?.querySelector('.note')
    if (note != null) note.textContent = noteOf(application)
    group?.setAttribute('class', `node application ${stateTone(application.state)}`)
  }
}

function stateTone(state: string): Tone {
  if (state === 'running') return 'ok'
  if (state === 'failed' || state === 'refused') return 'bad'
  return state === 'elsewhere' ? 'plain' : 'warn'
}

const lagTag = (lag: number | null): Child =>
  lag === null
    ? h('span', { class: 'quiet' }, 'not known')
    : lag > lagWorthSaying
      ? tag(count(lag), 'warn')
      : count(lag)

function applicationRow(application: ApplicationView): HTMLElement {
  const { name, state, reads, tasks, processed, blocked_keys } = application
  return h(
    'tr',
    { 'data-application': name },
    h('th', { scope: 'row' }, name),
    h('td', {}, tag(state, stateTone(state))),
    h('td', { class: 'lag' }, lagTag(lagOf(application))),
    h('td', {}, reads.map(({ topic, lag }) => `${topic} ${lag === null ? '?' : count(lag)}`).join(', ')),
    h('td', {}, count(tasks)),
    h('td', {}, count(processed)),
    h(
      'td',
      {},
      blocked_keys === 0 ? '0' : h('a', { href: `${root}/dead-letters` }, tag(counted(blocked_keys, 'key'), 'bad')),
    ),
  )
}

const projectionRow = ({ name, state, lag, topic, tables, trouble }: ProjectionView): HTMLElement =>
  h(
    'tr',
    {},
    h('th', { scope: 'row' }, name),
    h('td', {}, tag(state, stateTone(state)), trouble !== null && ` ${trouble}`),
    h('td', {}, lagTag(lag)),
    h('td', {}, h('a', { href: topicHref(topic) }, topic)),
    h('td', {}, tables.join(', ')),
  )

function partsOf(application: ApplicationView): HTMLElement {
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
    const { nodes, edges } = insideOf(part)
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
        h(
          'ul',
          {},
          ...part.nodes.map((node) =>
            h(
              'li',
              {},
              `${node.kind} ${node.name}${node.parents.length > 0 ? ` after ${node.parents.join(', ')}` : ''}${node.topics.length > 0 ? `, ${node.kind === 'source' ? 'reads' : 'writes'} ${node.topics.join(', ')}` : ''}${node.stores.length > 0 ? `, keeps ${node.stores.join(', ')}` : ''}`,
            ),
          ),
        ),
      ),
    )
  }
}

function insideOf(part: TopologyPart): { nodes: GraphNode[]; edges: GraphEdge[] } {
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
