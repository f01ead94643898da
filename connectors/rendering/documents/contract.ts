/** The service agreement. */

import type { ContractData } from '../inputs.ts'
import { day, money, percent, spelt } from '../money.ts'
import { bold } from '../pdf/lines.ts'
import type { Paper } from '../pdf/paper.ts'
import type { Clause } from '../pdf/parts.ts'
import { clauses, headingOf, paragraph, parties, signatures, signaturesHeight, titleBlock } from '../pdf/parts.ts'
import { everyInterval, priceTable } from '../pdf/prices.ts'

export function contractDocument(paper: Paper, data: ContractData): void {
  const { seller, client } = data
  titleBlock(paper, 'Agreement', 'Service agreement', [
    { label: 'Plan', text: data.plan },
    { label: 'Begins', text: day(data.start_at) },
    { label: 'First term', text: spelt(data.term_months, 'month') },
    { label: 'Date', text: day(data.issued_at) },
  ])
  parties(paper, { role: 'Provider', party: seller }, { role: 'Customer', party: client })
  paragraph(paper, [
    ...[
      'This agreement is made between ',
      bold(seller.name),
      ' (the Provider) and ',
      bold(client.name),
      ' (the Customer). ',
    ],
    'It says what the Provider does, what the Customer pays for it, and what each may expect of the other. Schedule A has the prices and is part of it.',
  ])
  const words = 'Signed by people who may bind the parties. Electronic signatures are enough.'
  const all = [...service(data), ...charges(data), ...care(data), ...end(data), ...special(data)]
  clauses(paper, all, signaturesHeight(paper, words))
  signatures(paper, words, [client, seller])
  paper.newPage()
  headingOf(paper, 'Schedule A: prices', 90)
  paragraph(paper, [
    `For the plan ${data.plan}, payable ${everyInterval[data.prices.interval]} from ${day(data.start_at)}.`,
  ])
  priceTable(paper, data.prices)
}

const service = (data: ContractData): readonly Clause[] => [
  {
    heading: 'The service',
    paragraphs: [
      [
        `From ${day(data.start_at)} the Provider gives the Customer access over the internet to the plan `,
        bold(data.plan),
        ' with what Schedule A lists (the Service), and keeps it in working order.',
      ],
      [
        'The Customer may use the Service for its own business, by as many people and to such an extent as Schedule A says. It does not resell it, nor let others try to break its security without the Provider’s consent.',
      ],
      [
        'The Provider may improve the Service at any time. It does not take away what the Customer pays for during a term; where that cannot be avoided it gives notice of sixty (60) days, and the Customer may end the agreement to that day.',
      ],
    ],
  },
  {
    heading: 'Availability and support',
    paragraphs: [
      [
        `The Service is available for at least ${percent(data.availability_bp)} of the minutes of each calendar month, without maintenance that was announced two (2) days before.`,
      ],
      [
        'In a month in which it is not, the Customer may claim a credit of five per cent (5 %) of that month’s charge for every full half per cent that is missing, at most thirty per cent (30 %). The claim is made within thirty (30) days.',
      ],
      ['Support answers in English on working days. A fault that stops the Service is worked on at any hour.'],
    ],
  },
]

const charges = (data: ContractData): readonly Clause[] => [
  {
    heading: 'Charges',
    paragraphs: [
      [
        `The Customer pays the charges of Schedule A, ${money(data.prices.total_minor, data.prices.currency)} ${everyInterval[data.prices.interval]} as it stands today, ${
          data.payment_days === 0
            ? 'when the invoice is received'
            : `within ${spelt(data.payment_days, 'day')} of the invoice`
        }.`,
      ],
      ['Use above the quantities in Schedule A is charged at its unit prices with the next invoice.'],
      [
        'The Provider may raise prices to the beginning of a further term, with notice of sixty (60) days. Sums that are late bear the interest that the law sets.',
      ],
    ],
  },
]

const care = (data: ContractData): readonly Clause[] => [
  {
    heading: 'The Customer’s data',
    paragraphs: [
      [
        'What the Customer puts into the Service stays the Customer’s. The Provider uses it to run the Service and for nothing else, and trains no models on it for others.',
      ],
      [
        'Personal data are processed on the Customer’s instructions, under measures that fit the risk: encrypted on their way and at rest, kept apart from those of other customers, seen only by staff who need to. The Provider reports a breach within forty-eight (48) hours of learning of it.',
      ],
      [
        'The Customer can export its data at any time, and for thirty (30) days after the end. Then the Provider deletes them, save what the law obliges it to keep.',
      ],
    ],
  },
  {
    heading: 'Confidentiality',
    paragraphs: [
      [
        `What one party learns of the other that is not public stays confidential, during the agreement and for five (5) years after it. A non-disclosure agreement between ${data.seller.name} and ${data.client.name} goes on beside this clause.`,
      ],
    ],
  },
  {
    heading: 'Rights',
    paragraphs: [
      ['The Provider keeps all rights in the Service. Suggestions may be used by it freely.'],
      [
        'Where somebody claims that the Service infringes their rights, the Provider defends the Customer at its own cost and pays what is awarded, if it is told promptly and may lead the defence.',
      ],
    ],
  },
  {
    heading: 'Liability',
    paragraphs: [
      [
        'Neither party limits what it owes for intent, gross negligence, harm to people, or where the law allows no limit.',
      ],
      [
        'Otherwise each party answers in a contract year for no more than the charges of that year, and not for lost profit or indirect loss. Charges that are due are not limited by this.',
      ],
    ],
  },
]

const end = (data: ContractData): readonly Clause[] => [
  {
    heading: 'Term and end',
    paragraphs: [
      [
        `The first term is ${spelt(data.term_months, 'month')} from ${day(data.start_at)}. `,
        data.renewal_months === null
          ? 'It ends by itself with that term.'
          : `It is then extended by terms of ${spelt(data.renewal_months, 'month')}, unless a party gives notice in writing ${spelt(data.notice_days, 'day')} before a term ends.`,
      ],
      [
        'Either party may end it at once for a serious reason, in particular where the other does not mend a serious breach within thirty (30) days of being told. Charges paid for the time after that are returned where the Provider gave the reason.',
      ],
    ],
  },
  {
    heading: 'General',
    paragraphs: [
      [
        `The laws of ${data.governing_law} govern this agreement, without the UN Convention on the International Sale of Goods. The courts of ${data.jurisdiction} alone decide disputes from it.`,
      ],
      [
        'This agreement is all that the parties agreed on about its subject; general terms of either do not apply. Changes are made in writing. If a clause does not hold, the others do. A party may hand the agreement on as a whole to whoever takes over its business.',
      ],
      ['Neither party is in breach for what it could not prevent with reasonable care, as long as that lasts.'],
    ],
  },
]

const special = ({ special_terms }: ContractData): readonly Clause[] =>
  special_terms.map(({ heading, paragraphs }) => ({ heading, paragraphs: paragraphs.map((words) => [words]) }))
