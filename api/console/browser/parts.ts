/** Small parts that several pages show alike. */

import type { Child } from './dom.ts'
import { fill, h } from './dom.ts'
import { isElsewhen, now, onJump } from './clock.ts'
import { duration, momentOf, title as titleOf } from './format.ts'
import { ApiError, sentenceOf } from './http.ts'
import { plainName, told } from './told.ts'
import type { Tone } from './tone.ts'

/** A page's head: what it is, a sentence about it, and what stands beside it. */
export const pageHead = (title: string, lead: Child = null, beside: Child = null): HTMLElement =>
  h(
    'header',
    { class: 'page-head' },
    h('div', {}, h('h1', { tabindex: -1 }, title), lead !== null && h('p', { class: 'lead' }, lead)),
    beside !== null && h('div', { class: 'beside' }, beside),
  )

/** Nothing is here, as a sentence, and what to do about it. */
export const empty = (sentence: Child, more: Child = null): HTMLElement =>
  h('div', { class: 'empty' }, h('p', {}, sentence), more !== null && h('p', { class: 'quiet' }, more))

/** What went wrong, as a sentence, and a way to try again. */
export function trouble(error: unknown, again?: () => void): HTMLElement {
  const refused = error instanceof ApiError && error.status === 403
  return h(
    'div',
    { class: refused ? 'empty' : 'trouble', role: 'alert' },
    h('p', {}, sentenceOf(error)),
    again !== undefined && !refused && h('button', { type: 'button', onclick: again }, 'Try again'),
  )
}

export const loading = (what: string): HTMLElement => h('p', { class: 'loading', role: 'status' }, `Loading ${what}…`)

/** Fills a place with what comes, or with why it does not. */
export async function into(
  place: HTMLElement,
  what: string,
  work: () => Promise<Child>,
  signal: AbortSignal,
): Promise<void> {
  if (place.childNodes.length === 0) fill(place, loading(what))
  place.setAttribute('aria-busy', 'true')
  try {
    const content = await work()
    if (!signal.aborted) fill(place, content)
  } catch (error) {
    if (!signal.aborted)
      fill(
        place,
        trouble(error, () => void into(place, what, work, signal)),
      )
  } finally {
    place.removeAttribute('aria-busy')
  }
}

/** `3 min ago` of business time, exact on hover and for readers. Goes on by itself while it is shown. */
export const ago = (iso: string): HTMLElement =>
  h('time', { class: 'ago', datetime: iso, title: momentOf(iso) }, agoText(iso))

function agoText(iso: string): string {
  const ms = now() - Date.parse(iso)
  if (Math.abs(ms) < 1_000) return 'now'
  return ms > 0 ? `${duration(ms)} ago` : `in ${duration(ms)}`
}

const agoEveryMs = 10_000

/** Keeps every `ago` of the page true, and says in `clock` what time it is where that is not this machine's. */
export function keepTime(clock: () => HTMLElement | null): void {
  const tick = (): void => {
    for (const time of document.querySelectorAll<HTMLTimeElement>('time.ago')) time.textContent = agoText(time.dateTime)
    const place = clock()
    if (place === null) return
    place.hidden = !isElsewhen()
    if (!place.hidden) fill(place, 'Business time ', h('time', {}, momentOf(now())))
  }
  setInterval(tick, agoEveryMs)
  onJump(tick)
}

export const tag = (text: string, tone: Tone = 'plain'): HTMLElement => h('span', { class: `tag ${tone}` }, text)

/** Whether news arrive. Says so in words, not in colour alone. */
export function liveMark(): { readonly element: HTMLElement; set(isLive: boolean): void } {
  const element = h('p', { class: 'live-mark', role: 'status' })
  const set = (isLive: boolean): void => {
    element.classList.toggle('off', !isLive)
    element.textContent = isLive ? 'Live' : 'Connection lost, trying again'
  }
  element.textContent = 'Connecting'
  element.classList.add('off')
  return { element, set }
}

/** A value of any form: records as lists of names and values, lists as lists, the rest as text. */
export function value(of: unknown): Child {
  if (of === null || of === undefined || of === '') return h('span', { class: 'quiet' }, 'none')
  if (typeof of !== 'object') return String(of)
  if (Array.isArray(of)) {
    if (of.length === 0) return h('span', { class: 'quiet' }, 'none')
    if (of.every((each) => typeof each !== 'object')) return of.map(String).join(', ')
    return h('ol', { class: 'values' }, ...of.map((each: unknown) => h('li', {}, value(each))))
  }
  const entries = Object.entries(of)
  if (entries.length === 0) return h('span', { class: 'quiet' }, 'none')
  return facts(entries.map(([name, each]) => field(name, each, of as Readonly<Record<string, unknown>>)))
}

/** A field of a record, under its name as people read it. */
export const field = (
  name: string,
  of: unknown,
  beside: Readonly<Record<string, unknown>>,
): readonly [string, Child] => {
  const text = told(name, of, beside)
  return [titleOf(plainName(name)), text === null || text === '' ? value(of) : text]
}

export const facts = (list: readonly (readonly [string, Child])[]): HTMLElement =>
  h('dl', { class: 'facts' }, ...list.map(([name, shown]) => h('div', {}, h('dt', {}, name), h('dd', {}, shown))))

/**
 * A table that becomes a list of cards where it is narrow: each cell bears the name of its column.
 * @param rows each row's cells, in the order of the columns; the first is its head
 */
export function table(
  label: string,
  columns: readonly string[],
  rows: readonly (readonly Child[])[],
  attributes: (index: number) => Readonly<Record<string, string>> = () => ({}),
): HTMLElement {
  const row = (cells: readonly Child[], index: number): HTMLElement =>
    h(
      'tr',
      attributes(index),
      ...cells.map((cell, at) =>
        at === 0 ? h('th', { scope: 'row' }, cell) : h('td', { 'data-column': columns[at] ?? '' }, h('div', {}, cell)),
      ),
    )
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...columns.map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', {}, ...rows.map(row)),
    ),
  )
}

let speaker: HTMLElement | null = null

/** Says something to those who listen instead of looking. */
export function announce(text: string): void {
  speaker ??= document.body.appendChild(h('div', { class: 'heard', 'aria-live': 'polite' }))
  speaker.textContent = text
}
