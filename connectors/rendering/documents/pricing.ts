/** The price offer. */

import type { PricingData } from '../inputs.ts'
import { day, money } from '../money.ts'
import type { Paper } from '../pdf/paper.ts'
import { bullets, headingOf, paragraph, parties, signatures, titleBlock } from '../pdf/parts.ts'
import { everyInterval, pricesHeight, priceTable } from '../pdf/prices.ts'

export function pricingDocument(paper: Paper, data: PricingData): void {
  const { seller, client, prices } = data
  titleBlock(paper, 'Price offer', `Prices for ${client.name}`, [
    { label: 'Date', text: day(data.issued_at) },
    { label: 'Valid until', text: day(data.valid_until) },
    { label: `Total, payable ${everyInterval[prices.interval]}`, text: money(prices.total_minor, prices.currency) },
  ])
  parties(paper, { role: 'From', party: seller }, { role: 'For', party: client })
  if (data.introduction != null) paragraph(paper, [data.introduction])
  headingOf(paper, 'Prices', pricesHeight(prices))
  priceTable(paper, prices)
  if (data.notes.length > 0) {
    headingOf(paper, 'Notes')
    bullets(paper, data.notes)
  }
  signatures(
    paper,
    `With this signature ${client.name} accepts these prices. The services themselves are agreed on in a service agreement.`,
    [client],
  )
}
