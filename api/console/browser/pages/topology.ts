/** The topology as it runs: applications, topics, stores and projections, with state and lag. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { count, counted } from '../format.ts'
import { get, sentenceOf } from '../http.ts'
import type { LagChart } from '../lag-chart.ts'
import { lagChart } from '../lag-chart.ts'
import { drawMap, followMap } from '../map-drawing.ts'
import { liveMark, pageHead, table, tag } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { root } from '../router.ts'
import { insideOf, topicHref } from '../topology-inside.ts'
import type { ApplicationView, ProjectionView, TopologyView } from '../topology-view.ts'
import { lagOf, stateTone } from '../topology-view.ts'

const lookMs = 2_000
/** More than this is worth a colour, in records. */
const lagWorthSaying = 1_000

export async function topology({ signal }: Visit): Promise<Shown> {
  const first = await get<TopologyView>('/operator/topology', {}, signal)
  const mark = liveMark()
  mark.set(true)
  const lead = h('p', { class: 'lead' }, ' ')
  const map = h('div', {
    class: 'scroll graph-place',
    tabindex: 0,
    role: 'region',
    'aria-label': 'Applications and topics, drawn',
  })
  const applications = h('div', {})
  const projections = h('div', {})
  const parts = h('div', { class: 'parts' })
  const chartPlace = h('div', {})
  const message = h('p', { class: 'form-message', role: 'status' })
  let chart: LagChart | null = null

  function draw(view: TopologyView): void {
    fill(lead, leadOf(view))
    fill(applications, applicationsTable(view.applications))
    fill(projections, projectionsTables(view.projections))
    chart?.add(
      Date.now(),
      Object.fromEntries(view.applications.map((application) => [application.name, lagOf(application)])),
    )
    followMap(map, view.applications)
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
  for (const place of [map, applications]) place.addEventListener('click', openInside)
  fill(map, drawMap('What each application reads and writes', first.applications))
  chart = await lagChart(first.applications.map(({ name }) => name))
  fill(chartPlace, chart.element)
  fill(parts, ...first.applications.map(insideOf))
  draw(first)
  void look()
  return {
    title: 'Topology',
    content: [
      pageHead('Topology', lead, mark.element),
      message,
      map,
      legend(),
      h('h2', {}, 'Lag'),
      chartPlace,
      h('h2', {}, 'Applications'),
      h(
        'p',
        { class: 'note' },
        'Lag is over all processes. State, tasks, what was processed and blocked keys are of this one.',
      ),
      applications,
      h('h2', {}, 'Inside each application'),
      parts,
      h('h2', {}, 'Projections'),
      projections,
    ],
  }
}

/** A link to what is inside an application opens it, too. */
function openInside(event: Event): void {
  const href = (event.target as Element).closest('a')?.getAttribute('href') ?? ''
  if (!href.startsWith('#')) return
  event.preventDefault()
  const inside = document.getElementById(href.slice(1)) as HTMLDetailsElement | null
  if (inside === null) return
  inside.open = true
  inside.querySelector('summary')?.focus()
}

function leadOf({ applications, topics, projections }: TopologyView): string {
  const lag = applications.reduce((sum, application) => sum + lagOf(application), 0)
  const all = [
    counted(applications.length, 'application'),
    counted(topics.length, 'topic'),
    counted(projections.length, 'projection'),
  ]
  return `${all.join(', ')}. ${lag === 0 ? 'Everything is processed.' : `${counted(lag, 'record')} still to process.`}`
}

const legend = (): HTMLElement =>
  h(
    'p',
    { class: 'legend' },
    h('span', {}, 'Left: what is read. Right: what is written.'),
    h('span', {}, h('span', { class: 'swatch application' }), 'application'),
    h('span', {}, h('span', { class: 'swatch topic' }), 'topic'),
    h('span', {}, h('span', { class: 'swatch repartition' }), 'its own topic'),
    h('span', {}, h('span', { class: 'swatch waits' }), 'records wait'),
  )

const lagTag = (lag: number | null): Child =>
  lag === null
    ? h('span', { class: 'quiet' }, 'not known')
    : lag > lagWorthSaying
      ? tag(count(lag), 'warn')
      : count(lag)

function applicationsTable(list: readonly ApplicationView[]): HTMLElement {
  return table(
    'Applications',
    ['Application', 'State', 'Lag', 'Reads', 'Tasks', 'Processed', 'Blocked'],
    list.map((application) => {
      const { name, state, reads, tasks, tasks_in_all, processed, blocked_keys } = application
      return [
        h('a', { href: `#inside-${name}` }, name),
        tag(state, stateTone(state)),
        h('span', { class: 'lag' }, lagTag(lagOf(application))),
        h('ul', { class: 'inline-list' }, ...reads.map(({ topic, lag }) => h('li', {}, readOf(topic, lag)))),
        tasks === tasks_in_all ? count(tasks) : `${count(tasks)} of ${count(tasks_in_all)}`,
        h('span', { class: 'processed' }, count(processed)),
        blocked_keys === 0 ? '0' : h('a', { href: `${root}/dead-letters` }, tag(counted(blocked_keys, 'key'), 'bad')),
      ]
    }),
    (index) => ({ 'data-application': list[index]!.name }),
  )
}

/** A topic, and how much of it waits where something does. */
const readOf = (topic: string, lag: number | null): Child => [
  topic,
  lag !== 0 && [' ', h('strong', {}, lag === null ? '?' : count(lag))],
]

/** Those that read one topic each into its timeline are alike: told as one while nothing is wrong with them. */
function projectionsTables(list: readonly ProjectionView[]): Child {
  const isPlain = ({ name, state, lag, trouble }: ProjectionView): boolean =>
    name.startsWith('timeline-') && state === 'running' && trouble === null && (lag ?? 0) <= lagWorthSaying
  const [plain, others] = [list.filter(isPlain), list.filter((each) => !isPlain(each))]
  const lag = plain.reduce((sum, each) => sum + (each.lag ?? 0), 0)
  return [
    table('Projections', ['Projection', 'State', 'Lag', 'From', 'Into', 'Left out'], others.map(projectionCells)),
    plain.length > 0 &&
      h(
        'p',
        { class: 'note' },
        `And ${counted(plain.length, 'timeline')}, one for each topic: all running, ${lag === 0 ? 'nothing to do' : `${counted(lag, 'record')} behind`}.`,
      ),
  ]
}

const projectionCells = ({
  name,
  state,
  lag,
  topic,
  tables,
  trouble,
  dead_letters,
}: ProjectionView): readonly Child[] => [
  name,
  [tag(state, stateTone(state)), trouble !== null && ` ${trouble}`],
  lagTag(lag),
  h('a', { href: topicHref(topic) }, topic),
  tables.join(', '),
  dead_letters === 0 ? '0' : h('a', { href: `${root}/dead-letters` }, tag(count(dead_letters), 'bad')),
]
