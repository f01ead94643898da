/** The lifecycle board: every company in the column of its stage, moving when it moves. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { capital, count, counted, duration, words } from '../format.ts'
import { get } from '../http.ts'
import { ago, announce, empty, liveMark, loading, pageHead, tag, trouble } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { note, root } from '../router.ts'
import { listen } from '../stream.ts'
import type { TimelineItem } from '../timeline-item.ts'

interface Card {
  readonly organization_id: string
  readonly company_name: string | null
  readonly domain: string | null
  readonly industry: string | null
  readonly stage: string | null
  readonly stage_at: string | null
  readonly status: string | null
  readonly current_step: string | null
  readonly step_status: string | null
  readonly deadline: string | null
  readonly waiting_reviews: number
}

interface CardPage {
  readonly items: readonly Card[]
  readonly next_cursor: string | null
}

/** In the order in which a client passes them; the last four are where it can go wrong. */
const stages = [
  'researching',
  'demo',
  'negotiating',
  'signing',
  'billing',
  'scoping',
  'configuring',
  'live',
  'at_risk',
  'suspended',
  'churned',
  'lost',
]
/** Cards of a column that are drawn; the rest is asked for. */
const drawnAtOnce = 40
/** Companies a board holds. */
const mostCards = 2_000
/** News of the same moment are asked for together, in ms. */
const settleMs = 150

export function board({ signal, query }: Visit): Shown {
  const cards = new Map<string, Card>()
  const unfolded = new Set<string>()
  const moved = new Set<string>()
  const mark = liveMark()
  const place = h('div', { class: 'board-place' }, loading('the companies'))
  const find = h('input', {
    type: 'search',
    id: 'find',
    placeholder: 'Name, domain or industry',
    value: query.get('find') ?? '',
  })
  const lead = h('p', { class: 'lead' }, ' ')
  let isWhole = true

  const shownCards = (): Card[] => {
    const text = find.value.trim().toLowerCase()
    const fits = ({ company_name, domain, industry }: Card): boolean =>
      [company_name, domain, industry].some((each) => each?.toLowerCase().includes(text) === true)
    return [...cards.values()].filter((card) => text === '' || fits(card))
  }

  function draw(): void {
    const list = shownCards()
    const waiting = [...cards.values()].reduce((sum, card) => sum + card.waiting_reviews, 0)
    fill(
      lead,
      counted(cards.size, 'company', 'companies'),
      isWhole ? '' : ' (the first; find the others by their page)',
      waiting === 0
        ? '. Nothing waits for a person.'
        : [', ', h('a', { href: `${root}/reviews` }, counted(waiting, 'review')), ' waiting for a person.'],
    )
    if (cards.size === 0)
      fill(
        place,
        empty('No company has begun its lifecycle yet.', 'One appears here as soon as somebody signs a company up.'),
      )
    else if (list.length === 0) fill(place, empty('No company fits what you are looking for.'))
    else fill(place, columns(list))
    moved.clear()
  }

  function columns(list: readonly Card[]): HTMLElement {
    const byStage = Map.groupBy(list, (card) => card.stage ?? 'researching')
    const names = [...stages, ...[...byStage.keys()].filter((stage) => !stages.includes(stage))]
    return h('div', { class: 'board' }, ...names.map((stage) => column(stage, byStage.get(stage) ?? [])))
  }

  function column(stage: string, list: readonly Card[]): HTMLElement {
    const sorted = [...list].sort((a, b) => (b.stage_at ?? '').localeCompare(a.stage_at ?? ''))
    const drawn = unfolded.has(stage) ? sorted : sorted.slice(0, drawnAtOnce)
    const rest = sorted.length - drawn.length
    const heading = h(
      'h2',
      { id: `stage-${stage}` },
      capital(words(stage)),
      ' ',
      h('span', { class: 'number' }, count(list.length)),
    )
    if (list.length === 0) return h('section', { class: 'column bare', 'aria-labelledby': `stage-${stage}` }, heading)
    const more = h(
      'button',
      {
        type: 'button',
        class: 'more',
        onclick: () => {
          unfolded.add(stage)
          draw()
        },
      },
      `Show ${count(rest)} more`,
    )
    return h(
      'section',
      { class: 'column', 'aria-labelledby': `stage-${stage}` },
      heading,
      h(
        'ul',
        { class: 'cards', tabindex: 0, 'aria-labelledby': `stage-${stage}` },
        ...drawn.map((card) => h('li', {}, cardOf(card, moved.has(card.organization_id)))),
      ),
      rest > 0 && more,
    )
  }

  async function load(): Promise<void> {
    for (let cursor: string | null = null; ;) {
      const page: CardPage = await get<CardPage>('/lifecycle', { limit: 200, cursor }, signal)
      for (const card of page.items) cards.set(card.organization_id, card)
      cursor = page.next_cursor
      isWhole = cursor === null
      if (isWhole || cards.size >= mostCards) return
    }
  }

  const news = new Map<string, string>()
  let settling = false

  /** A read that waits for the event sees what the event did. */
  async function refresh(organizationId: string, position: string): Promise<void> {
    const parameters = { organization_id: organizationId, min_position: position }
    const [card] = (await get<CardPage>('/lifecycle', parameters, signal)).items
    if (card === undefined) return
    const before = cards.get(organizationId)
    cards.set(organizationId, card)
    if (before?.stage === card.stage) return
    moved.add(organizationId)
    announce(`${card.company_name ?? 'A company'} is now in ${words(card.stage ?? 'researching')}`)
  }

  function heard({ organization_id, position }: TimelineItem): void {
    news.set(organization_id, position)
    if (settling) return
    settling = true
    setTimeout(() => {
      settling = false
      const wanted = [...news]
      news.clear()
      void Promise.allSettled(wanted.map(([id, at]) => refresh(id, at))).then(() => {
        if (!signal.aborted) draw()
      })
    }, settleMs)
  }

  async function begin(): Promise<void> {
    try {
      // The stream first: what happens while the board is read is heard, and read again.
      void listen<TimelineItem>(
        { topics: 'client_events,auth_events,review_events' },
        { event: heard, state: (state) => mark.set(state === 'live') },
        signal,
      )
      await load()
      if (!signal.aborted) draw()
    } catch (error) {
      if (!signal.aborted)
        fill(
          place,
          trouble(error, () => void begin()),
        )
    }
  }

  find.addEventListener('input', () => {
    note({ find: find.value })
    draw()
  })
  void begin()
  const beside = [mark.element, h('div', { class: 'field' }, h('label', { for: 'find' }, 'Find a company'), find)]
  return {
    title: 'Lifecycle',
    content: [pageHead('Lifecycle', lead.childNodes.length === 0 ? null : lead, beside), place],
  }
}

