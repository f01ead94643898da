/** One company: where it stands, and everything that happened to it, with what caused what. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { capital, counted, dayOf, momentOf, timeOf, title, took, words } from '../format.ts'
import { get, getSeen } from '../http.ts'
import { ago, empty, facts, field, into, liveMark, loading, pageHead, tag, trouble } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { note, root } from '../router.ts'
import { listen } from '../stream.ts'
import type { TimelineItem } from '../timeline-item.ts'
import { newestFirst } from '../timeline-item.ts'
import { gist } from '../told.ts'
import type { Tone } from '../tone.ts'
import { steps as allSteps, topicNames } from '../vocabulary.ts'

interface Organization {
  readonly company_name: string
  readonly domain: string | null
  readonly industry: string | null
  readonly status: string
  readonly created_at: string
}

interface Step {
  readonly step: string
  readonly status: string
  readonly started_at: string
  readonly deadline: string
  readonly ended_at: string | null
  readonly ms: number | null
}

interface Lifecycle {
  readonly stage: string | null
  readonly stage_at: string | null
  readonly stage_reason: string | null
  readonly status: string
  readonly abort_reason: string | null
  readonly steps: readonly Step[]
}

interface EventPage {
  readonly items: readonly TimelineItem[]
  readonly next_cursor: string | null
}

const pageSize = 100

export async function company({ params, query, signal }: Visit): Promise<Shown> {
  const id = params['id'] ?? ''
  const organization = await get<Organization>(`/organizations/${id}`, {}, signal)
  const mark = liveMark()
  const stand = h('section', { class: 'stand', 'aria-label': 'Where it stands' })
  const list = h('div', { class: 'timeline' }, loading('the timeline'))
  const topic = h(
    'select',
    { id: 'topic' },
    h('option', { value: '' }, 'All topics'),
    ...topicNames.map((name) => h('option', { value: name, selected: query.get('topic') === name }, title(name))),
  )

  const items = new Map<string, TimelineItem>()
  const open = new Set<string>()
  const fresh = new Set<string>()
  let cursor: string | null = null

  function draw(): void {
    const shown = newestFirst([...items.values()].filter((item) => topic.value === '' || item.topic === topic.value))
    if (shown.length === 0) {
      fill(
        list,
        empty(
          topic.value === ''
            ? 'Nothing has happened to this company yet.'
            : `Nothing of ${words(topic.value)} has happened to this company.`,
        ),
      )
      return
    }
    const days = [...Map.groupBy(shown, (item) => dayOf(item.occurred_at))]
    const kept = new Map(
      [...list.querySelectorAll<HTMLElement>('li.event')].map((element) => [element.dataset['id'], element]),
    )
    fill(
      list,
      ...days.map(([day, events]) =>
        h(
          'section',
          {},
          h('h2', {}, day),
          h('ol', { class: 'events' }, ...events.map((item) => kept.get(item.event_id) ?? row(item))),
        ),
      ),
      cursor !== null &&
        h('button', { type: 'button', class: 'more', onclick: () => void more() }, 'Show earlier events'),
    )
    fresh.clear()
  }

  function row(item: TimelineItem): HTMLElement {
    const detail = h('div', { class: 'detail', id: `detail-${item.event_id}`, hidden: true })
    const button = h(
      'button',
      {
        type: 'button',
        class: 'event-head',
        'aria-expanded': 'false',
        'aria-controls': detail.id,
        onclick: () => unfold(item, button, detail),
      },
      h('time', { datetime: item.occurred_at, title: momentOf(item.occurred_at) }, timeOf(item.occurred_at)),
      h('strong', {}, title(item.event_type)),
      h('span', { class: 'gist' }, gist(item.event_type, item.summary) || item.source),
      tag(item.topic.replace(/_events$/, '')),
    )
    const classes = ['event', fresh.has(item.event_id) ? 'moved' : ''].join(' ').trim()
    return h('li', { class: classes, 'data-id': item.event_id }, button, detail)
  }

  function unfold(item: TimelineItem, button: HTMLElement, detail: HTMLElement): void {
    const isOpen = detail.hidden
    detail.hidden = !isOpen
    button.setAttribute('aria-expanded', String(isOpen))
    if (isOpen) open.add(item.event_id)
    else open.delete(item.event_id)
    if (isOpen && detail.childNodes.length === 0) void into(detail, 'the event', () => detailOf(id, item, goTo), signal)
  }

  /** To another event of the chain: unfolded where it is on the page, read when it is not. */
  async function goTo(item: TimelineItem): Promise<void> {
    if (!items.has(item.event_id)) items.set(item.event_id, item)
    if (topic.value !== '' && item.topic !== topic.value) topic.value = ''
    draw()
    const target = list.querySelector<HTMLElement>(`li.event[data-id="${CSS.escape(item.event_id)}"] > button`)
    if (target === null) return
    if (target.getAttribute('aria-expanded') === 'false') target.click()
    target.scrollIntoView({ block: 'center' })
    target.focus({ preventScroll: true })
  }

  async function more(): Promise<void> {
    const page: EventPage = await get<EventPage>(
      `/organizations/${id}/timeline`,
      { limit: pageSize, cursor, topic: topic.value },
      signal,
    )
    for (const item of page.items) items.set(item.event_id, item)
    cursor = page.next_cursor
    draw()
  }

  async function begin(): Promise<void> {
    cursor = null
    items.clear()
    try {
      await more()
    } catch (error) {
      if (!signal.aborted)
        fill(
          list,
          trouble(error, () => void begin()),
        )
    }
  }

  let settling = false
  /** Where the lifecycle was last moved. */
  let moved: string | null = null
  function heard(item: TimelineItem): void {
    if (item.topic === 'client_events') moved = item.position
    items.set(item.event_id, item)
    fresh.add(item.event_id)
    if (settling) return
    settling = true
    setTimeout(() => {
      settling = false
      if (signal.aborted) return
      draw()
      void showStand(moved)
    }, 200)
  }

  /** @param position of what is to be seen by now */
  async function showStand(position: string | null = null): Promise<void> {
    const lifecycle = await lifecycleOf(id, position, signal).catch(() => undefined)
    if (!signal.aborted && lifecycle !== undefined) fill(stand, standOf(organization, lifecycle))
  }

  /** What happened between the first look and the stream's beginning. */
  async function newest(): Promise<void> {
    const parameters = { limit: pageSize, topic: topic.value }
    const page = await get<EventPage>(`/organizations/${id}/timeline`, parameters, signal)
    for (const item of page.items) items.set(item.event_id, item)
    draw()
    await showStand()
  }

  topic.addEventListener('change', () => {
    note({ topic: topic.value })
    void begin()
  })
  void showStand()
  void begin()
  void listen<TimelineItem>(
    { topics: topicNames.join(','), organization_id: id },
    {
      begun: () => void newest().catch(() => undefined),
      event: heard,
      state: (state) => mark.set(state === 'live'),
    },
    signal,
  )
  const lead = [organization.domain, organization.industry].filter((text) => text !== null).join(' · ')
  const beside = [mark.element, h('div', { class: 'field' }, h('label', { for: 'topic' }, 'Show'), topic)]
  return {
    title: organization.company_name,
    content: [
      h('p', { class: 'way' }, h('a', { href: root }, 'Board')),
      pageHead(organization.company_name, lead, beside),
      stand,
      list,
    ],
  }
}

