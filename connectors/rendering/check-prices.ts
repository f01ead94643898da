/** Prices that add up: what a customer signs is recomputed before it is printed. */

import type { Reader } from './check.ts'
import { list, matching, oneOf, optional, record, refuse, text, whole } from './check.ts'
import type { Discount, PriceLine, PriceTier, Prices, Tax } from './inputs.ts'
import { isCurrency } from './money.ts'

const largest = 1_000_000_000_000
const amount = whole(0, largest)
const unitPrice = whole(0, 1_000_000_000)

const currency: Reader<string> = (value, path) => {
  const code = matching(/^[A-Z]{3}$/, 'a currency of ISO 4217, as EUR')(value, path)
  return isCurrency(code) ? code : refuse(path, value, 'a currency of ISO 4217, as EUR')
}

const readPrices = record<Prices>({
  currency,
  interval: oneOf(['month', 'year', 'once']),
  lines: list(
    record<PriceLine>({
      description: text(200),
      detail: optional(text(500)),
      quantity: whole(0, 1_000_000_000),
      unit: text(40),
      unit_price_minor: optional(unitPrice),
      tiers: optional(
        list(
          record<PriceTier>({ from: whole(1, largest), to: optional(whole(1, largest)), unit_price_minor: unitPrice }),
          1,
          20,
        ),
      ),
      amount_minor: amount,
    }),
    1,
    500,
  ),
  subtotal_minor: amount,
  discounts: list(
    record<Discount>({ label: text(100), percent_bp: optional(whole(0, 10_000)), amount_minor: amount }),
    0,
    10,
  ),
  tax: optional(record<Tax>({ label: text(60), rate_bp: whole(0, 10_000), amount_minor: amount })),
  total_minor: amount,
})

export const prices: Reader<Prices> = (value, path) => {
  const read = readPrices(value, path)
  read.lines.forEach((line, index) => checkLine(line, `${path}.lines[${index}]`))
  const subtotal = sum(read.lines.map((line) => line.amount_minor))
  same(read.subtotal_minor, subtotal, `${path}.subtotal_minor`, 'the sum of the lines')
  for (const [index, discount] of read.discounts.entries()) {
    if (discount.percent_bp == null) continue
    const wanted = share(subtotal, discount.percent_bp)
    near(discount.amount_minor, wanted, `${path}.discounts[${index}].amount_minor`, 'its part of the subtotal')
  }
  const net = subtotal - sum(read.discounts.map((discount) => discount.amount_minor))
  if (net < 0) return refuse(`${path}.discounts`, -net, 'discounts not above the subtotal')
  if (read.tax != null)
    near(read.tax.amount_minor, share(net, read.tax.rate_bp), `${path}.tax.amount_minor`, 'its part of the net amount')
  same(read.total_minor, net + (read.tax?.amount_minor ?? 0), `${path}.total_minor`, 'subtotal less discounts plus tax')
  return read
}

function checkLine(line: PriceLine, path: string): void {
  const tiers = line.tiers ?? null
  if (tiers !== null) checkTiers(tiers, `${path}.tiers`)
  const end = tiers?.at(-1)?.to ?? null
  if (end !== null && line.quantity > end)
    refuse(`${path}.quantity`, line.quantity, `at most ${end}, where the tiers end`)
  if (line.unit_price_minor === null) {
    if (tiers === null) refuse(`${path}.unit_price_minor`, null, 'a price, or tiers')
    else same(line.amount_minor, graduated(tiers, line.quantity), `${path}.amount_minor`, 'what the tiers come to')
    return
  }
  const own = tiers?.find(({ from, to }) => line.quantity >= from && (to === null || line.quantity <= to))
  if (own !== undefined)
    same(line.unit_price_minor, own.unit_price_minor, `${path}.unit_price_minor`, "its tier's price")
  same(line.amount_minor, line.quantity * line.unit_price_minor, `${path}.amount_minor`, 'quantity times unit price')
}

function checkTiers(tiers: readonly PriceTier[], path: string): void {
  for (const [index, { from, to }] of tiers.entries()) {
    const before = tiers[index - 1]
    same(
      from,
      before === undefined ? 1 : (before.to ?? 0) + 1,
      `${path}[${index}].from`,
      'the unit after the tier before',
    )
    if (to !== null && to < from) refuse(`${path}[${index}].to`, to, `at least ${from}`)
    if (to === null && index < tiers.length - 1) refuse(`${path}[${index}].to`, to, 'an end: tiers follow')
  }
}

/** What units cost when each has the price of its own tier. */
export function graduated(tiers: readonly PriceTier[], quantity: number): number {
  return sum(
    tiers.map(
      ({ from, to, unit_price_minor }) => Math.max(0, Math.min(quantity, to ?? quantity) - from + 1) * unit_price_minor,
    ),
  )
}

const sum = (amounts: readonly number[]): number => amounts.reduce((total, one) => total + one, 0)

/** Half up, exact for every amount that is accepted. */
const share = (of: number, basisPoints: number): number => Number((BigInt(of) * BigInt(basisPoints) + 5_000n) / 10_000n)

function same(given: number, wanted: number, path: string, what: string): void {
  if (given !== wanted) refuse(path, given, `${what}: ${wanted}`)
}

/** One unit either way: houses round differently. */
function near(given: number, wanted: number, path: string, what: string): void {
  if (Math.abs(given - wanted) > 1) refuse(path, given, `${what}: ${wanted}`)
}
