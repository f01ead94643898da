/** Begins here: finds out who is there, draws the frame, and shows the page of the address. */

import { fill, h } from './dom.ts'
import { ApiError, get } from './http.ts'
import { loginForm } from './login.ts'
import { capital } from './format.ts'
import { announce, keepTime, trouble } from './parts.ts'
import type { Page, Route } from './router.ts'
import { follow, match, root } from './router.ts'
import type { Profile } from './session.ts'
import { logOut, me, onEnd, resume } from './session.ts'

const routes: readonly Route[] = [
  { path: '/', load: async () => (await import('./pages/board.ts')).board },
  { path: '/companies/:id', load: async () => (await import('./pages/company.ts')).company },
  { path: '/reviews', load: async () => (await import('./pages/reviews.ts')).reviews },
  { path: '/reviews/:id', load: async () => (await import('./pages/review.ts')).review },
  { path: '/dead-letters', load: async () => (await import('./pages/dead-letters.ts')).deadLetters },
  { path: '/topics', load: async () => (await import('./pages/topics.ts')).topics },
  { path: '/topology', load: async () => (await import('./pages/topology.ts')).topology },
]

interface Place {
  readonly path: string
  readonly name: string
  readonly operator?: true
}

const places: readonly Place[] = [
  { path: root, name: 'Board' },
  { path: `${root}/reviews`, name: 'Reviews' },
  { path: `${root}/dead-letters`, name: 'Dead letters', operator: true },
  { path: `${root}/topics`, name: 'Topics', operator: true },
  { path: `${root}/topology`, name: 'Topology', operator: true },
]

const app = document.getElementById('app')!
const main = h('main', { id: 'main', tabindex: -1 })
const clockPlace = h('p', { class: 'business-time', hidden: true })
let visit = new AbortController()
let isIn = false

function frame(profile: Profile, isOperator: boolean): void {
  const link = ({ path, name }: Place): HTMLElement => h('li', {}, h('a', { href: path }, name))
  const shown = places.filter((place) => isOperator || place.operator === undefined)
  fill(
    app,
    h('a', { class: 'skip', href: '#main' }, 'Skip to the page'),
    h(
      'div',
      { class: 'frame' },
      h(
        'header',
        { class: 'bar' },
        h(
          'a',
          { class: 'brand', href: root },
          h('img', { src: `${root}/assets/icon.svg`, alt: '', width: 24, height: 24 }),
          'Lifecycle',
        ),
        h('nav', { 'aria-label': 'Pages' }, h('ul', {}, ...shown.map(link))),
        h(
          'div',
          { class: 'who' },
          clockPlace,
          h('p', {}, h('span', {}, `${profile.first_name} ${profile.last_name}`), h('small', {}, roleOf(profile))),
          h('button', { type: 'button', class: 'quiet-button', onclick: () => void logOut() }, 'Log out'),
        ),
      ),
      main,
    ),
  )
}

const roleOf = ({ user_type, role, organization }: Profile): string =>
  user_type === 'agent' ? capital(role) : `${capital(role)} at ${organization.company_name}`

function markPlace(): void {
  for (const link of app.querySelectorAll<HTMLAnchorElement>('nav a')) {
    const below = link.pathname === root ? `${root}/companies` : link.pathname
    const here = link.pathname === location.pathname || location.pathname.startsWith(`${below}/`)
    if (here) {
      link.setAttribute('aria-current', 'page')
      // On a phone the places stand in one line that is longer than the screen.
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    } else link.removeAttribute('aria-current')
  }
}

async function show(isFirst = false): Promise<void> {
  if (!isIn) return
  visit.abort()
  visit = new AbortController()
  const { signal } = visit
  markPlace()
  const found = match(routes, location.pathname.replace(/\/$/, ''))
  if (found === null) {
    put(
      'Not found',
      h(
        'div',
        { class: 'empty' },
        h('h1', { tabindex: -1 }, 'There is no such page'),
        h('p', {}, h('a', { href: root }, 'Go to the board')),
      ),
      isFirst,
    )
    return
  }
  try {
    const page: Page = await found.route.load()
    const shown = await page({ params: found.params, query: new URLSearchParams(location.search), signal })
    if (!signal.aborted) put(shown.title, h('div', {}, shown.content), isFirst)
  } catch (error) {
    if (!signal.aborted)
      put(
        'Trouble',
        trouble(error, () => void show()),
        isFirst,
      )
  }
}

function put(title: string, content: HTMLElement, isFirst: boolean): void {
  document.title = `${title} · Lifecycle console`
  fill(main, content)
  if (isFirst) return
  scrollTo(0, 0)
  main.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
}

/** The frame and the page, once somebody is logged in. */
async function enter(isFirst: boolean): Promise<void> {
  try {
    const profile = await get<Profile>('/profile')
    isIn = true
    me.id = profile.user_id
    frame(profile, await isOperator())
    await show(isFirst)
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401))
      fill(
        app,
        trouble(error, () => void enter(isFirst)),
      )
  }
}

async function isOperator(): Promise<boolean> {
  return get<{ operator: boolean }>('/operator/access').then(
    ({ operator }) => operator,
    () => false,
  )
}

function leave(why: 'ended' | 'left' | null): void {
  visit.abort()
  isIn = false
  document.title = 'Log in · Lifecycle console'
  const said =
    why === 'ended'
      ? 'Your session has ended. Log in to go on where you were.'
      : why === 'left'
        ? 'You are logged out.'
        : null
  fill(
    app,
    loginForm(said, () => void enter(false)),
  )
  app.querySelector('input')?.focus()
  if (said !== null) announce(said)
}

keepTime(() => clockPlace)
onEnd((why) => {
  if (why === 'left') history.replaceState(null, '', root)
  leave(why)
})
follow(() => void show())
if (location.pathname === `${root}/`) history.replaceState(null, '', root + location.search)
if (await resume()) await enter(true)
else leave(null)
