/** Times, numbers and names as people read them. */

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const year = 365.25 * day

/** `4 min`, `3 h`, `12 d`, `5 months`: the largest unit, without a fraction. */
export function duration(ms: number): string {
  const span = Math.abs(ms)
  if (span < minute) return `${String(Math.floor(span / second))} s`
  if (span < hour) return `${String(Math.floor(span / minute))} min`
  if (span < 2 * day) return `${String(Math.floor(span / hour))} h`
  if (span < 60 * day) return `${String(Math.floor(span / day))} d`
  if (span < 2 * year) return `${String(Math.floor((span / year) * 12))} months`
  return `${String(Math.floor(span / year))} years`
}

/** `420 ms`, `14 s`, `2 min 8 s`, `3 h 20 min`, `12 d 4 h`: how long something took, in its two largest units. */
export function took(ms: number): string {
  if (ms < second) return `${String(Math.round(ms))} ms`
  const units: readonly (readonly [number, string])[] = [
    [day, 'd'],
    [hour, 'h'],
    [minute, 'min'],
    [second, 's'],
  ]
  const at = units.findIndex(([size]) => ms >= size)
  const [[large, largeName], small] = [units[at]!, units[at + 1]]
  const rest = small === undefined ? 0 : Math.floor((ms % large) / small[0])
  const whole = `${String(Math.floor(ms / large))} ${largeName}`
  return rest === 0 ? whole : `${whole} ${String(rest)} ${small![1]}`
}

const dateForm = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
const timeForm = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const momentForm = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

export const dayOf = (iso: string): string => dateForm.format(new Date(iso))
export const timeOf = (iso: string): string => timeForm.format(new Date(iso))
export const momentOf = (at: string | number): string => momentForm.format(new Date(at))

const countForm = new Intl.NumberFormat()
export const count = (value: number): string => countForm.format(value)

/** `1 company`, `3 companies`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

const noDecimals = /^(?:BIF|CLP|DJF|GNF|JPY|KMF|KRW|MGA|PYG|RWF|VND|VUV|XAF|XOF|XPF)$/i
const threeDecimals = /^(?:BHD|IQD|JOD|KWD|LYD|OMR|TND)$/i

/** @param minor integer minor units as the payment service counts them: as `schemas/minor-units.ts` */
export function money(minor: number, currency: string): string {
  const digits = noDecimals.test(currency) ? 0 : threeDecimals.test(currency) ? 3 : 2
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return new Intl.NumberFormat(undefined, { style: 'currency', currency, ...fraction }).format(minor / 10 ** digits)
}

/** @param part of one */
export const percent = (part: number): string => `${String(Math.round(part * 1_000) / 10)} %`

/** `stage_changed` is `stage changed`. */
export const words = (name: string): string => name.replaceAll(/[_.]/g, ' ')

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const abbreviations = /\b(?:id|nda|prd|mrr|url|llm|crm|qr|cta|api|pdf|ip)s?\b/g

/** A name of ours as a title: `nda_signed` is `NDA signed`. */
export const title = (name: string): string =>
  capital(words(name).replace(abbreviations, (word) => word.toUpperCase().replace(/S$/, 's')))

/** A value on one line, cut when it is long. */
export function brief(value: unknown, longest = 80): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

const uuid = /([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Ids by their beginning, so that a key of several fits into a line. */
export const shortIds = (text: string): string => text.replaceAll(uuid, '$1…')
