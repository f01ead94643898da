/** Figures as documents and reviews say them. English, whatever the machine's language: what was said is kept. */

const counts = new Intl.NumberFormat('en-GB')

/** `51,590` */
export const grouped = (count: number): string => counts.format(count)

/** `US$81,633.36`, `US$0.045`. @param minor minor units of a currency of ISO 4217; of a price a part of one, too */
export function inWords(minor: number, currency: string): string {
  const form = new Intl.NumberFormat('en-GB', { style: 'currency', currency })
  const amount = minor / 10 ** (form.resolvedOptions().maximumFractionDigits ?? 2)
  if (Number.isInteger(minor)) return form.format(amount)
  return new Intl.NumberFormat('en-GB', { style: 'currency', currency, maximumFractionDigits: 6 }).format(amount)
}