/** Null while it has not begun: the board knows that, and then nobody asks for its steps. */
async function lifecycleOf(id: string, position: string | null, signal: AbortSignal): Promise<Lifecycle | null> {
  const of = { organization_id: id }
  const board = await getSeen<{ items: readonly { stage: string | null }[] }>('/lifecycle', of, position, signal)
  return (board.items[0]?.stage ?? null) === null ? null : get<Lifecycle>(`/lifecycle/${id}`, {}, signal)
}

function standOf(organization: Organization, lifecycle: Lifecycle | null): Child {
  if (lifecycle === null) return h('p', { class: 'quiet' }, 'Its lifecycle has not begun.')
  const { stage, stage_at, status, abort_reason, steps } = lifecycle
  const why = abort_reason === null ? '' : `: ${words(abort_reason)}`
  return [
    facts([
      ['Stage', [tag(title(stage ?? 'none yet'), 'accent'), ' ', stage_at !== null && ago(stage_at)]],
      ['Lifecycle', `${capital(status)}${why}`],
      ['Organization', capital(organization.status)],
      ['Signed up', momentOf(organization.created_at)],
    ]),
    steps.length > 0 && h('ol', { class: 'steps', 'aria-label': 'Steps' }, ...steps.map(stepItem)),
    status === 'running' && toCome(steps),
  ]
}

