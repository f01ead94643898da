/** Times, numbers and names as people read them. */

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** `4 min`, `3 h`, `12 d`: the largest unit, without a fraction. */
export function duration(ms: number): string {
  const span = Math.abs(ms)
  if (span < minute) return `${String(Math.floor(span / second))} s`
  if (span < hour) return `${String(Math.floor(span / minute))} min`
  if (span < 2 * day) return `${String(Math.floor(span / hour))} h`
  return `${String(Math.floor(span / day))} d`
}

const dateForm = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
const timeForm = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const momentForm = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

export const dayOf = (iso: string): string => dateForm.format(new Date(iso))
export const timeOf = (iso: string): string => timeForm.format(new Date(iso))
export const momentOf = (iso: string): string => momentForm.format(new Date(iso))

const countForm = new Intl.NumberFormat()
export const count = (value: number): string => countForm.format(value)

/** `1 company`, `3 companies`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** `stage_changed` is `stage changed`. */
export const words = (name: string): string => name.replaceAll('_', ' ')

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** A value on one line, cut when it is long. */
export function brief(value: unknown, longest = 80): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}
