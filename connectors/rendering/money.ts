/** Amounts and dates as a customer reads them, the same on every machine: English, UTC. */

import { decimalsOf } from '../../schemas/index.ts'

const formats = new Map<string, Intl.NumberFormat>()

function formatOf(currency: string): Intl.NumberFormat {
  const known = formats.get(currency)
  if (known !== undefined) return known
  const digits = decimalsOf(currency)
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  const made = new Intl.NumberFormat('en-GB', { style: 'currency', currency, ...fraction })
  formats.set(currency, made)
  return made
}

const currencies = new Set(Intl.supportedValuesOf('currency'))
export const isCurrency = (code: string): boolean => currencies.has(code)

/** @param minor whole cents, yen, …; never a float on its way to paper */
export function money(minor: number, currency: string): string {
  const decimals = decimalsOf(currency)
  const digits = String(Math.abs(minor)).padStart(decimals + 1, '0')
  const point = digits.length - decimals
  const written = decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
  const shown = formatOf(currency).format(written as Intl.StringNumericLiteral)
  return minor < 0 ? `−${shown}` : shown
}

export const count = (quantity: number): string => new Intl.NumberFormat('en-GB').format(quantity)

/** Basis points: 1250 is `12.5 %`. */
export const percent = (basisPoints: number): string => `${Number((basisPoints / 100).toFixed(2))} %`

const dates = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })

/** `26 November 2026` */
export const day = (ms: number): string => dates.format(ms)

const units = ['', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve']

/** `three (3) months`, as contracts say it. */
export function spelt(quantity: number, one: string, many = `${one}s`): string {
  const noun = quantity === 1 ? one : many
  const word = units[quantity]
  return word === undefined || word === '' ? `${count(quantity)} ${noun}` : `${word} (${quantity}) ${noun}`
}
