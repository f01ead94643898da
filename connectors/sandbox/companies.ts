/**
 * What the sandbox knows of a company: invented, plausible, and always the same for the same question. Figures follow from
 * the domain (the name where there is none), so that all providers tell the same; surroundings follow from the industry.
 */

import { createHash } from 'node:crypto'
import type { Industry } from './industries.ts'
import { industryOf, usualTechnologies } from './industries.ts'

export interface CompanyAsked {
  readonly name: string
  readonly domain: string | null
  readonly industry: string | null
}

export interface CompanyFacts {
  readonly name: string
  readonly summary: string
  readonly industry: string
  readonly employees: number
  readonly headquarters: string
  readonly founded: number
  readonly competitors: readonly { readonly name: string; readonly url: string; readonly price: number }[]
  readonly pricing: {
    readonly model: string
    readonly starting_price: number
    readonly currency: string
    readonly unit: string
  }
  readonly technologies: readonly string[]
  readonly monthlyConversations: number
  /** Pages that say so: the company's own, and directories under reserved names. */
  readonly pages: readonly Page[]
}

export interface Page {
  readonly url: string
  readonly title: string
  readonly snippet: string
  readonly date: string
  /** On the company's own site. */
  readonly own: boolean
}

export function factsOf(asked: CompanyAsked): CompanyFacts {
  const draw = draws((asked.domain ?? asked.name).toLowerCase())
  const industry = industryOf(asked.industry)
  const employees = Math.round(20 * 2 ** draw(9))
  const headquarters = pick(draw, ['Berlin', 'London', 'Austin', 'Toronto', 'Paris', 'Dublin', 'New York', 'Amsterdam'])
  const founded = 1995 + Math.floor(draw(28))
  const facts = {
    name: asked.name,
    summary: `${asked.name} ${industry.does}.`,
    industry: asked.industry ?? 'Software',
    employees,
    headquarters,
    founded,
    competitors: competitorsOf(draw, industry, asked.name),
    pricing: pricingOf(draw, industry),
    technologies: [...new Set([...some(draw, usualTechnologies, 3), ...some(draw, industry.technologies, 2)])],
    monthlyConversations: Math.max(10, Math.round((employees * industry.conversationsPerEmployee) / 10) * 10),
  }
  return { ...facts, pages: pagesOf(asked, facts) }
}

function competitorsOf(draw: Draw, industry: Industry, name: string): CompanyFacts['competitors'] {
  const others = industry.competitors.filter((other) => other.toLowerCase() !== name.toLowerCase())
  return some(draw, others, 3 + Math.floor(draw(3))).map((other) => ({
    name: other,
    url: `https://${other.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.example`,
    price: priceIn(draw, industry),
  }))
}

function pricingOf(draw: Draw, industry: Industry): CompanyFacts['pricing'] {
  const { model, unit } = industry.pricing
  return { model, starting_price: priceIn(draw, industry), currency: 'USD', unit }
}

const priceIn = (draw: Draw, { pricing: { from, to } }: Industry): number =>
  Math.round((from + draw(to - from)) * 100) / 100

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '') || 'company'

function pagesOf(asked: CompanyAsked, facts: Omit<CompanyFacts, 'pages'>): Page[] {
  const slug = slugOf(asked.name)
  const about = [
    `${facts.summary} Founded in ${facts.founded}, headquartered in ${facts.headquarters}, with ${facts.employees} employees`,
    `and ${facts.monthlyConversations * 10} customers.`,
  ].join(' ')
  const names = facts.competitors.map(({ name }) => name).join(', ')
  const { starting_price: price, unit } = facts.pricing
  const built = `${asked.name} is built with ${facts.technologies.join(', ')}.`
  const page = (url: string, title: string, snippet: string, own = true): Page => ({
    url,
    title,
    snippet,
    date: '2026-01-15',
    own,
  })
  const told = `${about} Competitors include: ${names}. Plans from $${price} / ${unit}. ${built}`
  const own =
    asked.domain === null
      ? []
      : [
          page(`https://${asked.domain}/about`, `About ${asked.name}`, about),
          page(
            `https://${asked.domain}/pricing`,
            `${asked.name} pricing`,
            `${asked.name} plans from $${price} / ${unit}. ${built}`,
          ),
        ]
  const directories = ['directory', 'compare', 'companies', 'profiles'].map((site) =>
    page(`https://${site}.example/${slug}`, `${asked.name} at ${site}.example`, told, false),
  )
  return [...own, ...directories]
}

/** A number from 0 up to (not including) the bound. */
type Draw = (bound: number) => number

/** An endless row of numbers that depends on the text alone. */
function draws(text: string): Draw {
  let bytes = createHash('sha256').update(text).digest()
  let at = 0
  return (bound) => {
    if (at + 4 > bytes.length) {
      bytes = createHash('sha256').update(bytes).digest()
      at = 0
    }
    const value = bytes.readUInt32BE(at)
    at += 4
    return (value / 0x1_0000_0000) * bound
  }
}

const pick = <T>(draw: Draw, list: readonly T[]): T => list[Math.floor(draw(list.length))]!

/** So many of a list, in a drawn order. */
function some<T>(draw: Draw, list: readonly T[], count: number): T[] {
  const left = [...list]
  const taken: T[] = []
  while (taken.length < count && left.length > 0) taken.push(...left.splice(Math.floor(draw(left.length)), 1))
  return taken
}
