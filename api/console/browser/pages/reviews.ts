/** What waits for a person, most urgent first. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { companyName } from '../company-names.ts'
import { now } from '../clock.ts'
import { capital, count, counted, title, words } from '../format.ts'
import { get, getSeen } from '../http.ts'
import { ago, empty, liveMark, loading, pageHead, tag, trouble } from '../parts.ts'
import type { Review } from '../review-item.ts'
import { companyOf, riskTone, waitsFor } from '../review-item.ts'
import type { Shown, Visit } from '../router.ts'
import { note, root } from '../router.ts'
import { listen } from '../stream.ts'
import type { TimelineItem } from '../timeline-item.ts'
import type { Tone } from '../tone.ts'

interface ReviewPage {
  readonly items: readonly Review[]
  readonly next_cursor: string | null
}

const views = [
  ['waiting', 'Waiting'],
  ['decided', 'Decided'],
  ['expired', 'Expired'],
] as const

/** News that come together are read together. */
const settleMs = 500

export function reviews({ query, signal }: Visit): Shown {
  const mark = liveMark()
  const lead = h('p', { class: 'lead' }, ' ')
  const list = h('div', {}, loading('the reviews'))
  let view: string = views.find(([name]) => name === query.get('status'))?.[0] ?? 'waiting'
  let items: readonly Review[] = []
  let cursor: string | null = null

  const tabs = h('div', { class: 'tabs', role: 'group', 'aria-label': 'Which reviews' })
  const drawTabs = (): void =>
    fill(
      tabs,
      ...views.map(([name, text]) =>
        h('button', { type: 'button', 'aria-pressed': String(view === name), onclick: () => choose(name) }, text),
      ),
    )

  function choose(name: string): void {
    view = name
    note({ status: name === 'waiting' ? null : name })
    drawTabs()
    tabs.querySelector<HTMLElement>('[aria-pressed=true]')?.focus()
    void load()
  }

  function draw(): void {
    const more = cursor === null ? '' : ' and more'
    const many = `${counted(items.length, view === 'waiting' ? 'decision' : 'review')}${more}`
    const text = view === 'waiting' ? `${many} waiting for a person, the most urgent first.` : `${many}.`
    fill(lead, items.length === 0 ? ' ' : text)
    if (items.length === 0)
      fill(
        list,
        view === 'waiting'
          ? empty(
              'Nothing waits for a decision.',
              'Reviews appear when the platform is not sure enough to go on by itself.',
            )
          : empty(`No review is ${view} yet.`),
      )
    else
      fill(
        list,
        h('ul', { class: 'queue' }, ...items.map((review) => h('li', {}, item(review)))),
        cursor !== null && h('button', { type: 'button', class: 'more', onclick: () => void loadMore() }, 'Show more'),
      )
  }

  let loads = 0

  /** @param position of what is to be seen by now; of several reads the last one counts, whichever is answered last */
  async function load(position: string | null = null): Promise<void> {
    const turn = ++loads
    try {
      const page = await getSeen<ReviewPage>('/reviews', { status: view, limit: 50 }, position, signal)
      if (turn !== loads) return
      items = page.items
      cursor = page.next_cursor
      if (!signal.aborted) draw()
    } catch (error) {
      if (!signal.aborted && turn === loads)
        fill(
          list,
          trouble(error, () => void load()),
        )
    }
  }

  async function loadMore(): Promise<void> {
    const page: ReviewPage = await get<ReviewPage>('/reviews', { status: view, limit: 50, cursor }, signal)
    items = [...items, ...page.items]
    cursor = page.next_cursor
    draw()
  }

  const news = new Map<number, string>()
  function heard({ partition, position }: TimelineItem): void {
    const isSettling = news.size > 0
    news.set(partition, position)
    if (isSettling) return
    setTimeout(() => {
      const seen = [...news.values()].join(',')
      news.clear()
      if (!signal.aborted) void load(seen)
    }, settleMs)
  }

  drawTabs()
  void load()
  void listen<TimelineItem>(
    { topics: 'review_events' },
    { begun: () => void load(), event: heard, state: (state) => mark.set(state === 'live') },
    signal,
  )
  return { title: 'Reviews', content: [pageHead('Reviews', lead, [mark.element, tabs]), list] }
}

/** Under its company, whose name comes later where the review does not bear it. */
function titleOf(review: Review): HTMLElement {
  const known = companyOf(review)
  const subject = title(review.subject_type)
  const link = h('a', { href: `${root}/reviews/${encodeURIComponent(review.review_id)}` }, known ?? subject)
  if (known === null) void companyName(review.organization_id).then((name) => (link.textContent = name ?? subject))
  return h('h2', {}, link)
}

function item(review: Review): HTMLElement {
  const isOpen = review.status === 'open' || review.status === 'claimed'
  return h(
    'article',
    { class: 'review-row' },
    // It grows while nobody decides, and says nothing afterwards.
    isOpen && h('p', { class: 'priority' }, count(review.priority), h('small', {}, 'priority')),
    h(
      'div',
      { class: 'review-what' },
      titleOf(review),
      review.reason !== null && h('p', {}, capital(words(review.reason))),
      isOpen && review.options.length === 0 && h('p', { class: 'quiet' }, waitsFor(review)),
      h('p', { class: 'tags' }, tag(title(review.subject_type)), tag(`${capital(review.risk)} risk`, riskTone(review))),
    ),
    h('p', { class: 'review-when' }, standing(review)),
  )
}

const decisionsMade: Readonly<Record<string, { readonly text: string; readonly tone: Tone }>> = {
  approve: { text: 'Approved', tone: 'ok' },
  edit: { text: 'Corrected and approved', tone: 'ok' },
  reject: { text: 'Rejected', tone: 'bad' },
}

function standing(review: Review): Child {
  if (review.status === 'decided') {
    const { text, tone } = decisionsMade[review.decision ?? ''] ?? {
      text: capital(review.decision ?? 'decided'),
      tone: 'ok',
    }
    return [tag(text, tone), review.decided_at !== null && ago(review.decided_at)]
  }
  if (review.status === 'expired') return [tag('Expired'), h('span', {}, 'was due ', ago(review.due_at))]
  const overdue = Date.parse(review.due_at) < now()
  return [
    review.status === 'claimed' &&
      tag(review.claimed_by_name == null ? 'Claimed' : `Held by ${review.claimed_by_name}`, 'accent'),
    overdue && tag('Overdue', 'bad'),
    h('span', {}, 'due ', ago(review.due_at)),
  ]
}
