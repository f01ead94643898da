/** The lifecycle board: every company in the column of its stage, moving when it moves. */

import type { Card, Column } from '../board-view.ts'
import { columnsOf, fitting, stageOf, stepWords } from '../board-view.ts'
import { now } from '../clock.ts'
import { fill, h } from '../dom.ts'
import { count, counted, title } from '../format.ts'
import { get, getSeen } from '../http.ts'
import { ago, announce, empty, liveMark, loading, pageHead, tag, trouble } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { note, root } from '../router.ts'
import { listen } from '../stream.ts'
import type { TimelineItem } from '../timeline-item.ts'
import { stages } from '../vocabulary.ts'

interface CardPage {
  readonly items: readonly Card[]
  readonly next_cursor: string | null
}

/** Cards of a column that are drawn; the rest is asked for. On a phone the columns stand below each other. */
const drawnAtOnce = { wide: 40, narrow: 6 }
const narrow = matchMedia('(max-width: 50rem)')
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

  function draw(): void {
    const list = fitting([...cards.values()], find.value)
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
    else fill(place, h('div', { class: 'board' }, ...columnsOf(list, stages).map(column)))
    moved.clear()
  }

  function column({ stage, cards: list }: Column): HTMLElement {
    const atOnce = narrow.matches ? drawnAtOnce.narrow : drawnAtOnce.wide
    const drawn = unfolded.has(stage) ? list : list.slice(0, atOnce)
    const rest = list.length - drawn.length
    const id = `stage-${stage}`
    const heading = h('h2', { id }, title(stage), ' ', h('span', { class: 'number' }, count(list.length)))
    if (list.length === 0) return h('section', { class: 'column bare', 'aria-labelledby': id }, heading)
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
      { class: 'column', 'aria-labelledby': id },
      heading,
      h(
        'ul',
        { class: 'cards', tabindex: 0, 'aria-labelledby': id },
        ...drawn.map((card) => h('li', {}, cardOf(card, moved.has(card.organization_id)))),
        rest > 0 && h('li', {}, more),
      ),
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
    const parameters = { organization_id: organizationId }
    const [card] = (await getSeen<CardPage>('/lifecycle', parameters, position, signal)).items
    if (card === undefined) return
    const before = cards.get(organizationId)
    cards.set(organizationId, card)
    if (before?.stage === card.stage) return
    moved.add(organizationId)
    announce(`${card.company_name ?? 'A company'} is now in ${title(stageOf(card))}`)
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

  const begun = (): void =>
    void load().then(
      () => {
        if (!signal.aborted) draw()
      },
      () => undefined,
    )

  async function begin(): Promise<void> {
    try {
      void listen<TimelineItem>(
        { topics: 'client_events,auth_events,review_events' },
        { begun, event: heard, state: (state) => mark.set(state === 'live') },
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

  narrow.addEventListener('change', draw, { signal })
  find.addEventListener('input', () => {
    note({ find: find.value })
    draw()
  })
  void begin()
  const beside = [mark.element, h('div', { class: 'field' }, h('label', { for: 'find' }, 'Find a company'), find)]
  return {
    title: 'Board',
    content: [pageHead('Lifecycle board', lead.childNodes.length === 0 ? null : lead, beside), place],
  }
}

function cardOf(card: Card, isMoved: boolean): HTMLElement {
  const { organization_id, company_name, domain, industry, stage_at } = card
  const step = stepWords(card, now())
  return h(
    'article',
    { class: isMoved ? 'card moved' : 'card', 'data-id': organization_id },
    h('h3', {}, h('a', { href: `${root}/companies/${organization_id}` }, company_name ?? domain ?? 'Unnamed')),
    h('p', { class: 'quiet' }, [domain, industry].filter((text) => text !== null).join(' · ')),
    h('p', { class: 'card-foot' }, step !== null && tag(step.text, step.tone), stage_at !== null && ago(stage_at)),
  )
}