function stepItem({ step, status, started_at, deadline, ended_at, ms }: Step): HTMLElement {
  const time =
    ended_at === null
      ? ['due ', ago(deadline)]
      : status === 'completed'
        ? within(ms ?? Date.parse(ended_at) - Date.parse(started_at))
        : ago(ended_at)
  const tone = toneOf(status)
  return h(
    'li',
    { class: tone },
    h('strong', {}, title(step)),
    h('span', { class: `step-state ${tone}` }, status === 'started' ? 'under way' : words(status)),
    h('small', {}, time),
  )
}

const within = (ms: number): string => (ms < 1_000 ? 'at once' : `in ${took(ms)}`)

/** Steps that have not begun, in their order. */
function toCome(steps: readonly Step[]): Child {
  const begun = new Set(steps.map(({ step }) => step))
  const names = allSteps.filter((step) => !begun.has(step)).map(title)
  return names.length > 0 && h('p', { class: 'note' }, `Then: ${names.join(', ')}.`)
}

const toneOf = (status: string): Tone =>
  status === 'completed' ? 'ok' : status === 'started' ? 'accent' : status === 'compensated' ? 'warn' : 'bad'

interface WholeEvent extends TimelineItem {
  readonly payload: Readonly<Record<string, unknown>> | null
  readonly hidden: readonly string[]
  readonly erased: readonly string[]
}

interface Chain {
  readonly causes: readonly TimelineItem[]
  readonly effects: readonly TimelineItem[]
}

async function detailOf(id: string, item: TimelineItem, goTo: (item: TimelineItem) => Promise<void>): Promise<Child> {
  const path = `/organizations/${id}/timeline/${encodeURIComponent(item.event_id)}`
  const [event, chain] = await Promise.all([get<WholeEvent>(path), get<Chain>(`${path}/causes`)])
  const link = (other: TimelineItem): HTMLElement =>
    h(
      'li',
      {},
      h('button', { type: 'button', class: 'link', onclick: () => void goTo(other) }, title(other.event_type)),
      ' ',
      h('span', { class: 'quiet' }, `${other.source}, ${timeOf(other.occurred_at)}`),
    )
  return [
    h(
      'div',
      { class: 'chain' },
      h(
        'div',
        {},
        h('h3', {}, 'Caused by'),
        chain.causes.length === 0
          ? h('p', { class: 'quiet' }, 'Nothing before it: it came from outside, or from a timer.')
          : h('ol', {}, ...chain.causes.map(link)),
      ),
      h(
        'div',
        {},
        h('h3', {}, 'Led to'),
        chain.effects.length === 0
          ? h('p', { class: 'quiet' }, 'Nothing yet.')
          : h('ol', {}, ...chain.effects.map(link)),
      ),
    ),
    h('h3', {}, 'What it says'),
    payloadOf(event),
    h('h3', {}, 'Where it stands'),
    facts([
      ['Time', momentOf(event.occurred_at)],
      ['Record', h('code', {}, event.position)],
      ['Event', h('code', {}, event.event_id)],
      ['Written by', `${event.source} for ${event.actor.type} ${event.actor.id}`],
    ]),
  ]
}

function payloadOf({ payload, hidden, erased, summary }: WholeEvent): Child {
  const shown = payload ?? summary
  const fields = Object.entries(shown).filter(([name, each]) => each !== null && !erased.includes(name))
  const personal = hidden.map((name): [string, Child] => [title(name), tag('personal, not shown to you', 'warn')])
  const gone = erased.map((name): [string, Child] => [title(name), tag('erased')])
  const list = [...fields.map(([name, each]) => field(name, each, shown)), ...personal, ...gone]
  return [
    payload === null &&
      h('p', { class: 'quiet' }, 'The topic does not keep this event any more; this is what the timeline remembers.'),
    list.length === 0 ? h('p', { class: 'quiet' }, 'Nothing beside its type.') : facts(list),
    fields.length > 30 && h('p', { class: 'quiet' }, counted(fields.length, 'field')),
  ]
}
