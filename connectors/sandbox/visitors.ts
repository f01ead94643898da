/**
 * People who find the link to a demo in their mail. They open it some minutes to two days later, go through it as the page in
 * their browser would tell, perhaps ask something, and come back another day; all in business time, by the agenda. What a
 * person does follows from their address and the link, unless a script says otherwise: of provider `sendgrid`, operation `visit`,
 *
 *   engages   goes through all of it, answers its call, comes back (what people do unless told)
 *   looks     opens it, sees the first step, leaves
 *   ignores   does not open it
 *   robot     a scanner of links opens it before its reader could
 *
 * VS1 A visit outlives a kill: each thing done is an entry of the agenda, which notes the next when the platform took it.
 */

import { createHash } from 'node:crypto'
import type { Json } from '../../schemas/index.ts'
import type { Agenda, AgendaEntry } from './agenda.ts'
import type { Script } from './script.ts'

export interface VisitorsOptions {
  readonly agenda: Agenda
  readonly script: Script
  /** Business time in ms. */
  readonly now: () => number
  /** Where the platform listens; null while it does not. */
  readonly platformUrl: () => string | null
}

export interface Visitors {
  /** Somebody gets a mail. */
  reads(mail: { readonly to: string; readonly subject: string; readonly text: string }): void
}

type Manner = 'engages' | 'looks' | 'robot'

/** What the page posts, so long after what came before it. */
interface Act {
  readonly afterMs: number
  readonly path: 'events' | 'chat'
  readonly body: { readonly [name: string]: Json }
}

interface Visit {
  readonly to: string
  readonly token: string
  readonly manner: Manner
  /** From 1: which visit of this person it is. */
  readonly nth: number
  /** What is still to be done; null before the page was opened. */
  readonly acts: readonly Act[] | null
  readonly tries: number
}

const kind = 'visit'
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const triesAtMost = 12
const answerWithinMs = 30_000
const link = /https?:\/\/[^\s/]+\/d\/([A-Za-z0-9_-]{16,200})/

export function visitors({ agenda, script, now, platformUrl }: VisitorsOptions): Visitors {
  agenda.on(kind, (entry) => goOn(entry))

  const note = (id: string, afterMs: number, visit: Visit): void =>
    agenda.note({ id, at: now() + Math.round(afterMs), kind, data: visit as unknown as Json })

  async function goOn({ id, data }: AgendaEntry): Promise<void> {
    const visit = data as unknown as Visit
    const outcome = await done(visit)
    if (outcome === 'later') {
      const tries = visit.tries + 1
      if (tries < triesAtMost) note(id, minute * 2 ** visit.tries, { ...visit, tries })
    } else if (outcome !== 'over') follow(id, visit, outcome)
  }

  /** What comes after: the next thing on the page, or another visit on another day. */
  function follow(id: string, visit: Visit, acts: readonly Act[]): void {
    const [next] = acts
    if (next !== undefined) return note(id, next.afterMs, { ...visit, acts, tries: 0 })
    if (visit.manner !== 'engages' || visit.nth > 1) return
    const another = day + chance(visit, 'return') * 20 * hour
    note(id, another, { ...visit, nth: visit.nth + 1, acts: null, tries: 0 })
  }

  /** Does what is next. @returns what is then left to do; later: the platform could not take it; over: it will not */
  async function done(visit: Visit): Promise<readonly Act[] | 'later' | 'over'> {
    const url = platformUrl()
    if (url === null) return 'later'
    const page = `${url}/d/${visit.token}`
    const [act, ...left] = visit.acts ?? []
    if (act !== undefined) {
      const { status } = await asked(`${page}/${act.path}`, visit, JSON.stringify(act.body))
      return fateOf(status) ?? left
    }
    const { status, text } = await asked(page, visit)
    // What was just published may not be shown yet.
    return status === 404 ? 'later' : (fateOf(status) ?? plan(visit, stepsIn(text)))
  }

  return {
    reads({ to, subject, text }) {
      const token = link.exec(text)?.[1]
      if (token === undefined) return
      const companies = [to.slice(to.indexOf('@') + 1)]
      const told = script.take({ provider: 'sendgrid', operation: 'visit', companies, body: text })?.answer ?? 'engages'
      if (told !== 'engages' && told !== 'looks' && told !== 'robot') return
      const visit: Visit = { to, token, manner: told, nth: 1, acts: null, tries: 0 }
      const opensAfterMs = told === 'robot' ? 5_000 : 5 * minute + chance(visit, 'open') ** 2 * 2 * day
      note(`visit:${digest(to, token, subject).slice(0, 32)}`, opensAfterMs, visit)
    },
  }
}

const fateOf = (status: number): 'later' | 'over' | null =>
  status >= 200 && status < 300 ? null : status === 0 || status === 429 || status >= 500 ? 'later' : 'over'

/** A browser's request; posts when there is a body. Status 0: nobody answered. */
async function asked(
  url: string,
  visit: Visit,
  body?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = {
    'user-agent': browserOf(visit),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers,
      signal: AbortSignal.timeout(answerWithinMs),
      ...(body === undefined ? {} : { body }),
    })
    return { status: response.status, text: await response.text() }
  } catch {
    return { status: 0, text: '' }
  }
}

/** How many steps a page of ours shows. */
const stepsIn = (page: string): number => page.match(/<section class="step"/g)?.length ?? 0

const questions = [
  'Does it work with the systems we have?',
  'How long does it take until it answers our customers?',
  'What happens when it does not know an answer?',
  'Which languages does it speak?',
]

function plan(visit: Visit, steps: number): readonly Act[] {
  const session_id = digest(visit.to, visit.token, `session ${String(visit.nth)}`).slice(0, 32)
  const tell = (afterMs: number, body: Act['body']): Act => ({
    afterMs: Math.round(afterMs),
    path: 'events',
    body: { ...body, session_id },
  })
  const view = tell(500, { type: 'view' })
  if (visit.manner === 'robot') return [view]
  const shown = visit.manner === 'looks' ? Math.min(1, steps) : steps
  const read = Array.from({ length: shown }, (_, index) => {
    const dwellMs =
      visit.manner === 'looks' ? 4_000 : 25_000 + Math.round(chance(visit, `step ${String(index)}`) * 50_000)
    return tell(dwellMs, { type: 'step', step: index + 1, dwell_ms: dwellMs })
  })
  if (visit.manner === 'looks' || visit.nth > 1) return [view, ...read]
  const asks = chance(visit, 'asks') < 0.5
  const text = questions[Math.floor(chance(visit, 'question') * questions.length)]!
  const question: Act = { afterMs: 20_000, path: 'chat', body: { session_id, text } }
  return [view, ...read, ...(asks ? [question] : []), tell(9_000, { type: 'cta', dwell_ms: 9_000 })]
}

const browsers = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{n}.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{n}.0 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{n}.0 Mobile/15E148 Safari/604.1',
]

/** The same for a person each time, and rarely that of another. */
function browserOf(visit: Visit): string {
  if (visit.manner === 'robot') return 'Mozilla/5.0 (compatible; LinkScanBot/2.0)'
  const browser = browsers[Math.floor(chance({ ...visit, nth: 0 }, 'browser') * browsers.length)]!
  return browser.replaceAll('{n}', String(100 + Math.floor(chance({ ...visit, nth: 0 }, 'version') * 900)))
}

const digest = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex')

/** From 0 to 1, by the person, the demo, and what is asked. */
const chance = ({ to, token, nth }: Visit, what: string): number =>
  Number.parseInt(digest(to, token, String(nth), what).slice(0, 8), 16) / 0x1_0000_0000
