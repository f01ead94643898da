/** Small parts that several pages show alike. */

import type { Child } from './dom.ts'
import { fill, h } from './dom.ts'
import { duration, momentOf, words } from './format.ts'
import { ApiError, sentenceOf } from './http.ts'

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

/** `3 min ago`, exact on hover and for readers. */
export function ago(iso: string, nowMs = Date.now()): HTMLElement {
  const ms = nowMs - Date.parse(iso)
  const text = ms >= 0 ? `${duration(ms)} ago` : `in ${duration(ms)}`
  return h('time', { datetime: iso, title: momentOf(iso) }, ms >= 0 && ms < 1_000 ? 'now' : text)
}

export type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'plain'

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
export function value(of: unknown, depth = 0): Child {
  if (of === null || of === undefined || of === '') return h('span', { class: 'quiet' }, 'none')
  if (typeof of !== 'object') return String(of)
  if (Array.isArray(of)) {
    if (of.length === 0) return h('span', { class: 'quiet' }, 'none')
    if (of.every((each) => typeof each !== 'object')) return of.map(String).join(', ')
    return h('ol', { class: 'values' }, ...of.map((each: unknown) => h('li', {}, value(each, depth + 1))))
  }
  const entries = Object.entries(of)
  if (entries.length === 0) return h('span', { class: 'quiet' }, 'none')
  return facts(entries.map(([name, each]) => [words(name), value(each, depth + 1)]))
}

export const facts = (list: readonly (readonly [string, Child])[]): HTMLElement =>
  h('dl', { class: 'facts' }, ...list.map(([name, shown]) => h('div', {}, h('dt', {}, name), h('dd', {}, shown))))

let speaker: HTMLElement | null = null

/** Says something to those who listen instead of looking. */
export function announce(text: string): void {
  speaker ??= document.body.appendChild(h('div', { class: 'heard', 'aria-live': 'polite' }))
  speaker.textContent = text
}
