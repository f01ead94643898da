/** The non-disclosure agreement, mutual or one way. */

import type { NdaData } from '../inputs.ts'
import { day, spelt } from '../money.ts'
import { bold } from '../pdf/lines.ts'
import type { Paper } from '../pdf/paper.ts'
import type { Clause } from '../pdf/parts.ts'
import { clauses, paragraph, parties, signatures, signaturesHeight, titleBlock } from '../pdf/parts.ts'

export function ndaDocument(paper: Paper, data: NdaData): void {
  const { seller, client, mutual } = data
  titleBlock(paper, 'Agreement', mutual ? 'Mutual non-disclosure agreement' : 'Non-disclosure agreement', [
    { label: 'Date', text: day(data.issued_at) },
    { label: 'Information exchanged for', text: spelt(data.term_months, 'month') },
    { label: 'Confidential afterwards for', text: spelt(data.survival_years, 'year') },
  ])
  parties(
    paper,
    { role: mutual ? 'First party' : 'Discloser', party: seller },
    { role: mutual ? 'Second party' : 'Recipient', party: client },
  )
  paragraph(paper, [
    ...['This agreement is made between ', bold(seller.name), ' and ', bold(client.name), endOf(client.name)],
    mutual
      ? 'Each of them may give information to the other: who gives it is called the Discloser, who receives it the Recipient. '
      : `${seller.name} gives the information and is called the Discloser; ${client.name} receives it and is called the Recipient. `,
    `They exchange it for the purpose of ${data.purpose} (the Purpose).`,
  ])
  const words = 'Signed by people who may bind the parties. It takes effect on the date of the last signature.'
  clauses(paper, ndaClauses(data), signaturesHeight(paper, words))
  signatures(paper, words, [client, seller])
}

/** A company's name may end with the full stop of the sentence. */
const endOf = (name: string): string => (name.endsWith('.') ? ' ' : '. ')

function ndaClauses(data: NdaData): readonly Clause[] {
  const term = spelt(data.term_months, 'month')
  const survival = spelt(data.survival_years, 'year')
  return [
    {
      heading: 'What is confidential',
      paragraphs: [
        [
          bold('Confidential Information'),
          ' is everything that the Discloser makes known to the Recipient for the Purpose, in whatever form, that is marked as confidential or that a careful person would take to be so: among it product plans, source code, prices, security reports, personal data and the names of customers.',
        ],
        ['That the parties talk to each other, and what this agreement says, is Confidential Information of both.'],
      ],
    },
    {
      heading: 'What is not',
      paragraphs: [
        [
          'Information is not confidential where the Recipient can show that it was public, or became so without its fault; that it knew it before; that it received it from somebody who was free to give it; or that it found it out by itself, without use of what was disclosed.',
        ],
      ],
    },
    {
      heading: 'What the Recipient does with it',
      paragraphs: [
        [
          'The Recipient uses Confidential Information for the Purpose alone, and protects it as it protects its own, at least with reasonable care.',
        ],
        [
          'It shows it only to those of its staff, advisers and affiliated companies who need it for the Purpose and who are bound to secrecy no less strictly. For what they do it answers as for itself.',
        ],
        [
          'It does not take apart or decompile software that it is given, save where the law allows this whatever is agreed.',
        ],
        [
          'When it learns that Confidential Information was lost or seen by others, it tells the Discloser without delay and helps to limit the harm.',
        ],
      ],
    },
    {
      heading: 'When the law asks for it',
      paragraphs: [
        [
          'Where a court or an authority orders disclosure, the Recipient gives notice to the Discloser first, as far as it may, and discloses no more than it must.',
        ],
      ],
    },
    {
      heading: 'Nothing else is granted',
      paragraphs: [
        [
          'All rights in Confidential Information stay with the Discloser. It is given as it is, without a promise that it is complete, and neither party is bound to make any further agreement.',
        ],
      ],
    },
    {
      heading: 'Return and deletion',
      paragraphs: [
        [
          'When the Discloser asks for it in writing, the Recipient returns or deletes the Confidential Information within thirty (30) days and confirms this. It may keep copies that the law obliges it to keep, and those in routine backups until they are overwritten; this agreement goes on to hold for them.',
        ],
      ],
    },
    {
      heading: 'How long it holds',
      paragraphs: [
        [
          `Information may be exchanged under this agreement for ${term} from the day it takes effect. Either party may end that earlier with thirty (30) days’ notice in writing.`,
        ],
        [
          `The duties of the Recipient last for ${survival} after that; for trade secrets, as long as they are such; for personal data, as long as the law protects them.`,
        ],
      ],
    },
    {
      heading: 'When it is broken',
      paragraphs: [
        [
          'The parties know that money may not make good a breach: the Discloser may ask a court for an order that stops it, beside every other remedy that it has.',
        ],
      ],
    },
    {
      heading: 'Law and courts',
      paragraphs: [
        [
          `The laws of ${data.governing_law} govern this agreement. The courts of ${data.jurisdiction} alone decide disputes from it.`,
        ],
        [
          'Changes are made in writing. If a clause does not hold, the others do. Signatures may be electronic, and a copy so signed is an original.',
        ],
      ],
    },
  ]
}
