/** Documents and a demo as two tenants would have them: one in Prague and Bratislava in euros, one in Tokyo in yen. */

import type {
  ContractData,
  DocumentInput,
  NdaData,
  Party,
  Personalization,
  Prices,
  PricingData,
  ProposalData,
} from '../../../connectors/rendering/index.ts'

export const issuedAt = Date.parse('2026-11-26T09:30:00Z')
const days = 24 * 60 * 60 * 1000

export const seller: Party = {
  name: 'Lifecycle s. r. o.',
  address: ['Mlynské nivy 5', '821 09 Bratislava', 'Slovakia'],
  registration: 'Registered at the City Court Bratislava III, no. 123456/B',
  email: 'contracts@lifecycle.example',
  signer: { name: 'Žofia Kráľová', title: 'Managing director' },
}

export const zlut: Party = {
  name: 'Žluťoučký kůň a. s.',
  address: ['Příčná 1892/4', '110 00 Praha 1', 'Czech Republic'],
  registration: 'Company no. 27082440',
  email: 'nakup@zlutoucky.example',
  signer: { name: 'Jiří Říha', title: 'Chief operating officer' },
}

export const tokyo: Party = {
  name: '日本商事株式会社',
  address: ['東京都千代田区丸の内1-1-1', '100-0005', 'Japan'],
  signer: { name: '山田 太郎', title: '代表取締役' },
}

export const euros: Prices = {
  currency: 'EUR',
  interval: 'month',
  lines: [
    {
      description: 'Lifecycle Growth, seats',
      detail: 'All services, for everybody who works with clients',
      quantity: 120,
      unit: 'seats',
      unit_price_minor: 4_900,
      tiers: [
        { from: 1, to: 50, unit_price_minor: 5_900 },
        { from: 51, to: 200, unit_price_minor: 4_900 },
        { from: 201, to: null, unit_price_minor: 3_900 },
      ],
      amount_minor: 588_000,
    },
    {
      description: 'Conversations',
      detail: 'Answered by chat, in packs of a thousand',
      quantity: 30,
      unit: 'packs',
      unit_price_minor: null,
      tiers: [
        { from: 1, to: 10, unit_price_minor: 8_000 },
        { from: 11, to: null, unit_price_minor: 6_500 },
      ],
      amount_minor: 210_000,
    },
    { description: 'Voice', detail: null, quantity: 2_000, unit: 'minutes', unit_price_minor: 9, amount_minor: 18_000 },
  ],
  subtotal_minor: 816_000,
  discounts: [{ label: 'Volume discount', percent_bp: 1_250, amount_minor: 102_000 }],
  tax: { label: 'VAT', rate_bp: 2_300, amount_minor: 164_220 },
  total_minor: 878_220,
}

export const yen: Prices = {
  currency: 'JPY',
  interval: 'year',
  lines: [
    {
      description: 'ライフサイクル・スタンダード',
      detail: '五十名まで',
      quantity: 50,
      unit: '席',
      unit_price_minor: 84_000,
      amount_minor: 4_200_000,
    },
    {
      description: '導入支援',
      detail: null,
      quantity: 1,
      unit: '式',
      unit_price_minor: 350_000,
      amount_minor: 350_000,
    },
  ],
  subtotal_minor: 4_550_000,
  discounts: [{ label: 'First year', percent_bp: null, amount_minor: 50_000 }],
  tax: null,
  total_minor: 4_500_000,
}

/** A table that no page can hold. */
export function manyLines(count: number): Prices {
  const lines = Array.from({ length: count }, (_, index) => ({
    description: `Module ${index + 1}`,
    detail: index % 3 === 0 ? 'With set-up, training of the team and a review after the first month' : null,
    quantity: index + 1,
    unit: 'units',
    unit_price_minor: 1_250,
    amount_minor: (index + 1) * 1_250,
  }))
  const subtotal = lines.reduce((sum, line) => sum + line.amount_minor, 0)
  return {
    currency: 'EUR',
    interval: 'once',
    lines,
    subtotal_minor: subtotal,
    discounts: [],
    tax: null,
    total_minor: subtotal,
  }
}

export const nda: NdaData = {
  issued_at: issuedAt,
  seller,
  client: zlut,
  governing_law: 'the Slovak Republic',
  jurisdiction: 'Bratislava',
  mutual: true,
  purpose: 'finding out whether and how the Provider’s platform can automate the onboarding of the Customer’s clients',
  term_months: 12,
  survival_years: 5,
}

export const pricing: PricingData = {
  issued_at: issuedAt,
  seller,
  client: zlut,
  valid_until: issuedAt + 30 * days,
  introduction:
    'Thank you for the time you gave us. Below are the prices for the scope we looked at together: seats for the sales and success teams, conversations by chat, and voice for the support line.',
  prices: euros,
  notes: [
    'Seats can be added at any time, and taken away at the end of a term.',
    'Set-up, migration of existing clients and training of the first team are included.',
    'The volume discount holds as long as at least 100 seats are used.',
  ],
}

