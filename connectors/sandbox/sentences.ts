/** Sentences about what was found out of a company: each stands on the finding it is made of, and on nothing else. */

import type { Known } from './conversation.ts'
import { isKnown } from './conversation.ts'
import { field, textField } from './exchange.ts'
import type { Industry } from './industries.ts'
import { industryOf } from './industries.ts'

/** What is written about: a company, and one finding of it where there is one. */
export interface Subject {
  readonly company: string
  readonly industry: Industry
  readonly finding: Known | null
}

export const subjectOf = (asked: Known, finding: Known | null): Subject => ({
  company: textField(asked, 'company_name') ?? 'Your company',
  industry: industryOf(textField(asked, 'industry')),
  finding,
})

/** A few words, as a title. */
export const titleOf = (subject: Subject): string => shortened(heading(subject), 60)

/** What to do next. */
export const actionOf = ({ company }: Subject): string => shortened(`Try it with questions of ${company}`, 60)

function shortened(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most).replace(/[\s,]+\S*$/, '')
}

function heading({ company, industry, finding }: Subject): string {
  const type = textField(finding, 'finding_type')
  const data = field(finding, 'data')
  switch (type) {
    case 'volume_prediction':
      return `${figure(field(data, 'monthly_conversations')) ?? 'All those'} conversations a month, answered`
    case 'competitor':
      return `What ${textField(data, 'name') ?? 'the others'} cannot show`
    case 'pricing':
      return 'What a conversation costs'
    case 'tech_stack':
      return `At home in ${listOf(field(data, 'technologies')) ?? 'your systems'}`
    case 'company_info':
      return `${company} as it is today`
    default:
      return finding === null ? `How ${company} answers its customers` : `More on ${plain(type ?? industry.does)}`
  }
}

/** What is hard for the company, as far as the finding tells. */
export function painOf({ company, industry, finding }: Subject): string {
  const data = field(finding, 'data')
  switch (textField(finding, 'finding_type')) {
    case 'volume_prediction': {
      const count = figure(field(data, 'monthly_conversations'))
      const many = count === null ? 'Many customers' : `About ${count} conversations a month`
      return `${many} ask ${company} about ${industry.customersAsk}; a team that answers each by hand falls behind.`
    }
    case 'competitor':
      return `${textField(data, 'name') ?? 'A competitor'}${priceWords(field(data, 'pricing'))} is offered to the same buyers, so how fast ${company} answers is what they compare.`
    case 'pricing':
      return `At its prices${priceWords(data)}, ${company} cannot spend a person's time on each question about ${industry.customersAsk}.`
    case 'tech_stack': {
      const technologies = listOf(field(data, 'technologies'))
      return `Answers lie in ${technologies ?? 'several systems'}, and somebody at ${company} has to look them up each time.`
    }
    case 'company_info': {
      const employees = figure(field(data, 'employees'))
      const size = employees === null ? company : `With ${employees} people, ${company}`
      const does = textField(data, 'summary')
      return `${size} cannot know every customer's case by heart${does === null ? '' : `: ${shortened(does.replace(/[.\s]+$/, ''), 120)}`}.`
    }
    default: {
      const told = firstText(data)
      return `${company} is asked about ${industry.customersAsk}${told === null ? '' : ` (${told})`}, day after day.`
    }
  }
}

/** What is shown to answer it. */
export function stepOf({ company, industry, finding }: Subject): string {
  const data = field(finding, 'data')
  switch (textField(finding, 'finding_type')) {
    case 'volume_prediction': {
      const count = figure(field(data, 'monthly_conversations'))
      return `We let a month of ${count === null ? '' : `${count} `}conversations pass by: which the assistant answers itself, and which reach the people of ${company}.`
    }
    case 'competitor':
      return `We ask what a buyer who also looks at ${textField(data, 'name') ?? 'a competitor'} would ask, and see what ${company} answers at once.`
    case 'pricing':
      return `We hold what one answer costs against ${company}'s own prices${priceWords(data)}.`
    case 'tech_stack':
      return `We connect the assistant to ${listOf(field(data, 'technologies')) ?? 'the systems in use'}, and each answer says where it was read.`
    case 'company_info': {
      const employees = figure(field(data, 'employees'))
      return `We walk through a day of ${employees === null ? 'the team' : `the ${employees} people`} at ${company}: what is answered without them, and what is handed to the right one.`
    }
    default:
      return `We begin as a customer of ${company} would, with a question about ${industry.customersAsk}, and see the answer.`
  }
}

/** ` (from 1.2 USD a transaction)`, as far as it is known. */
function priceWords(price: unknown): string {
  const from = figure(field(price, 'starting_price'))
  if (from === null) return ''
  const [currency, unit] = [textField(price, 'currency'), textField(price, 'unit')]
  return ` (from ${from}${currency === null ? '' : ` ${currency}`}${unit === null ? '' : ` a ${plain(unit)}`})`
}

/** What the one who shows it says. */
export function talkOf(asked: Known, findings: readonly Known[]): string {
  const { company, industry } = subjectOf(asked, null)
  const opening = `${company} ${industry.does}, and its customers ask about ${industry.customersAsk}.`
  const told = findings.slice(0, 3).map((finding) => painOf(subjectOf(asked, finding)))
  return [opening, ...told, `Let us look at what changes for ${company} when those are answered at once.`].join(' ')
}

const plain = (text: string): string => text.replaceAll('_', ' ')

/** 12345 as 12,345. */
const figure = (value: unknown): string | null =>
  typeof value === 'number' && Number.isFinite(value) ? value.toLocaleString('en-US') : null

function listOf(value: unknown): string | null {
  const names = Array.isArray(value) ? value.filter((name) => typeof name === 'string').slice(0, 3) : []
  if (names.length === 0) return null
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`
}

function firstText(data: unknown): string | null {
  const values = isKnown(data) ? Object.values(data) : []
  const found = values.find((value) => typeof value === 'string' && value !== '')
  return typeof found === 'string' ? found.replace(/[.\s]+$/, '') : null
}
