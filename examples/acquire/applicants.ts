/** Who signs up: copies of the companies, each a company of its own to the platform, because its domain is. */

import type { Company } from '../companies.ts'

export interface Applicant {
  readonly company: Company
  /** Copy 1 has the company's own domain, copy n has `c<n>.<domain>`. */
  readonly domain: string
  readonly email: string
  /** The sandbox is told to find too little about it, so that a person must decide. */
  readonly toReview: boolean
}

/**
 * @param from number of the first copy
 * @param review how many of them go to review: spread evenly, always the same ones
 */
export function applicants(companies: readonly Company[], from: number, count: number, review: number): Applicant[] {
  return Array.from({ length: count }, (_, index) => {
    const company = companies[index % companies.length] as Company
    const copy = from + Math.floor(index / companies.length)
    const domain = copy === 1 ? company.domain : `c${copy}.${company.domain}`
    return { company, domain, email: `ada@${domain}`, toReview: isChosen(index, count, review) }
  })
}

/** True for exactly `review` of the indices below `count`. */
function isChosen(index: number, count: number, review: number): boolean {
  return Math.floor(((index + 1) * review) / count) > Math.floor((index * review) / count)
}

/** What the sandbox must be told so that these go to review and nobody else does. */
export function reviewScript(list: readonly Applicant[]): readonly Readonly<Record<string, unknown>>[] {
  const companies = list.filter(({ toReview }) => toReview).map(({ domain }) => domain)
  if (companies.length === 0) return []
  return ['perplexity', 'webscraper'].map((provider) => ({ provider, companies, answer: 'low_confidence' }))
}
