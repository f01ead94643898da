/** What a document says, as the renderer wants it: parties, words, and prices line by line. Amounts add up exactly. */

import type { DocumentsSettings, PricingSettings } from './settings.ts'
import type { Quote } from './pricing.ts'
import { breakdown } from './pricing.ts'
import type { DocumentsState, SalesDocument } from './state.ts'

type Company = Pick<NonNullable<DocumentsState['company']>, 'company_name' | 'domain'>

/** @param drawnUpAt event time in ms */
export function documentData(
  settings: DocumentsSettings,
  document: Pick<SalesDocument, 'document_type' | 'quote'>,
  company: Company,
  drawnUpAt: number,
) {
  const { words, pricing } = settings
  const common = { issued_at: drawnUpAt, seller: words.seller, client: clientParty(company) }
  const prices = document.quote == null ? null : pricesOf(pricing, document.quote)
  const valid_until = drawnUpAt + words.offerStandsMs
  switch (document.document_type) {
    case 'nda':
      return { ...common, ...words.law, mutual: true, ...words.nda }
    case 'pricing':
      return { ...common, valid_until, introduction: null, prices, notes: [] }
    case 'proposal':
      return { ...common, valid_until, ...proposalWords(common.client.name, document.quote), prices }
    case 'contract': {
      const { startsAfterMs, ...terms } = words.contract
      const start_at = drawnUpAt + startsAfterMs
      return {
        ...common,
        ...words.law,
        ...terms,
        plan: document.quote?.plan ?? '',
        start_at,
        prices,
        special_terms: [],
      }
    }
  }
}

/** The company's postal address is not known; its domain says who is meant. */
const clientParty = ({ company_name, domain }: Company) => ({
  name: company_name.trim() === '' ? 'The client' : company_name,
  address: [domain ?? 'Address as on its letterhead'],
})

function proposalWords(name: string, quote: Quote | null | undefined) {
  const seats = quote?.seats ?? 0
  return {
    title: `Customer support for ${name}`.slice(0, 160),
    summary: `${grouped(seats)} seats and ${grouped(quote?.conversations ?? 0)} conversations a month, with agents that answer from what ${name} has published.`,
    sections: [
      {
        heading: 'What is included',
        paragraphs: ['Everything that the plan holds, set up with the people who will use it.'],
        bullets: [
          `Plan: ${quote?.plan ?? ''}`,
          `Seats: ${grouped(seats)}`,
          `Conversations a month: ${grouped(quote?.conversations ?? 0)}`,
        ],
      },
    ],
    timeline: [
      { milestone: 'Requirements', when: 'Week 1', outcome: 'What the agents must know and may do is written down.' },
      { milestone: 'Set-up', when: 'Week 2', outcome: 'Agents are configured and tested with real questions.' },
      { milestone: 'Start', when: 'Week 3', outcome: 'Agents answer, people review.' },
    ],
  }
}

/** Lines of one interval; discounts are amounts, as bands do not have one percentage. */
function pricesOf(settings: PricingSettings, quote: Quote) {
  const parts = breakdown(settings, quote)
  const discounts = [
    { label: 'Volume discount', amount_minor: parts.volumeDiscount },
    { label: 'Agreed discount', amount_minor: parts.negotiated },
    { label: 'Discount for a year at once', amount_minor: parts.yearDiscount },
  ]
  return {
    currency: quote.currency,
    interval: quote.interval,
    lines: [
      line('Seats', `${grouped(quote.seats)} seats`, parts.months, parts.seats),
      line('Conversations', `${grouped(quote.conversations)} a month`, parts.months, parts.usage),
    ],
    subtotal_minor: parts.seats + parts.usage,
    discounts: discounts.filter(({ amount_minor }) => amount_minor > 0),
    total_minor: quote.amount,
  }
}

/** As people read it: 51,590. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

const line = (description: string, detail: string, months: number, amount_minor: number) => ({
  description,
  detail,
  quantity: months,
  unit: months === 1 ? 'month' : 'months',
  unit_price_minor: amount_minor / months,
  amount_minor,
})