export const proposal: ProposalData = {
  issued_at: issuedAt,
  seller,
  client: zlut,
  title: 'Onboarding in days instead of weeks',
  valid_until: issuedAt + 30 * days,
  summary:
    'Žluťoučký kůň signs forty new clients a month, and each waits twenty-three days until it works productively. We propose to bring research, demos, documents and configuration into one flow, so that the same team brings a client live within five days.',
  sections: [
    {
      heading: 'Where you stand',
      paragraphs: [
        'Your teams hand each client over four times, from sales to legal, to solutions, to support. At each hand-over facts are typed again, and on average two days are lost until somebody picks the thread up.',
      ],
      bullets: [
        'Research on a prospect takes a person half a day, and is seldom up to date at the second meeting.',
        'Agreements travel by mail; nobody sees whether one was opened.',
        'Configuration is copied from the client before, and corrected when support is called.',
      ],
    },
    {
      heading: 'What we suggest',
      paragraphs: [
        'One platform follows each client from the first contact to renewal. What was learnt in one step is there in the next, and people decide where judgement is needed.',
      ],
      bullets: [
        'Research and a personal demo within an hour of sign-up.',
        'Agreements drafted, sent and followed by themselves.',
        'Configuration generated from the requirements, reviewed by your engineers, published with a way back.',
      ],
    },
  ],
  timeline: [
    {
      milestone: 'Kick-off',
      when: 'Week 1',
      outcome: 'Goals, owners and access are settled; the first three clients are chosen.',
    },
    {
      milestone: 'Pilot',
      when: 'Weeks 2 to 4',
      outcome: 'Three clients go live on the platform, measured against three that go the old way.',
    },
    {
      milestone: 'Roll-out',
      when: 'Weeks 5 to 8',
      outcome: 'All new clients start on the platform; those under way are taken over.',
    },
  ],
  prices: euros,
}

export const contract: ContractData = {
  issued_at: issuedAt,
  seller,
  client: zlut,
  governing_law: 'the Slovak Republic',
  jurisdiction: 'Bratislava',
  plan: 'Lifecycle Growth',
  start_at: issuedAt + 5 * days,
  term_months: 12,
  renewal_months: 12,
  notice_days: 60,
  payment_days: 14,
  availability_bp: 9_990,
  prices: euros,
  special_terms: [
    {
      heading: 'Pilot',
      paragraphs: [
        'During the first thirty (30) days the Customer may end this agreement at once and without giving a reason.',
      ],
    },
  ],
}

export const documents: readonly DocumentInput[] = [
  { document_type: 'nda', document_id: 'doc-0191-nda', version: 1, data: nda },
  { document_type: 'pricing', document_id: 'doc-0191-pricing', version: 2, data: pricing },
  { document_type: 'proposal', document_id: 'doc-0191-proposal', version: 1, data: proposal },
  { document_type: 'contract', document_id: 'doc-0191-contract', version: 3, data: contract },
]

export const japanese: DocumentInput = {
  document_type: 'pricing',
  document_id: 'doc-0192-pricing',
  version: 1,
  data: {
    ...pricing,
    client: tokyo,
    introduction: null,
    prices: yen,
    notes: [
      'お見積書の有効期限は発行日より三十日間とさせていただきます。価格はすべて日本円表示で、消費税は含まれておりません。',
    ],
  },
}

export const personalization: Personalization = {
  company_name: 'Žluťoučký kůň',
  industry: 'Logistics',
  headline: 'Bring every new shipper live in days, not weeks',
  pain_points: [
    { text: 'New shippers wait 23 days on average until their first tracked delivery.', finding_id: 'finding-17' },
    { text: 'Rate cards are copied by hand from mails into three systems.', finding_id: 'finding-21' },
    { text: 'Support answers the same onboarding questions in every first month.', finding_id: null },
  ],
  steps: [
    {
      title: 'A shipper signs up',
      text: 'The platform reads the public record, the website and the tariff, and fills in what your team used to ask for by mail. Your people see where each fact comes from.',
      finding_id: null,
    },
    {
      title: 'The agreement goes out',
      text: 'Prices follow your rate card. The document is drafted, checked against your margins and sent for signature, while you see when it is opened.',
      finding_id: null,
    },
    {
      title: 'Configuration is proposed',
      text: 'Depots, cut-off times and label formats are derived from the requirements. An engineer reviews the difference and publishes it, with a way back.',
      finding_id: null,
    },
    {
      title: 'The first parcel moves',
      text: 'Chat and voice know the new shipper from the first minute. What they could not answer becomes a gap your team closes once, for all.',
      finding_id: null,
    },
  ],
  call_to_action: 'Talk to us about your shippers',
}
