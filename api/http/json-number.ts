/**
 * Is a JSON number kept exactly by a double? `9007199254740993`, `1e400`, `0.10000000000000000001` and `-0` are not: they
 * would come back as another number, so they are refused rather than rounded.
 */

/** Up to 15 significant digits survive the way to a double and back. */
const safeLength = 15
/** No double needs more digits than this to be spelt shortest, leading zeros of 5e-324 included. */
const lengthMax = 400

/** The number that stands in `text` from `start` to before `end`. */
export function isExactNumber(text: string, start: number, end: number): boolean {
  if (end - start <= safeLength && isDigits(text, start, end)) return true
  if (end - start > lengthMax) return false
  const token = text.slice(start, end)
  const value = Number(token)
  if (Object.is(value, -0) || !Number.isFinite(value)) return Number.isNaN(value) // not a number: the grammar's affair
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false
  if (token.length <= safeLength && value !== 0) return true
  const shortest = String(value)
  return shortest === token || canonical(shortest) === canonical(token)
}

function isDigits(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return false
  }
  return true
}

/** Sign, digits without zeros at either end, power of ten: one spelling for equal decimals. */
function canonical(token: string): string {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(token)
  if (match === null) return token
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${String(Number(exponent) - fraction.length + digits.length - significant.length)}`
}
