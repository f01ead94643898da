/**
 * How many decimals the minor units of a currency stand for, as the payment service counts them: ISO 4217 but for a few. Not
 * what people write: `Intl` says 0 for HUF, IDR and others whose amounts are charged in hundredths.
 */

const none = 'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ')
const three = 'BHD IQD JOD KWD LYD OMR TND'.split(' ')

/** @param currency three letters. @returns digits after the point: EUR and HUF 2, JPY 0, KWD 3 */
export function decimalsOf(currency: string): number {
  const code = currency.toUpperCase()
  return none.includes(code) ? 0 : three.includes(code) ? 3 : 2
}
