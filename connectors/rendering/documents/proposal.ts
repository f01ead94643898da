/** The proposal: what is suggested, when what is there, what it costs. */

import type { ProposalData } from '../inputs.ts'
import { day, money } from '../money.ts'
import { bold } from '../pdf/lines.ts'
import type { Paper } from '../pdf/paper.ts'
import { bullets, headingOf, paragraph, parties, signatures, titleBlock } from '../pdf/parts.ts'
import { everyInterval, pricesHeight, priceTable } from '../pdf/prices.ts'
import { table } from '../pdf/table.ts'

export function proposalDocument(paper: Paper, data: ProposalData): void {
  const { seller, client, prices } = data
  titleBlock(paper, 'Proposal', data.title, [
    { label: 'Date', text: day(data.issued_at) },
    { label: 'Valid until', text: day(data.valid_until) },
    {
      label: `Investment, payable ${everyInterval[prices.interval]}`,
      text: money(prices.total_minor, prices.currency),
    },
  ])
  parties(paper, { role: 'Prepared by', party: seller }, { role: 'Prepared for', party: client })
  headingOf(paper, 'Summary')
  paragraph(paper, [data.summary])
  for (const section of data.sections) {
    headingOf(paper, section.heading)
    for (const words of section.paragraphs) paragraph(paper, [words])
    if (section.bullets != null) bullets(paper, section.bullets)
  }
  if (data.timeline.length > 0) {
    headingOf(paper, 'Timeline', 70)
    table(
      paper,
      [
        { head: 'Milestone', share: 0.3 },
        { head: 'When', share: 0.2 },
        { head: 'Outcome', share: 0.5 },
      ],
      data.timeline.map(({ milestone, when, outcome }) => [
        { spans: [bold(milestone)] },
        { spans: [when] },
        { spans: [outcome] },
      ]),
    )
    paper.y += 10
  }
  headingOf(paper, 'Investment', pricesHeight(prices))
  priceTable(paper, prices)
  signatures(paper, 'Signed, this proposal is the ground of the service agreement that follows it.', [client, seller])
}