function cardOf(card: Card, isMoved: boolean): HTMLElement {
  const { organization_id, company_name, domain, industry, stage_at } = card
  return h(
    'article',
    { class: isMoved ? 'card moved' : 'card', 'data-id': organization_id },
    h('h3', {}, h('a', { href: `${root}/companies/${organization_id}` }, company_name ?? domain ?? 'Unnamed')),
    h('p', { class: 'quiet' }, [domain, industry].filter((text) => text !== null).join(' · ')),
    h('p', { class: 'card-foot' }, stepOf(card), stage_at !== null && ago(stage_at)),
  )
}

function stepOf({ current_step, step_status, deadline, status, waiting_reviews }: Card): Child {
  if (status === 'completed') return tag('completed', 'ok')
  if (status === 'aborted') return tag('ended', 'bad')
  if (status === 'compensating') return tag('being undone', 'bad')
  if (current_step === null || step_status === null) return null
  if (step_status === 'failed' || step_status === 'timed_out')
    return tag(`${current_step} ${words(step_status)}`, 'bad')
  // While a person is asked there is no deadline.
  if (waiting_reviews > 0) return tag(`${current_step} waits for a person`, 'warn')
  if (step_status === 'completed') return tag(`${current_step} done`, 'ok')
  const overdue = deadline !== null && Date.parse(deadline) < Date.now()
  if (overdue) return tag(`${current_step} ${duration(Date.now() - Date.parse(deadline))} late`, 'warn')
  return tag(`${current_step} under way`)
}
