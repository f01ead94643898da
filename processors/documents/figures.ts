/** Figures as documents and reviews say them. English, whatever the machine's language: what was said is kept. */

import { decimalsOf } from '../../schemas/index.ts'

const counts = new Intl.NumberFormat('en-GB')

/** `51,590` */
export const grouped = (count: number): string => counts.format(count)

/** `US$81,633.36`, `US$0.045`. @param minor as `decimalsOf` counts them; of a price a part of one, too */
export function inWords(minor: number, currency: string): string {
  const digits = decimalsOf(currency)
  const whole = Number.isInteger(minor)
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: whole ? digits : 6 }
  return new Intl.NumberFormat('en-GB', { style: 'currency', currency, ...fraction }).format(minor / 10 ** digits)
}
