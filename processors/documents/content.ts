/** What a document says, as the renderer wants it: parties, words, and prices line by line. Amounts add up exactly. */

import { grouped, inWords } from './figures.ts'
import type { Quote } from './pricing.ts'
import { breakdown } from './pricing.ts'
import type { DocumentsSettings, PricingSettings } from './settings.ts'
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
      return { ...common, valid_until, introduction: null, prices, notes: offerNotes(pricing, document.quote) }
    case 'proposal':
      return { ...common, valid_until, ...proposalWords(common.client.name, document.quote), prices }
    case 'contract': {
      const { startsAfterMs, ...terms } = words.contract
      const start_at = drawnUpAt + startsAfterMs
      return {
        ...common,
        ...words.law,
        ...terms,
        plan: planName(document.quote),
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

/** `growth` as a name. */
const planName = (quote: Quote | null | undefined): string => {
  const plan = quote?.plan ?? ''
  return plan.charAt(0).toUpperCase() + plan.slice(1)
}

function proposalWords(name: string, quote: Quote | null | undefined) {
  const [seats, conversations] = [grouped(quote?.seats ?? 0), grouped(quote?.conversations ?? 0)]
  return {
    title: `Customer support for ${name}`.slice(0, 160),
    summary:
      `${name} answers its customers with agents that know what it has published, around the clock, and with its people ` +
      `where a person is wanted. This proposal is made for ${conversations} conversations a month and ${seats} people who ` +
      'look after them.',
    sections: [
      {
        heading: 'What is included',
        paragraphs: [`The plan ${planName(quote)}, set up together with the people who will use it:`],
        bullets: [
          `${seats} seats for the people who review, take over and teach`,
          `${conversations} conversations a month, answered by the agents`,
          `Agents that answer from what ${name} has published, and say so where they do not know`,
          'Set-up, tests with real questions, and support in English on working days',
        ],
      },
      {
        heading: 'What happens next',
        paragraphs: [
          'Signed, this proposal is followed by the service agreement with the same prices. Work begins when that is signed.',
        ],
      },
    ],
    timeline: [
      {
        milestone: 'Requirements',
        when: 'Week 1',
        outcome: 'What the agents must know and may do is written down and agreed on.',
      },
      {
        milestone: 'Set-up',
        when: 'Week 2',
        outcome: 'The agents are configured, and tested with real questions.',
      },
      { milestone: 'Start', when: 'Week 3', outcome: 'The agents answer; people review and take over.' },
    ],
  }
}

const offerNotes = ({ usageTiers }: PricingSettings, quote: Quote | null | undefined): readonly string[] => {
  const included = includedIn(usageTiers)
  return [
    ...(included === 0 || (quote?.conversations ?? 0) === 0
      ? []
      : [`The first ${grouped(included)} conversations of a month cost nothing.`]),
    'More seats or conversations are charged at the prices of this offer.',
    'The offer stands until the date above; its prices hold for the first term.',
  ]
}

const includedIn = (tiers: PricingSettings['usageTiers']): number =>
  tiers[0]?.thousandths === 0 ? (tiers[0].upTo ?? 0) : 0

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
      seatsLine(quote.seats, parts.months, parts.seats),
      {
        description: 'Conversations',
        detail: `${grouped(quote.conversations)} a month; each further one ${furtherPrice(settings, quote)}`,
        ...monthly(parts.months, parts.usage),
      },
    ],
    subtotal_minor: parts.seats + parts.usage,
    discounts: discounts.filter(({ amount_minor }) => amount_minor > 0),
    total_minor: quote.amount,
  }
}

/** What a conversation beyond those of the offer costs: its tier's price. */
function furtherPrice({ usageTiers }: PricingSettings, { conversations, currency }: Quote): string {
  const tier = usageTiers.find(({ upTo }) => upTo === null || conversations < upTo)
  return inWords((tier?.thousandths ?? 0) / 1_000, currency)
}

/** Seats at their price, where they have one: beside the next tier they cost what its first number of seats costs. */
function seatsLine(seats: number, months: number, amount_minor: number) {
  const each = amount_minor / seats
  const words = { description: 'Seats', detail: 'People who review, take over and teach' }
  if (!Number.isSafeInteger(each))
    return { ...words, detail: `${grouped(seats)} seats`, ...monthly(months, amount_minor) }
  return { ...words, quantity: seats, unit: seats === 1 ? 'seat' : 'seats', unit_price_minor: each, amount_minor }
}

const monthly = (months: number, amount_minor: number) => ({
  quantity: months,
  unit: months === 1 ? 'month' : 'months',
  unit_price_minor: amount_minor / months,
  amount_minor,
})
