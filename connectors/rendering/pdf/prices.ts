/** The price table of a document: lines with their tiers, discounts, tax and total. */

import type { PriceLine, PriceTier, Prices } from '../inputs.ts'
import { count, money, percent } from '../money.ts'
import { bold } from './lines.ts'
import type { Paper, Style } from './paper.ts'
import { ink, measure, page } from './paper.ts'
import { text } from './parts.ts'
import type { Cell, Column } from './table.ts'
import { table } from './table.ts'

const columns: readonly Column[] = [
  { head: 'Item', share: 0.44 },
  { head: 'Quantity', share: 0.19, align: 'right' },
  { head: 'Unit price', share: 0.17, align: 'right' },
  { head: 'Amount', share: 0.2, align: 'right' },
]

const per = { month: 'a month', year: 'a year', once: 'once' } as const
export const everyInterval = { month: 'every month', year: 'every year', once: 'once' } as const

const tallest = 320

/** About what the table and its totals take, in points, so that a short one stays together; a long one may break. */
export function pricesHeight({ lines, discounts, tax }: Prices): number {
  const rows = lines.reduce(
    (sum, { detail, tiers }) => sum + 30 + 11 * ((detail == null ? 0 : 1) + (tiers?.length ?? 0)),
    0,
  )
  const totals = 18 * (1 + discounts.length + (tax == null ? 0 : 1)) + 70
  return Math.min(tallest, 24 + rows + totals)
}

export function priceTable(paper: Paper, prices: Prices): void {
  table(
    paper,
    columns,
    prices.lines.map((line) => rowOf(line, prices.currency)),
  )
  totals(paper, prices)
}

function rowOf(line: PriceLine, currency: string): readonly Cell[] {
  const tiers = line.tiers ?? []
  const detail = [...(line.detail == null ? [] : [line.detail]), ...tiers.map((tier) => tierText(tier, line, currency))]
  return [
    { spans: [bold(line.description)], detail },
    { spans: [count(line.quantity)], detail: [line.unit] },
    { spans: [line.unit_price_minor === null ? 'by tier' : money(line.unit_price_minor, currency)] },
    { spans: [money(line.amount_minor, currency)] },
  ]
}

/** Both kinds of tiers say from where to where, and for what; a volume price marks the tier that holds. */
function tierText({ from, to, unit_price_minor }: PriceTier, line: PriceLine, currency: string): string {
  const range = to === null ? `${count(from)} and more` : `${count(from)} to ${count(to)}`
  const holds = line.unit_price_minor !== null && line.quantity >= from && (to === null || line.quantity <= to)
  return `${range}: ${money(unit_price_minor, currency)} each${holds ? ' – applies' : ''}`
}

const label: Style = { size: 9, leading: 13, color: ink.soft }
const amount: Style = { size: 9, leading: 13, align: 'right', tabular: true }
const totalLabel: Style = { size: 11, leading: 15, weight: 'bold' }

function totals(paper: Paper, prices: Prices): void {
  const { currency, subtotal_minor, discounts, tax, total_minor } = prices
  const rows: [string, number][] = [['Subtotal', subtotal_minor]]
  for (const { label: words, percent_bp, amount_minor } of discounts)
    rows.push([percent_bp == null ? words : `${words} (${percent(percent_bp)})`, -amount_minor])
  if (tax != null) rows.push([`${tax.label} (${percent(tax.rate_bp)})`, tax.amount_minor])
  const x = page.left + measure * 0.42
  const width = measure - measure * 0.42
  paper.ensure(rows.length * 18 + 50)
  paper.y += 8
  for (const [words, minor] of rows) {
    const lines = paper.lines([words], label, width * 0.62)
    lines.forEach((line, index) => paper.line(line, x, paper.y + 12 + index * label.leading, width, label))
    paper.label(money(minor, currency), x, paper.y + 12, amount, width)
    paper.y += 5 + lines.length * label.leading
  }
  paper.y += 4
  paper.fill(x - 10, paper.y, width + 16, 30, ink.fill, 4)
  paper.label(prices.interval === 'once' ? 'Total' : `Total ${per[prices.interval]}`, x, paper.y + 19, totalLabel)
  paper.label(money(total_minor, currency), x, paper.y + 19, { ...totalLabel, align: 'right', tabular: true }, width)
  paper.y += 40
  const note = tax == null ? 'Prices are net; taxes that the law asks for are added.' : 'Taxes as shown.'
  paper.block([note], { ...text, size: 8, leading: 12, color: ink.soft })
  paper.y += 6
}
