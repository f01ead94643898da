/**
 * What the language model is asked for a demo, and what of its answer is believed. A sentence is kept when it names a finding
 * that exists, or names none, and holds no figure that the findings do not hold; where nothing is left, a neutral sentence
 * stands. So a demo never says what nobody found.
 */

import type { Json } from '../../schemas/index.ts'
import { fieldsOf } from '../fields.ts'
import type { DemoSettings } from './settings.ts'
import type { Company, Finding } from './state.ts'

export interface Claim {
  readonly text: string
  readonly finding_id: string | null
}

export interface TourStep extends Claim {
  readonly title: string
}

export interface Personalization {
  readonly company_name: string
  readonly industry: string | null
  readonly headline: string
  readonly pain_points: readonly Claim[]
  readonly steps: readonly TourStep[]
  readonly call_to_action: string
}

const system = [
  'You write a short product demo for a prospect of a platform whose agents answer customers by chat and telephone.',
  'Use only the findings given. Every pain point names the finding it rests on. Say nothing about people.',
  'Write plainly, in English, and make no promise with a number that is not in the findings.',
].join('\n')

const claim = {
  type: 'object',
  additionalProperties: false,
  required: ['text', 'finding_id'],
  properties: { text: { type: 'string' }, finding_id: { type: 'string' } },
}
const step = {
  type: 'object',
  additionalProperties: false,
  required: ['title', 'text', 'finding_id'],
  properties: { title: { type: 'string' }, text: { type: 'string' }, finding_id: { type: ['string', 'null'] } },
}
const schema: Json = {
  type: 'object',
  additionalProperties: false,
  required: ['headline', 'pain_points', 'steps', 'call_to_action'],
  properties: {
    headline: { type: 'string' },
    pain_points: { type: 'array', items: claim },
    steps: { type: 'array', items: step },
    call_to_action: { type: 'string' },
  },
}

export function scriptRequest(
  settings: DemoSettings,
  company: Company,
  findings: readonly Finding[],
  persona: string | null,
): Json {
  const { company_name, industry = null } = company
  const told = findings.map(({ finding_id, finding_type, data }) => ({ finding_id, finding_type, data }))
  return {
    system,
    messages: [{ role: 'user', content: JSON.stringify({ company_name, industry, persona, findings: told }) }],
    schema: { name: 'demo', schema },
    maxOutputTokens: settings.maxOutputTokens,
  }
}

const most = { headline: 120, title: 60, text: 280, action: 60, painPoints: 4, steps: 6 } as const

/** The content of a demo from what the model said; null where it said nothing at all. */
export function personalizationOf(company: Company, findings: readonly Finding[], said: unknown): Personalization {
  const neutral = neutralPersonalization(company)
  const told = fieldsOf(said)
  const known = new Set(findings.map(({ finding_id }) => finding_id))
  const figures = figuresIn(JSON.stringify([company, findings.map(({ data }) => data)]))
  const sentence = (value: unknown, longest: number): string | null => {
    const text = typeof value === 'string' ? value.trim().replaceAll(/\s+/g, ' ') : ''
    return text === '' || text.length > longest || !isGrounded(text, figures) ? null : text.toWellFormed()
  }
  const pain_points = list(told['pain_points']).flatMap((value): Claim[] => {
    const { text, finding_id } = fieldsOf(value)
    const words = sentence(text, most.text)
    return words === null || typeof finding_id !== 'string' || !known.has(finding_id)
      ? []
      : [{ text: words, finding_id }]
  })
  const steps = list(told['steps']).flatMap((value): TourStep[] => {
    const { title, text, finding_id } = fieldsOf(value)
    const [head, words] = [sentence(title, most.title), sentence(text, most.text)]
    const place = typeof finding_id === 'string' ? finding_id : null
    return head === null || words === null || (place !== null && !known.has(place))
      ? []
      : [{ title: head, text: words, finding_id: place }]
  })
  return {
    company_name: neutral.company_name,
    industry: neutral.industry,
    headline: sentence(told['headline'], most.headline) ?? neutral.headline,
    pain_points: pain_points.length === 0 ? neutral.pain_points : pain_points.slice(0, most.painPoints),
    steps: steps.length < 2 ? neutral.steps : steps.slice(0, most.steps),
    call_to_action: sentence(told['call_to_action'], most.action) ?? neutral.call_to_action,
  }
}

/** True of every company: what stands where nothing was found. */
export function neutralPersonalization({ company_name, industry = null }: Company): Personalization {
  const at = (text: string): Claim => ({ text, finding_id: null })
  return {
    company_name,
    industry,
    headline: `Answers for every customer of ${company_name}, day and night`.slice(0, most.headline),
    pain_points: [
      at('Customers ask the same questions again and again, and wait for the answers.'),
      at('What the team knows is in many places, and new people need long to find it.'),
    ],
    steps: [
      { title: 'A customer asks', ...at('By chat or by telephone, in their own words and their own language.') },
      { title: 'The agent answers', ...at('From your own documents, with the source beside every answer.') },
      { title: 'A person takes over', ...at('When it matters, with a summary, so that nobody has to ask twice.') },
      { title: 'You see what happened', ...at('Every conversation, its quality, and what customers could not find.') },
    ],
    call_to_action: 'Talk about a pilot',
  }
}

const figuresIn = (text: string): ReadonlySet<string> => new Set(text.match(/\d+/g) ?? [])
/** Numbers with separators are read as they are written in data: 4,000 is 4000. */
const isGrounded = (text: string, figures: ReadonlySet<string>): boolean =>
  (text.replaceAll(/(?<=\d)[,.\s](?=\d{3}\b)/g, '').match(/\d+/g) ?? []).every((figure) => figures.has(figure))

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : [])
