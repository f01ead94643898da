/** What the board shows, from the cards it holds. Pure: stages, cards and the time come in. */

import { duration, title, words } from './format.ts'
import type { Tone } from './tone.ts'

export interface Card {
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

export interface Column {
  readonly stage: string
  /** Who came last stands first. */
  readonly cards: readonly Card[]
}

/** Where a client is whose lifecycle has not begun. */
const stageBefore = 'researching'
export const stageOf = ({ stage }: Pick<Card, 'stage'>): string => stage ?? stageBefore

/** A column for each stage, in their order; one that is not known yet comes after them. */
export function columnsOf(cards: readonly Card[], stages: readonly string[]): readonly Column[] {
  const byStage = Map.groupBy(cards, stageOf)
  const names = [...stages, ...[...byStage.keys()].filter((stage) => !stages.includes(stage))]
  const newest = (a: Card, b: Card): number => (b.stage_at ?? '').localeCompare(a.stage_at ?? '')
  return names.map((stage) => ({ stage, cards: (byStage.get(stage) ?? []).toSorted(newest) }))
}

/** Those with the text in their name, domain or industry. */
export function fitting(cards: readonly Card[], text: string): readonly Card[] {
  const wanted = text.trim().toLowerCase()
  const fits = ({ company_name, domain, industry }: Card): boolean =>
    [company_name, domain, industry].some((each) => each?.toLowerCase().includes(wanted) === true)
  return wanted === '' ? cards : cards.filter(fits)
}

export interface StepWords {
  readonly text: string
  readonly tone: Tone
}

/** How its step stands, by its name alone while it is under way; null where there is nothing to say. @param nowMs business time */
export function stepWords(card: Card, nowMs: number): StepWords | null {
  const { current_step, step_status, deadline, status, waiting_reviews } = card
  if (status === 'completed') return { text: 'Completed', tone: 'ok' }
  if (status === 'aborted') return { text: 'Ended', tone: 'bad' }
  if (status === 'compensating') return { text: 'Being undone', tone: 'bad' }
  if (current_step === null || step_status === null) return null
  const step = title(current_step)
  if (step_status === 'failed' || step_status === 'timed_out')
    return { text: `${step} ${words(step_status)}`, tone: 'bad' }
  // While a person is asked there is no deadline.
  if (waiting_reviews > 0) return { text: 'Waits for a person', tone: 'warn' }
  if (step_status === 'completed') return { text: `${step} done`, tone: 'ok' }
  const lateMs = deadline === null ? 0 : nowMs - Date.parse(deadline)
  if (lateMs > 0) return { text: `${step} ${duration(lateMs)} late`, tone: 'warn' }
  return { text: step, tone: 'plain' }
}
