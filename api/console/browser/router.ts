/** Paths below /console to pages. Links inside are followed without loading the page anew. */

import type { Child } from './dom.ts'

export interface Shown {
  readonly title: string
  readonly content: Child
}

export interface Visit {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Aborted when the page is left. */
  readonly signal: AbortSignal
}

/** A page shows itself at once, and goes on by itself until its signal comes. */
export type Page = (visit: Visit) => Shown | Promise<Shown>

export interface Route {
  /** Below /console, e.g. `/companies/:id`. */
  readonly path: string
  load(): Promise<Page>
}

export const root = '/console'

export function match(routes: readonly Route[], path: string): { route: Route; params: Record<string, string> } | null {
  const parts = path
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '')
  for (const route of routes) {
    const wanted = route.path.split('/').filter((part) => part !== '')
    if (wanted.length !== parts.length) continue
    const params: Record<string, string> = {}
    const fits = wanted.every((part, index) => {
      if (!part.startsWith(':')) return part === parts[index]
      params[part.slice(1)] = decodeURIComponent(parts[index]!)
      return true
    })
    if (fits) return { route, params }
  }
  return null
}

export function go(path: string): void {
  history.pushState(null, '', path)
  dispatchEvent(new Event('navigate'))
}

/** Changes what stands in the address without a visit: a filter, a place. */
export function note(query: Readonly<Record<string, string | null>>): void {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === '') url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  history.replaceState(null, '', url)
}

/** @param changed the path is another one: a page is to be shown */
export function follow(changed: () => void): void {
  addEventListener('popstate', changed)
  addEventListener('navigate', changed)
  document.addEventListener('click', (event) => {
    // Also of a drawing, whose links are no HTML.
    const link = (event.target as Element).closest('a')
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (link === null || !isPlain || event.defaultPrevented || link.hasAttribute('target')) return
    const to = new URL(link.getAttribute('href') ?? '', location.href)
    if (to.hash !== '' || to.origin !== location.origin) return
    if (to.pathname !== root && !to.pathname.startsWith(`${root}/`)) return
    event.preventDefault()
    if (to.href !== location.href) go(to.pathname + to.search)
  })
}
